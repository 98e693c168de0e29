import type { OperationKind } from '@flux/contract/operation-kind';
import { backupCreate, type CreateDeps } from '../backups/create.ts';
import { backupImport } from '../backups/import/request.ts';
import type { ImportDeps } from '../backups/import/run.ts';
import { backupDelete } from '../backups/keep.ts';
import type { RestoreToDeps } from '../backups/restore/to.ts';
import { backupVerify } from '../backups/verify/request.ts';
import type { VerifyDeps } from '../backups/verify/run.ts';
import { type BoundOperation, bindOperation } from '../operations/define.ts';
import { migrateCleanUp } from '../projects/migrate/clean-up.ts';
import { type MigrateDeps, migrate } from '../projects/migrate.ts';
import { nuke } from '../projects/nuke.ts';
import { pushOperation } from '../projects/push.ts';
import type { RecordProjectDeps } from '../projects/record.ts';
import { reset } from '../projects/reset.ts';
import type { StagingDeps } from '../projects/restore/staging.ts';
import { backupRestore, type RestoreDeps } from '../projects/restore.ts';
import { type ExpireUndoDeps, undoExpire } from '../projects/undo/expire.ts';

/** What the work of all operations together uses. */
export type OperationParts = CreateDeps & ImportDeps & VerifyDeps & RestoreToDeps & RecordProjectDeps & ExpireUndoDeps & StagingDeps;

/** Every kind of operation that can be found unfinished in the catalog, bound to what its work uses. */
export function composeOperations(parts: OperationParts): ReadonlyMap<OperationKind, BoundOperation> {
  const { catalog, engines, log } = parts;
  const safetyBackup = { create: parts, verify: parts };
  const restores: RestoreDeps = {
    inPlace: { engines, artifacts: parts, safetyBackup, staging: parts, swap: parts },
    into: { artifacts: parts, project: parts, staging: parts },
    tables: parts,
    to: parts,
    undo: parts,
  };
  const migration: MigrateDeps = { catalog, engines, artifacts: parts, safetyBackup, staging: parts, log };
  const bound = [
    bindOperation(backupCreate, parts),
    bindOperation(backupImport, parts),
    bindOperation(backupVerify, parts),
    bindOperation(backupDelete, parts),
    bindOperation(backupRestore, restores),
    bindOperation(migrate, migration),
    bindOperation(migrateCleanUp, parts),
    bindOperation(nuke, parts),
    // To end it, never to run it.
    bindOperation(pushOperation, { engines, push: null, requirePolicy: null }),
    bindOperation(reset, parts),
    bindOperation(undoExpire, parts),
  ];
  return new Map(bound.map((operation) => [operation.kind, operation]));
}
