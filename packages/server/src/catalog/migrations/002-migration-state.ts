import { type Kysely, sql } from 'kysely';

/**
 * What a project has outside of its engine while, and after, it moves from the pool to a server of its own: a dedicated copy
 * that is being created or that waits for inspection, or the pooled schema that it has left.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table projects add column migration_state text
    check (migration_state in ('copying', 'staged', 'source_kept', 'dropping_source'))`.execute(db);
  await sql`alter table projects add constraint projects_migration_side check (migration_state is null
    or (engine = 'v2_shared') = (migration_state in ('copying', 'staged')))`.execute(db);
  await sql`alter table projects add constraint projects_migration_ends check (migration_state is null or lifecycle in ('active', 'removing'))`.execute(
    db,
  );
}
