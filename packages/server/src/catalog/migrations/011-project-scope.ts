import { type Kysely, sql } from 'kysely';

/** Which part of an attached database is backed up; null for all of it. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table projects add column scope jsonb check (scope is null or attached)`.execute(db);
}
