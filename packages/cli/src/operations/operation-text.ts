import type { OperationAnswer } from '@flux/contract/operation';
import { OPERATION_TITLES } from '@flux/contract/operation-kind';
import { formatFields } from '../output/table.ts';
import { formatTime } from '../output/time.ts';

/** An operation for people. */
export function describeOperation(operation: OperationAnswer, now: Date): string[] {
  const time = (iso: string | null): string | null => (iso === null ? null : formatTime(iso, now));
  return formatFields([
    ['Operation', operation.id],
    ['What', OPERATION_TITLES[operation.kind]],
    ['Project', `${operation.projectSlug} (${operation.projectHash})`],
    ['Backup', operation.backupId],
    ['State', operation.state],
    ['Progress', operation.state === 'running' ? (operation.progress?.message ?? null) : null],
    ['Created', time(operation.createdAt)],
    ['Finished', time(operation.finishedAt)],
  ]);
}
