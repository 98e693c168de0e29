import { type Kysely, sql } from 'kysely';

/** Where the project's counters of changes stood when a backup was taken; apart from the row, because a list of backups needs none of it. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`create table backup_change_marks (
    backup_id uuid primary key references backups on delete cascade,
    marks jsonb not null
  )`.execute(db);
}
