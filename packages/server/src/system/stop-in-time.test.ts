import { expect, it } from 'vitest';
import { stopInTime } from './stop-in-time.ts';

it('says what a stop still waits for when it takes too long', async () => {
  const late = new Promise<string>((resolve) => {
    void stopInTime({ stop: () => new Promise<void>(() => undefined), waitsFor: () => 'the pool' }, resolve, 20);
  });
  expect(await late).toBe(
    'Flux did not stop within 0.02 s: it still waits for the pool. It ends now, as if it were killed; start it again to find what goes on.',
  );
});

it.each([
  ['ends', () => Promise.resolve()],
  ['fails', () => Promise.reject(new Error('it cannot be stopped'))],
])('says nothing when a stop %s in time', async (_, stop) => {
  const said: string[] = [];
  await stopInTime({ stop, waitsFor: () => undefined }, (sentence) => said.push(sentence), 20).catch(() => undefined);
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect(said).toEqual([]);
});
