import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** One attack of the last recorded run. */
export interface AttackRecord {
  readonly attack: string;
  /** What must hold. */
  readonly bound: string;
  /** What was measured or answered. Absent when the bound did not hold, or the attack was not tried. */
  readonly seen?: string;
}

/** The attacks of one file of tests. */
export interface SiegeChapter {
  readonly title: string;
  readonly attacks: readonly AttackRecord[];
}

const FOLDER = fileURLToPath(new URL('seen', import.meta.url));

/** The chapters that are committed, in the order of their file names. */
export function readSiege(): readonly SiegeChapter[] {
  mkdirSync(FOLDER, { recursive: true });
  return readdirSync(FOLDER)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => JSON.parse(readFileSync(`${FOLDER}/${name}`, 'utf8')) as SiegeChapter);
}

/** Replaces a chapter, when this run was asked to (FLUX_TEST_RECORD). */
export function writeSiegeChapter(chapter: SiegeChapter): void {
  if (process.env.FLUX_TEST_RECORD === undefined) return;
  mkdirSync(FOLDER, { recursive: true });
  const name = chapter.title.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
  writeFileSync(`${FOLDER}/${name}.json`, `${JSON.stringify(chapter, null, 2)}\n`);
}
