import type { PostgresSession } from '../connect.ts';
import { quoteIdentifier } from '../sql/quote.ts';

/**
 * Runs commands of the administrator in a database of somebody else's, without its event triggers: they run functions of its owner with the
 * rights of whoever runs a command. Everything is one transaction, in which they are disabled; they never fire for that.
 *
 * @throws DatabaseError of `pg`; the transaction is rolled back then
 */
export async function withoutEventTriggers<T>(session: PostgresSession, work: () => Promise<T>): Promise<T> {
  await session.run('BEGIN');
  try {
    const triggers = await session.query<{ name: string; enabled: string }>(
      `SELECT evtname AS name, evtenabled AS enabled FROM pg_catalog.pg_event_trigger WHERE evtenabled <> 'D'`,
    );
    for (const { name } of triggers) await session.run(`ALTER EVENT TRIGGER ${quoteIdentifier(name)} DISABLE`);
    const result = await work();
    for (const { name, enabled } of triggers)
      await session.run(`ALTER EVENT TRIGGER ${quoteIdentifier(name)} ${ENABLE[enabled] ?? 'ENABLE'}`);
    await session.run('COMMIT');
    return result;
  } catch (error) {
    await session.run('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

const ENABLE: Readonly<Record<string, string>> = { O: 'ENABLE', R: 'ENABLE REPLICA', A: 'ENABLE ALWAYS' };
