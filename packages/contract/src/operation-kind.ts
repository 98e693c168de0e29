import * as z from 'zod';

/** What an operation does. */
export const OperationKind = z.enum([
  'backup_create',
  /** Restores an uploaded archive in a sandbox and records what it holds. */
  'backup_import',
  'backup_verify',
  'push',
  'backup_restore',
  'migrate',
  'nuke',
  'reset',
  'backup_delete',
  /** Removal of the undo data of a restore in place, when its time is over. */
  'undo_expire',
  /** Brings a project whose migration was cut off back to one engine. */
  'migrate_clean_up',
]);
/** What an operation does. */
export type OperationKind = z.infer<typeof OperationKind>;

/** What each kind is called at the beginning of a sentence. */
export const OPERATION_TITLES: Readonly<Record<OperationKind, string>> = {
  backup_create: 'A backup',
  backup_import: 'An import',
  backup_verify: 'A verification',
  backup_restore: 'A restore',
  backup_delete: 'A deletion',
  push: 'A push',
  migrate: 'A migration to another engine',
  migrate_clean_up: 'The clean-up of an interrupted migration',
  nuke: 'The removal',
  reset: 'A reset',
  undo_expire: 'The removal of expired undo data',
};
