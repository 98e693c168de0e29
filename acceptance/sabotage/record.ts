import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { EngineKind } from './damage.ts';

/** What one damage came to, as docs/sabotage.md shows it. */
export interface DamageRecord {
  readonly name: string;
  readonly engine: EngineKind;
  readonly about: string;
  readonly verdict: string;
  /** What noticed it. */
  readonly by: string;
  readonly contained: 'yes' | null;
  readonly seconds: number;
}

/** How often one thing was backed up and verified, and how long that took. */
export interface GoodRecord {
  readonly name: string;
  readonly engine: EngineKind;
  readonly times: number;
  readonly falseAlarms: number;
  /** Seconds of one create and verify, in the middle of all. */
  readonly seconds: number;
}

export interface SabotageRecord {
  readonly machine: string;
  readonly postgres: string;
  readonly damages: readonly DamageRecord[];
  readonly good: readonly GoodRecord[];
}

const PATH = fileURLToPath(new URL('last-run.json', import.meta.url));

/** The figures that are committed. */
export function readRecord(): SabotageRecord {
  if (!existsSync(PATH)) return { machine: '', postgres: '', damages: [], good: [] };
  return JSON.parse(readFileSync(PATH, 'utf8')) as SabotageRecord;
}

/** Puts new figures in the place of the committed ones, when this run was asked to (FLUX_TEST_RECORD). */
export function writeRecord(part: Partial<SabotageRecord>): void {
  if (process.env.FLUX_TEST_RECORD === undefined) return;
  writeFileSync(PATH, `${JSON.stringify({ ...readRecord(), ...part }, null, 2)}\n`);
}
