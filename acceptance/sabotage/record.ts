import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { EngineKind } from './damage.ts';

/** The result for one damage, as docs/sabotage.md shows it. */
export interface DamageRecord {
  readonly name: string;
  readonly engine: EngineKind;
  readonly about: string;
  readonly verdict: string;
  /** What detected it. */
  readonly by: string;
  readonly contained: 'yes' | null;
  readonly seconds: number;
}

/** How often one project was backed up and verified, and how long that took. */
export interface GoodRecord {
  readonly name: string;
  readonly engine: EngineKind;
  readonly times: number;
  readonly falseAlarms: number;
  /** Median seconds of one create and verify. */
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

/** Replaces the committed figures, when FLUX_TEST_RECORD is set. */
export function writeRecord(part: Partial<SabotageRecord>): void {
  if (process.env.FLUX_TEST_RECORD === undefined) return;
  writeFileSync(PATH, `${JSON.stringify({ ...readRecord(), ...part }, null, 2)}\n`);
}
