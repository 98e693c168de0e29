import { type Kysely, sql } from 'kysely';

/** Why a backup was taken: a restore of the latest one must not mean the copy of what a restore has just replaced. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
}

const STATEMENTS = [
  `set constraints all immediate`,
  `alter table backups add column origin text not null default 'requested' check (origin in ('requested', 'safety'))`,
  `update backups set origin = 'safety' from operations o where o.id = backups.operation_id and o.kind <> 'backup_create'`,
];
