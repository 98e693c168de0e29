import { expect, it } from 'vitest';
import { SESSIONS_OF_A_DUMP, SessionPlaces, sessionsOfFlux } from './session-places.ts';

it.each([
  [10, 12],
  [40, 12],
  [100, 25],
  [200, 50],
  [5000, 60],
])('of %i connections, %i at most are of Flux', (connections, ours) => {
  expect(sessionsOfFlux(connections)).toBe(ours);
});

it('has those wait who come when all places are taken, in their order', async () => {
  const places = new SessionPlaces();
  places.learn(40);
  const taken = await Promise.all(Array.from({ length: 12 }, () => places.take()));
  const order: string[] = [];
  const first = places.take().then((free) => {
    order.push('first');
    return free;
  });
  const second = places.take().then((free) => {
    order.push('second');
    return free;
  });
  const leaving = new AbortController();
  const third = places.take(leaving.signal);
  leaving.abort(new Error('not wanted any more'));
  await expect(third).rejects.toThrow('not wanted any more');
  expect(order).toEqual([]);
  taken[0]?.();
  taken[0]?.();
  (await first)();
  (await second)();
  expect(order).toEqual(['first', 'second']);
  for (const free of taken) free();
  expect(places.taken).toBe(0);
});

it('admits those who wait when the server turns out to take more', async () => {
  const places = new SessionPlaces();
  places.learn(40);
  const taken = await Promise.all(Array.from({ length: 12 }, () => places.take()));
  const waiting = places.take();
  places.learn(Number.NaN);
  expect(places.limit).toBe(12);
  places.learn(200);
  (await waiting)();
  for (const free of taken) free();
  expect(places.taken).toBe(0);
});

it('says so when no place becomes free', async () => {
  const places = new SessionPlaces(20);
  places.learn(40);
  await Promise.all(Array.from({ length: 12 }, () => places.take()));
  await expect(places.take()).rejects.toMatchObject({ code: 'instance_unavailable', message: expect.stringContaining('12 sessions') });
});

it('lets dumps wait for dumps, and what takes a moment for neither', async () => {
  const places = new SessionPlaces(20);
  places.learn(40);
  const dump = await places.reserve(SESSIONS_OF_A_DUMP);
  const order: string[] = [];
  const another = places.reserve(SESSIONS_OF_A_DUMP).then((reserved) => {
    order.push('dump');
    return reserved;
  });
  const restore = places.reserve(1).then((reserved) => {
    order.push('restore');
    return reserved;
  });
  // All of its own, and none of those that others need.
  const own = await Promise.all(Array.from({ length: SESSIONS_OF_A_DUMP }, () => dump.take()));
  await expect(dump.take()).rejects.toMatchObject({ code: 'instance_unavailable' });
  expect(dump.grow(3)).toBe(0);
  const short = await Promise.all(Array.from({ length: 8 }, () => places.take()));
  expect(order).toEqual([]);
  for (const free of [...own, ...short]) free();
  dump[Symbol.dispose]();
  dump[Symbol.dispose]();
  (await another)[Symbol.dispose]();
  (await restore)[Symbol.dispose]();
  expect(order).toEqual(['dump', 'restore']);
  expect(places.taken).toBe(0);
});

it('gives a dump more places where another one can begin all the same', async () => {
  const places = new SessionPlaces();
  places.learn(200);
  const dump = await places.reserve(SESSIONS_OF_A_DUMP);
  expect(dump.grow(3)).toBe(3);
  expect(dump.grow(100)).toBeLessThan(30);
  using _next = await places.reserve(SESSIONS_OF_A_DUMP);
  const [one] = await Promise.all(Array.from({ length: 7 }, () => dump.take()));
  one?.();
  dump[Symbol.dispose]();
});
