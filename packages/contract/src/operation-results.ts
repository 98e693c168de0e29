import * as z from 'zod';
import { BackupAnswer, VerificationProof } from './backup.ts';
import { MigrateAnswer } from './migrate.ts';
import type { OperationKind } from './operation-kind.ts';
import { PushAnswer, ResetAnswer } from './project.ts';
import { RestoreAnswer } from './restore.ts';

/** The `result` of a successful operation, by kind. What is recorded, parsed and typed comes from this table. */
export const OPERATION_RESULTS = {
  backup_create: BackupAnswer,
  backup_import: BackupAnswer,
  backup_verify: z.object({ proof: VerificationProof }),
  backup_restore: RestoreAnswer,
  backup_delete: BackupAnswer,
  push: PushAnswer,
  migrate: MigrateAnswer,
  migrate_clean_up: z.object({}),
  nuke: z.object({ hash: z.string(), removed: z.literal(true) }),
  reset: ResetAnswer,
  /** Names of the databases or schemas that were removed. */
  undo_expire: z.object({ removed: z.array(z.string()) }),
} as const satisfies Record<OperationKind, z.ZodType>;

/** The result of an operation of this kind. */
export type OperationResult<K extends OperationKind> = z.infer<(typeof OPERATION_RESULTS)[K]>;
