import { type Kysely, sql } from 'kysely';

/** What a project may use where that is not the setting of the server, and how large its database was when it was last measured. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table projects add column quota jsonb not null default '{}', add column measured_bytes bigint, add column measured_at timestamptz`.execute(
    db,
  );
  await sql`create index operations_of_project on operations (project_id, created_at)`.execute(db);
}
