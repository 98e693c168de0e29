import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { EngineKind } from '@flux/contract/labels';

/** What the cuts of one scenario left. */
export interface PowerRecord {
  readonly scenario: string;
  readonly engine: EngineKind;
  /** Seed of the moments. */
  readonly seed: number;
  readonly cuts: number;
  /** How often the state before the command was found, whole. */
  readonly old: number;
  /** How often the state after it was found, whole. */
  readonly new: number;
  /** Anything else. */
  readonly neither: number;
  /** How long the command takes undisturbed, in seconds, in the middle of all times that it ran. */
  readonly seconds: number;
}

export interface PowerRun {
  readonly machine: string;
  readonly scenarios: readonly PowerRecord[];
}

const PATH = fileURLToPath(new URL('last-run.json', import.meta.url));

/** The figures that are committed. */
export function readPowerRun(): PowerRun {
  if (!existsSync(PATH)) return { machine: '', scenarios: [] };
  return JSON.parse(readFileSync(PATH, 'utf8')) as PowerRun;
}

/** Puts new figures in the place of the committed ones of its scenario, when this run was asked to (FLUX_TEST_RECORD). */
export function writePowerRecord(record: PowerRecord): void {
  if (process.env.FLUX_TEST_RECORD === undefined) return;
  const others = readPowerRun().scenarios.filter(({ scenario, engine }) => scenario !== record.scenario || engine !== record.engine);
  const run: PowerRun = { machine: `${availableParallelism()} processors`, scenarios: [...others, record] };
  writeFileSync(PATH, `${JSON.stringify(run, null, 2)}\n`);
}
