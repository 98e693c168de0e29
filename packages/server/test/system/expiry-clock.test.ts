import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { ExpiryTime, openExpiryClock } from '../../src/system/expiry-clock.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const at = (ms: number) => new Date(Date.UTC(2026, 0, 10) + ms);

it('follows a clock that runs as the uptime does, and one that was off for less than an hour', () => {
  const time = new ExpiryTime(at(0), at(HOUR / 2), 0);
  expect(time.observe(at(HOUR), HOUR / 2)).toEqual(at(HOUR));
  expect(time.distrustedMs).toBe(0);
});

it('does not trust a clock that is 8 days ahead at a start before a day has passed', () => {
  const time = new ExpiryTime(at(0), at(8 * DAY), 0);
  expect(time.observe(at(8 * DAY + HOUR), HOUR)).toEqual(at(HOUR));
  expect(time.distrustedMs).toBe(8 * DAY);
  expect(time.observe(at(8 * DAY + DAY - 1), DAY - 1)).toEqual(at(DAY - 1));
  expect(time.observe(at(9 * DAY), DAY)).toEqual(at(9 * DAY));
  expect(time.distrustedMs).toBe(0);
});

it('does not trust one that leaps while it runs, and forgets the leap when the clock is put right', () => {
  const time = new ExpiryTime(undefined, at(0), 0);
  expect(time.observe(at(8 * DAY), 1000)).toEqual(at(1000));
  expect(time.observe(at(2000), 2000)).toEqual(at(2000));
  expect(time.distrustedMs).toBe(0);
});

it('follows a clock that is put back: nothing expires early by that', () => {
  const time = new ExpiryTime(at(0), at(-3 * DAY), 0);
  expect(time.observe(at(-3 * DAY + HOUR), HOUR)).toEqual(at(-3 * DAY + HOUR));
});

it('keeps the latest time that was trusted when the clock is put back, and does not believe a leap before its time', () => {
  const time = new ExpiryTime(at(0), at(-3 * DAY), 0);
  expect(time.latest).toEqual(at(0));
  time.observe(at(-3 * DAY + HOUR), HOUR);
  expect(time.latest).toEqual(at(0));
  time.observe(at(8 * DAY), 2 * HOUR);
  expect(time.latest).toEqual(at(0));
  expect(new ExpiryTime(at(-3 * DAY), at(-3 * DAY), 0, at(0)).latest).toEqual(at(0));
});

it('trusts a clock that was put back and is right again', () => {
  const time = new ExpiryTime(at(0), at(-3 * DAY), 0);
  expect(time.observe(at(HOUR), HOUR)).toEqual(at(HOUR));
  expect(time.distrustedMs).toBe(0);
});

it('remembers over restarts both the time and the latest one', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'flux-clock-'));
  try {
    const path = join(folder, 'time');
    let wall = at(0);
    const open = () => openExpiryClock(path, { now: () => wall });
    await (await open()).remember();
    for (const _ of ['first', 'second']) {
      wall = at(-3 * DAY);
      const clock = await open();
      expect(clock.now().getTime()).toBeLessThan(at(-2 * DAY).getTime());
      expect(clock.latest().getTime()).toBeGreaterThanOrEqual(at(0).getTime());
      expect(clock.behindMs()).toBeGreaterThanOrEqual(3 * DAY);
      await clock.remember();
    }
    wall = at(HOUR);
    const right = await open();
    expect(right.latest()).toEqual(at(HOUR));
    expect(right.behindMs()).toBe(0);
  } finally {
    await rm(folder, { recursive: true });
  }
});

it('waits for as long as a shorter leap was', () => {
  const time = new ExpiryTime(at(0), at(5 * HOUR), 0);
  expect(time.observe(at(9 * HOUR), 4 * HOUR)).toEqual(at(4 * HOUR));
  expect(time.observe(at(10 * HOUR), 5 * HOUR)).toEqual(at(10 * HOUR));
});

it('is never ahead of both the clock and what the uptime can account for', () => {
  const steps = fc.array(fc.record({ passed: fc.integer({ min: 0, max: HOUR }), leap: fc.integer({ min: -9 * DAY, max: 9 * DAY }) }), {
    maxLength: 20,
  });
  void fc.assert(
    fc.property(steps, (list) => {
      const time = new ExpiryTime(undefined, at(0), 0);
      let [wall, uptime, before] = [0, 0, 0];
      for (const { passed, leap } of list) {
        wall += passed + leap;
        uptime += passed;
        const trusted = time.observe(at(wall), uptime).getTime() - at(0).getTime();
        expect(trusted).toBeLessThanOrEqual(Math.max(wall, before + passed));
        before = trusted;
      }
    }),
  );
});
