import { isDeepStrictEqual } from 'node:util';
import { expect } from 'vitest';
import type { Flux } from '../harness/flux.ts';
import { psql } from '../harness/postgres.ts';
import { pause, until } from '../harness/process.ts';
import { catalogUri } from '../harness/superuser.ts';
import { cutPower } from './cut.ts';
import type { Prepared, Scenario, State } from './scenario.ts';

/** What one cut left, and how long an undisturbed run of the command took last. */
export interface CutOutcome {
  readonly found: 'old' | 'new';
  /** Set when the command had all its way to go once more. */
  readonly tookMs?: number;
}

/** What a command does when nothing cuts it off. */
export interface Undisturbed {
  readonly tookMs: number;
  /** What is there afterwards. */
  readonly state: State;
}

/** Runs the command of a scenario without a cut, and looks that it does what it is for. */
export async function runUndisturbed(flux: Flux, scenario: Scenario, serial: number): Promise<Undisturbed> {
  const prepared = await scenario.prepare(flux, serial);
  const old = await prepared.read();
  const tookMs = await runWell(flux, prepared);
  const state = await prepared.read();
  const goal = prepared.goal(old, state);
  expect(state).toEqual(goal);
  expect(goal).not.toEqual(old);
  expect(await prepared.findLitter()).toEqual([]);
  await prepared.cleanUp?.();
  return { tookMs, state };
}

/**
 * Starts the command of a scenario, cuts the power some time later, starts Flux again and looks: everything is as it was
 * before, or as the command leaves it. Then runs the command once more, to its end.
 */
export async function cutOnce(flux: Flux, scenario: Scenario, serial: number, afterMs: number, undisturbed: State): Promise<CutOutcome> {
  const prepared = await scenario.prepare(flux, serial);
  const old = await prepared.read();
  const goal = prepared.goal(old, undisturbed);
  const running = flux.flux(...prepared.command);
  await pause(afterMs);
  await cutPower(flux);
  await running;
  await flux.start();
  await awaitOperations(flux);

  const found = judge(await prepared.read(), old, goal);
  if (found === 'new') {
    const again = await flux.flux(...prepared.command);
    expect(again.stderr + again.stdout).toContain(prepared.whenDone.says);
    expect(again.exitCode).toBe(prepared.whenDone.exitCode);
  }
  const tookMs = found === 'old' ? await runWell(flux, prepared) : undefined;
  expect(await prepared.read()).toEqual(goal);
  expect(await prepared.findLitter()).toEqual([]);
  await prepared.cleanUp?.();
  return { found, ...(tookMs === undefined ? {} : { tookMs }) };
}

/** An operation that was recorded and not begun before the cut is carried out after it; one that was begun is ended by the start. */
async function awaitOperations(flux: Flux): Promise<void> {
  const sql = `select count(*) from operations where state in ('queued', 'running')`;
  await until('no operation is under way', async () => (await psql(catalogUri(flux), sql)).trim() === '0', 120_000);
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
