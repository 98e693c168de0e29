import { type Kysely, sql } from 'kysely';

/** Backups that were made elsewhere and brought in as a file: they say nothing about the data of their project. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
}

const STATEMENTS = [
  `alter table backups drop constraint backups_origin_check`,
  `alter table backups add constraint backups_origin_check check (origin in ('requested', 'safety', 'imported'))`,
  `alter table operations drop constraint operations_kind_check`,
  `alter table operations add constraint operations_kind_check check (kind in ('backup_create', 'backup_import', 'backup_verify',
    'backup_restore', 'backup_delete', 'push', 'migrate', 'migrate_clean_up', 'nuke', 'reset', 'undo_expire'))`,
];
