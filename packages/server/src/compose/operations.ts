import type { OperationKind } from '@flux/contract/operation';
import { backupCreate } from '../backups/create.ts';
import { backupDelete } from '../backups/keep.ts';
import { backupVerify } from '../backups/verify/request.ts';
import { type BoundOperation, bindOperation } from '../operations/define.ts';
import { migrate } from '../projects/migrate/run.ts';
import { migrateCleanUp } from '../projects/migrate/take-back.ts';
import { nuke } from '../projects/nuke.ts';
import { reset } from '../projects/reset.ts';
import { undoExpire } from '../projects/restore/expire.ts';
import type { RestoreDoors } from '../projects/restore/into-staging.ts';
import { backupRestore } from '../projects/restore/run.ts';

/**
 * Every kind of operation that can be found unfinished in the catalog, bound to what its work uses. A push is not here: its SQL is
 * only in the request that asked for it.
 */
export function composeOperations(doors: RestoreDoors): ReadonlyMap<OperationKind, BoundOperation> {
  const { backups, projects } = doors;
  const bound = [
    bindOperation(backupCreate, backups),
    bindOperation(backupVerify, backups),
    bindOperation(backupDelete, backups),
    bindOperation(backupRestore, doors),
    bindOperation(migrate, doors),
    bindOperation(migrateCleanUp, projects),
    bindOperation(nuke, doors),
    bindOperation(reset, doors),
    bindOperation(undoExpire, projects),
  ];
  return new Map(bound.map((operation) => [operation.kind, operation]));
}
