import type { RestoreAnswer } from '@flux/contract/restore';
import { formatCounted } from '../output/quantity.ts';
import { formatFields } from '../output/table.ts';
import { formatShortTime } from '../output/time.ts';
import { describeDifferences } from './proof-text.ts';

/** What a restore did, for people. */
export function describeRestore(answer: RestoreAnswer, now: Date): string[] {
  const { project, how, tablesCompared, rowsCompared } = answer;
  const name = project === null ? 'the database' : `${project.slug} (${project.hash})`;
  const compared = `${tablesCompared.toLocaleString('en-US')} tables, ${rowsCompared.toLocaleString('en-US')} rows`;
  const fields: [string, string][] = [];
  if (answer.backupId !== null) fields.push(['Backup', answer.backupId]);
  if (tablesCompared > 0 && answer.lost === undefined)
    fields.push([
      'Compared',
      `${compared}; ${answer.exceptions.length === 0 ? 'nothing differs from what was dumped' : 'all of it equals what was dumped'}`,
    ]);
  if (answer.lost !== undefined) fields.push(['Compared', `${compared}; ${formatCounted(answer.lost.length, 'difference')}`]);
  for (const { table, as } of answer.tables ?? []) fields.push([table, `restored as ${as}, next to the live one`]);
  if (answer.outageMs !== null) fields.push(['Outage', `${answer.outageMs} ms`]);
  if (answer.previousKeptAs !== null) fields.push(['Replaced', `kept as ${answer.previousKeptAs}${keptUntilText(answer, now)}`]);
  if (answer.presentBackupId !== null) fields.push(['Safety backup', answer.presentBackupId]);
  return [
    `${answer.lost === undefined ? '✓' : '!'} ${SENTENCES[how].replace('%', name)}`,
    ...formatFields(fields),
    ...answer.notes.map((note) => `Note: ${note}`),
    ...describeDifferences([...(answer.lost ?? []), ...answer.exceptions]),
  ];
}

/** What an emergency restore has to say to whoever reads only the warnings. */
export function warnOfLoss({ lost }: RestoreAnswer): string[] {
  if (lost === undefined) return [];
  if (lost.length === 0) return ['The backup is not proven, but everything that came back equals what was dumped.'];
  const named = lost.slice(0, 10).map(({ kind, name, change }) => `${kind.replaceAll('_', ' ')} ${name} is ${change}`);
  const more = lost.length > named.length ? `; and ${lost.length - named.length} more` : '';
  return [`Not everything came back as it was dumped: ${named.join('; ')}${more}.`];
}

/** Until when replaced data is kept, as a suffix to its name; empty when it has no end. */
export function keptUntilText({ previousKeptUntil }: Pick<RestoreAnswer, 'previousKeptUntil'>, now: Date): string {
  return previousKeptUntil === null ? '' : ` until ${formatShortTime(previousKeptUntil, now)}`;
}

const SENTENCES: Record<RestoreAnswer['how'], string> = {
  into: 'Restored into the new project %',
  revived: '% is back',
  in_place: '% now has the data of the backup',
  to: 'Restored into %',
  tables: 'The tables were restored into %, next to the live ones; nothing else was changed',
  undo: '% has the data again that the restore or reset had replaced',
};
