import { type Kysely, sql } from 'kysely';

/** An operation that took longer than its slot may be kept while others wait is queued again, for the slots of slower work. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table operations add column pace text check (pace in ('medium', 'long'))`.execute(db);
  // How long the one before it took decides which slots an operation waits for.
  await sql`create index operations_by_pace on operations (project_id, kind, finished_at desc) where state in ('succeeded', 'failed')`.execute(
    db,
  );
}
