import type { Changes } from '@flux/contract/gate';
import { formatCount, formatCounted } from '../output/quantity.ts';
import { formatAge, formatTime } from '../output/time.ts';
import type { GateReply } from './gate.ts';

/** Describes what would be left and what would be lost: the proven backup, its age, and what has changed since. */
export function describeStake(reply: GateReply, now: Date): string[] {
  if ('unknown' in reply) return [`The age of the proof is unknown: ${reply.unknown}`];
  const { proof } = reply;
  if (proof === null) return ['Proven backup: none. There is no certain way to restore this.'];
  const age = `restored and compared ${formatAge(new Date(proof.verifiedAt), now)}`;
  const notNewest = proof.backupId === reply.backupId ? '' : '; it is not the newest backup';
  return [
    `Proven backup: ${proof.backupId} of ${formatTime(proof.takenAt, now)}; ${age}${notNewest}`,
    `Changed since: ${describeChanges(proof.changes)}`,
  ];
}

/** What has changed since a backup, by the counters of Postgres. */
function describeChanges(changes: Changes): string {
  if (!changes.known) return `unknown, because ${changes.why}`;
  const { rowsInserted, rowsUpdated, rowsDeleted, tablesCreated, tablesDropped, tablesRewritten } = changes;
  const rows =
    rowsInserted + rowsUpdated + rowsDeleted === 0
      ? []
      : [`about ${formatCounted(rowsInserted, 'row')} inserted, ${formatCount(rowsUpdated)} updated, ${formatCount(rowsDeleted)} deleted`];
  const tables = (
    [
      [tablesCreated, 'created'],
      [tablesDropped, 'dropped'],
      [tablesRewritten, 'emptied or rewritten'],
    ] as const
  ).flatMap(([number, what]) => (number === 0 ? [] : [`${formatCounted(number, 'table')} ${what}`]));
  const parts = [...rows, ...tables];
  return parts.length === 0 ? 'nothing that Postgres has counted' : `${parts.join('; ')} (as Postgres counts)`;
}
