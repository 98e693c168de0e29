import { describe, expect, it } from 'vitest';
import { startHostileServer } from '../../../../acceptance/harness/hostile-server.ts';
import { MISBEHAVIOURS } from '../../../../acceptance/harness/misbehaviours.ts';
import { connectPostgres } from '../../src/postgres/connect.ts';

const WITHIN_MS = 1500;
const OPTIONS = { connectTimeoutMs: WITHIN_MS, withinMs: WITHIN_MS, maxBytes: { message: 4 * 2 ** 20, answer: 8 * 2 ** 20 } };

/** What a session has come to that a question was asked in: an error, or rows. */
async function ask(port: number): Promise<unknown> {
  try {
    await using session = await connectPostgres(
      { host: '127.0.0.1', port, user: 'somebody', database: 'somewhere', sslMode: 'disable' },
      OPTIONS,
    );
    return await session.query('select 1 as one');
  } catch (error) {
    return error;
  }
}

describe('a hostile server', () => {
  const cases = (['at once', 'after login'] as const).flatMap((moment) =>
    Object.entries(MISBEHAVIOURS).map(([name, misbehave]) => ({ moment, name, misbehave })),
  );
  // One after another: they share an event loop, and one that parses 120 MiB would keep another from its login.
  it.each(cases)('ends only its own session, and in time, with $name $moment', async ({ moment, name, misbehave }) => {
    await using server = await startHostileServer({ moment, misbehave });
    const began = performance.now();
    const outcome = await ask(server.port);
    expect(server.seen.misbehaved).toBeGreaterThan(0);
    // An answer without rows is one.
    if (name !== 'answers to nothing') expect(outcome).toBeInstanceOf(Error);
    expect(performance.now() - began).toBeLessThan(3 * WITHIN_MS);
  });
});
