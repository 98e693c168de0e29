import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it, vi } from 'vitest';
import { PlacesOfServers } from '../../src/engines/attached/places.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const at = { host: 'db.example.com', address: '192.0.2.1', port: 5432 };

it('counts the sessions of each owner at each address apart', () => {
  const places = new PlacesOfServers();
  const first = places.of('a', at);
  expect(places.of('a', { ...at, host: 'another.name.example.com' })).toBe(first);
  expect(places.of('b', at)).not.toBe(first);
  expect(places.of('a', { ...at, address: '192.0.2.2' })).not.toBe(first);
  expect(places.of('a', { ...at, port: 5433 })).not.toBe(first);
});

it('forgets what is in use no more, and nothing else', async () => {
  const places = new PlacesOfServers();
  const free = await places.of('a', at).take();
  for (let port = 1; port <= 1000; port++) places.of('a', { ...at, port });
  await vi.waitFor(() => {
    collect();
    expect(places.size).toBe(1);
  }, 10_000);
  expect(places.of('a', at).taken).toBe(1);
  free();
  expect(places.of('a', at).taken).toBe(0);
});
