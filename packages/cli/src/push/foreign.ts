import { displaySafe } from '@flux/contract/display';
import { FluxError } from '@flux/contract/errors';
import { findRefusal, readScript, type ScriptRefusal } from '@flux/contract/sql/script';
import type { WayMarker } from '@flux/contract/sql/way-up';
import type { CallContext } from '../context.ts';
import { formatCounted } from '../output/quantity.ts';
import type { CollectedFiles, SqlFile } from './files.ts';
import type { PlannedFile } from './plan.ts';
import { locateSqlError } from './sql-error.ts';

const MOST_NAMED = 5;

/**
 * Refuses the push when a file of it must not run, before any of them runs.
 *
 * @returns the first marker of a way down in each file that runs, by file name
 * @throws FluxError `sql_not_allowed`, with the place in the file
 */
export function requireRunnable(plan: readonly PlannedFile[]): ReadonlyMap<string, WayMarker> {
  const ways = new Map<string, WayMarker>();
  for (const { file } of plan.filter(({ action }) => action === 'run')) {
    const script = readScript(file.sql);
    const refusal = findRefusal(file.filename, script);
    if (refusal !== undefined) throw refused(file, refusal);
    const down = script.markers.find(({ way }) => way === 'down');
    if (down !== undefined) ways.set(file.filename, down);
  }
  return ways;
}

function refused(file: SqlFile, { problem, hint, line, column }: ScriptRefusal): unknown {
  const error = new FluxError('sql_not_allowed', problem, { hint, details: { problem, advice: hint, line, column } });
  return locateSqlError(error, [{ file, firstLine: 0 }], 'No file was run.');
}

/** Says on stderr what a push does not run: files of the folder, ways down within files, and what was converted. */
export function noteLeftOut(
  { output }: Pick<CallContext, 'output'>,
  { files, leftOut }: CollectedFiles,
  ways: ReadonlyMap<string, WayMarker>,
): void {
  for (const [why, names] of groupNames(leftOut)) output.note(`Left out: ${name(names)} (${why}).`);
  const [first] = [...ways];
  if (first !== undefined) {
    const [filename, { text, tool }] = first;
    const others = ways.size === 1 ? '' : `, and in ${formatCounted(ways.size - 1, 'other file')} its like`;
    output.note(`Left out: what stands below \`${displaySafe(text)}\` in ${filename}${others}; only the way up runs (${tool}).`);
  }
  const converted = files.filter(({ convertedFrom }) => convertedFrom !== null);
  if (converted.length > 0) output.note(`Converted from UTF-16: ${name(converted.map(({ filename }) => filename))}.`);
}

function groupNames(leftOut: CollectedFiles['leftOut']): ReadonlyMap<string, readonly string[]> {
  const groups = new Map<string, string[]>();
  for (const { name: filename, why } of leftOut) groups.set(why, [...(groups.get(why) ?? []), filename]);
  return groups;
}

function name(names: readonly string[]): string {
  const more = names.length - MOST_NAMED;
  const named = displaySafe(names.slice(0, MOST_NAMED).join(', '));
  return more <= 0 ? named : `${named} and ${more} more`;
}
