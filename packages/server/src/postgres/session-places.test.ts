import { expect, it } from 'vitest';
import { SessionPlaces, sessionsOfFlux } from './session-places.ts';

it.each([
  [10, 6],
  [100, 25],
  [200, 50],
  [5000, 60],
])('of %i connections, %i at most are of Flux', (connections, ours) => {
  expect(sessionsOfFlux(connections)).toBe(ours);
});

it('has those wait who come when all places are taken, in their order', async () => {
  const places = new SessionPlaces();
  places.learn(24);
  const taken = await Promise.all(Array.from({ length: 6 }, () => places.take()));
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
  places.learn(24);
  const taken = await Promise.all(Array.from({ length: 6 }, () => places.take()));
  const waiting = places.take();
  places.learn(Number.NaN);
  expect(places.limit).toBe(6);
  places.learn(200);
  (await waiting)();
  for (const free of taken) free();
  expect(places.taken).toBe(0);
});

it('says so when no place becomes free', async () => {
  const places = new SessionPlaces(20);
  places.learn(24);
  await Promise.all(Array.from({ length: 6 }, () => places.take()));
  await expect(places.take()).rejects.toMatchObject({ code: 'instance_unavailable', message: expect.stringContaining('6 sessions') });
});
