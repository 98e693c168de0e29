import { isDeepStrictEqual } from 'node:util';
import { expect } from 'vitest';
import type { Flux } from '../harness/flux.ts';
import { pause } from '../harness/process.ts';
import { cutPower } from './cut.ts';
import type { Prepared, Scenario, State } from './scenario.ts';

/** What one cut left, and how long an undisturbed run of the command took last. */
export interface CutOutcome {
  readonly found: 'old' | 'new';
  /** Set when the command had all its way to go once more. */
  readonly tookMs?: number;
}

/** Runs the command of a scenario without a cut, looks that it does what it is for, and gives how long it takes in ms. */
export async function runUndisturbed(flux: Flux, scenario: Scenario, serial: number): Promise<number> {
  const prepared = await scenario.prepare(flux, serial);
  const goal = prepared.goal(await prepared.read());
  const tookMs = await runWell(flux, prepared);
  expect(await prepared.read()).toEqual(goal);
  expect(await prepared.findLitter()).toEqual([]);
  return tookMs;
}

/**
 * Starts the command of a scenario, cuts the power some time later, starts Flux again and looks: everything is as it was
 * before, or as the command leaves it. Then runs the command once more, to its end.
 */
export async function cutOnce(flux: Flux, scenario: Scenario, serial: number, afterMs: number): Promise<CutOutcome> {
  const prepared = await scenario.prepare(flux, serial);
  const old = await prepared.read();
  const goal = prepared.goal(old);
  const running = flux.flux(...prepared.command);
  await pause(afterMs);
  await cutPower(flux);
  await running;
  await flux.start();

  const found = judge(await prepared.read(), old, goal);
  if (found === 'new') {
    const again = await flux.flux(...prepared.command);
    expect(again.stderr + again.stdout).toContain(prepared.whenDone.says);
    expect(again.exitCode).toBe(prepared.whenDone.exitCode);
  }
  const tookMs = found === 'old' ? await runWell(flux, prepared) : undefined;
  expect(await prepared.read()).toEqual(goal);
  expect(await prepared.findLitter()).toEqual([]);
  return { found, ...(tookMs === undefined ? {} : { tookMs }) };
}

function judge(found: State, old: State, goal: State): 'old' | 'new' {
  if (isDeepStrictEqual(found, old)) return 'old';
  expect(found, 'neither the old state nor the new one').toEqual(goal);
  return 'new';
}

async function runWell(flux: Flux, { command }: Prepared): Promise<number> {
  const began = performance.now();
  const ended = await flux.flux(...command);
  expect(ended.stderr).not.toContain('Error');
  expect(ended.exitCode).toBe(0);
  return performance.now() - began;
}
