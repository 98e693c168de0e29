import { type Kysely, sql } from 'kysely';

/** Which installation the catalog belongs to, where each worker's data folder is, and which servers can read it. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
}

const STATEMENTS = [
  `create table installation (
    single boolean primary key default true check (single),
    key_fingerprint text not null,
    home uuid not null,
    volume uuid,
    created_at timestamptz not null default now()
  )`,
  `create table schema_version (
    single boolean primary key default true check (single),
    version integer not null,
    readable_by integer not null
  )`,
  'alter table workers add column home uuid',
];
