import { type Kysely, sql } from 'kysely';

/**
 * Where the bytes of a backup are: one row for each store that has, or had, a copy. `backups.size_bytes` and `backups.sha256` are those
 * of the content; a copy has those of the bytes as they are stored, which differ where a store encrypts or compresses.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
}

const STATEMENTS = [
  // All migrations share one transaction, and Postgres alters no table that has deferred checks waiting, as 005 leaves them.
  `set constraints all immediate`,
  `create table copies (
    backup_id uuid not null references backups on delete cascade,
    store text not null,
    key text not null,
    stored_size_bytes bigint not null check (stored_size_bytes > 0),
    stored_sha256 text not null check (stored_sha256 ~ '^[0-9a-f]{64}$'),
    -- What was found last; a local volume is asked anew for each answer, a remote store is not.
    state text not null check (state in ('present', 'missing', 'damaged', 'removed')),
    problem text,
    created_at timestamptz not null,
    -- When the bytes were last read to their end, or looked for in vain.
    checked_at timestamptz,
    primary key (backup_id, store),
    unique (store, key),
    check ((problem is not null) = (state in ('missing', 'damaged')))
  )`,
  `insert into copies (backup_id, store, key, stored_size_bytes, stored_sha256, state, problem, created_at, checked_at)
    select id, 'local', relative_path, size_bytes, sha256,
      case when removed_at is not null then 'removed' when artifact_validation = 'artifact_invalid' then 'damaged' else 'present' end,
      case when removed_at is null and artifact_validation = 'artifact_invalid' then coalesce(artifact_validation_error, 'The artifact is not valid.') end,
      completed_at, coalesce(bytes_read_at, artifact_validated_at)
    from backups where status = 'complete'`,
  // Dropping the column drops the constraint that names it.
  `alter table backups drop column relative_path`,
  `alter table backups add constraint backups_complete_has_content check (status <> 'complete'
    or (size_bytes is not null and sha256 is not null and manifest_sha256 is not null and completed_at is not null))`,
];
