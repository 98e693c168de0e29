import { type Kysely, sql } from 'kysely';

/** What a project does with a push that destroys data while its newest backup is not proven. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table projects add column push_policy text not null default 'ask' check (push_policy in ('ask', 'refuse'))`.execute(db);
}
