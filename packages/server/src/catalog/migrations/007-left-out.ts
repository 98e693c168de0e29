import { type Kysely, sql } from 'kysely';

/** What a restore of a backup does not bring back, as it was recorded with the backup and by its newest verification. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table backups add column left_out jsonb not null default '[]'`.execute(db);
}
