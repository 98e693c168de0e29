import { FluxError } from '@flux/contract/errors';
import type { BackupRow } from '../catalog/backups.ts';

/** Refuses a backup whose file was removed on purpose. @throws FluxError `artifact_gone` with who removed it and when */
export function requirePresent(row: BackupRow, hint: string): void {
  if (row.removed_at === null) return;
  const at = row.removed_at.toISOString();
  throw new FluxError('artifact_gone', `The file of backup ${row.id} was removed by ${row.removed_by} at ${at}.`, {
    hint,
    details: { removedBy: row.removed_by, removedAt: at },
  });
}
