import { type Kysely, sql } from 'kysely';

/** Undo data is removed when it has expired, by an operation of its own kind. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table operations drop constraint operations_kind_check`.execute(db);
  await sql`alter table operations add constraint operations_kind_check
    check (kind in ('backup_create', 'backup_verify', 'push', 'backup_restore', 'migrate', 'nuke', 'reset', 'kept_expire'))`.execute(db);
}
