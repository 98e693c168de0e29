import type { RestoreAnswer } from '@flux/contract/restore';
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
  if (tablesCompared > 0)
    fields.push([
      'Compared',
      `${compared}; ${answer.exceptions.length === 0 ? 'nothing differs from what was dumped' : 'all of it equals what was dumped'}`,
    ]);
  for (const { table, as } of answer.tables ?? []) fields.push([table, `restored as ${as}, next to the live one`]);
  if (answer.outageMs !== null) fields.push(['Outage', `${answer.outageMs} ms`]);
  if (answer.previousKeptAs !== null) fields.push(['Replaced', `kept as ${answer.previousKeptAs}${keptUntilText(answer, now)}`]);
  if (answer.presentBackupId !== null) fields.push(['Safety backup', answer.presentBackupId]);
  return [
    `✓ ${SENTENCES[how].replace('%', name)}`,
    ...formatFields(fields),
    ...answer.notes.map((note) => `Note: ${note}`),
    ...describeDifferences(answer.exceptions),
  ];
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
