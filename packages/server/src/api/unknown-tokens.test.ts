import { FluxError } from '@flux/contract/errors';
import { expect, it } from 'vitest';
import { digestToken, generateToken } from '../access/tokens.ts';
import { createFailureLimit } from './failure-limit.ts';
import { createUnknownTokens } from './unknown-tokens.ts';

/** A catalog that knows some tokens, and notes how often it is asked and by how many at once. */
function place(valid: readonly string[], issued: readonly string[] = []) {
  let at = Date.parse('2026-01-01');
  const seen = { asked: 0, running: 0, most: 0, listed: 0 };
  const failures = createFailureLimit({ now: () => new Date(at) });
  const unknown = createUnknownTokens(failures, async () => {
    seen.listed += 1;
    return new Set(issued.map(digestToken));
  });
  const ask = (token: string, address = '192.0.2.1') =>
    unknown
      .lookUp(token, address, async () => {
        seen.asked += 1;
        seen.running += 1;
        seen.most = Math.max(seen.most, seen.running);
        await new Promise((resolve) => setTimeout(resolve, 1));
        seen.running -= 1;
        if (!valid.includes(token)) throw new FluxError('not_authenticated', 'unknown');
        return 'found';
      })
      .catch((error) => {
        if (error.code === 'not_authenticated') failures.countOrRefuse(address);
        throw error;
      });
  const pass = (ms: number) => {
    at += ms;
  };
  return { ask, pass, seen };
}

it('asks about unknown tokens of an address only so often, and about known ones always', async () => {
  const known = generateToken();
  const late = generateToken();
  const { ask, pass, seen } = place([known, late]);
  await expect(ask(known)).resolves.toBe('found');
  for (let i = 0; i < 500; i++) await expect(ask(generateToken())).rejects.toThrow();
  expect(seen.asked).toBeLessThan(40);
  await expect(ask(generateToken())).rejects.toMatchObject({ code: 'rate_limited', details: { retryAfterSeconds: 60 } });
  await expect(ask(known)).resolves.toBe('found');
  // Also many times at once, without waiting for one another.
  seen.most = 0;
  await expect(Promise.all(Array.from({ length: 20 }, () => ask(known)))).resolves.toHaveLength(20);
  expect(seen.most).toBe(20);
  // One that was not used before gets its turn, and is known from then on.
  pass(100);
  await expect(ask(late)).resolves.toBe('found');
  await expect(ask(late)).resolves.toBe('found');
  await expect(ask(generateToken(), '192.0.2.2')).rejects.toMatchObject({ code: 'not_authenticated' });
  pass(60_000);
  await expect(ask(generateToken())).rejects.toMatchObject({ code: 'not_authenticated' });
});

it('asks about few unknown tokens at once, from however many addresses, and lets known ones pass', async () => {
  const known = generateToken();
  const { ask, seen } = place([known]);
  await ask(known);
  const flood = Array.from({ length: 400 }, (_, i) => ask(generateToken(), `2001:db8::${i.toString(16)}`).catch((error) => error.code));
  await expect(ask(known)).resolves.toBe('found');
  expect(seen.asked).toBeLessThan(20);
  const codes = await Promise.all(flood);
  expect(codes.filter((code) => code === 'not_authenticated').length).toBe(202);
  expect(codes.filter((code) => code === 'rate_limited').length).toBe(198);
  // Those that are looked up at once, and one that is known.
  expect(seen.most).toBeLessThan(4);
  expect(await ask(known)).toBe('found');
});

it('asks once for requests with the same token, and tells each of them what came of it', async () => {
  const token = generateToken();
  const { ask, seen } = place([token]);
  expect(await Promise.all(Array.from({ length: 20 }, () => ask(token)))).toEqual(Array(20).fill('found'));
  expect(seen.asked).toBe(1);
});

it('lets tokens through that were issued and that this process has not seen, while others are guessed from the same address', async () => {
  const honest = Array.from({ length: 50 }, generateToken);
  const { ask, seen } = place(honest, honest);
  for (let i = 0; i < 200; i++) await expect(ask(generateToken())).rejects.toThrow();
  for (const token of honest) await expect(ask(token)).resolves.toBe('found');
  expect(seen.listed).toBe(1);
});
