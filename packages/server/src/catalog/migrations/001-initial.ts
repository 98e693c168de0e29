import { type Kysely, sql } from 'kysely';

/**
 * The first shape of the catalog. Everything that must be true is a constraint here, so that no defect of ours and no second
 * server can make it false.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
}

const STATEMENTS = [
  `create table users (
    id uuid primary key,
    name text not null unique,
    created_at timestamptz not null default now()
  )`,
  `create table workers (
    id uuid primary key,
    lock_key integer generated always as identity unique,
    started_at timestamptz not null default now(),
    host text not null,
    pid integer not null
  )`,
  `create table projects (
    id uuid primary key,
    owner_id uuid not null references users,
    slug text not null check (slug ~ '^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$'),
    hash text not null unique check (hash ~ '^[0-9a-f]{7}$'),
    engine text not null check (engine in ('v1_dedicated', 'v2_shared')),
    attached boolean not null default false,
    lifecycle text not null check (lifecycle in ('creating', 'active', 'removing', 'removed')),
    sealed_secrets bytea not null,
    -- The worker that creates it: when that worker is dead, the incomplete project is removed.
    worker_id uuid references workers,
    created_at timestamptz not null default now(),
    removed_at timestamptz,
    check (lifecycle <> 'creating' or worker_id is not null),
    check (not attached or engine = 'v1_dedicated'),
    check ((lifecycle = 'removed') = (removed_at is not null))
  )`,
  // A removed project keeps its hash for ever, but its name may be used again.
  `create unique index projects_live_slug on projects (slug) where lifecycle <> 'removed'`,
  `create table tokens (
    id uuid primary key,
    user_id uuid not null references users,
    name text not null,
    sha256 text not null unique check (sha256 ~ '^[0-9a-f]{64}$'),
    access text not null check (access in ('read', 'write', 'admin')),
    all_projects boolean not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz,
    last_used_at timestamptz,
    revoked_at timestamptz
  )`,
  `create table token_projects (
    token_id uuid not null references tokens on delete cascade,
    project_id uuid not null references projects,
    primary key (token_id, project_id)
  )`,
  `create table backups (
    id uuid primary key,
    seq bigint generated always as identity unique,
    project_id uuid not null references projects,
    kind text not null check (kind in ('project_db', 'tenant_export')),
    engine text not null check (engine in ('v1_dedicated', 'v2_shared')),
    status text not null check (status in ('queued', 'running', 'complete', 'failed')),
    note text,
    created_at timestamptz not null,
    completed_at timestamptz,
    failure text,
    size_bytes bigint check (size_bytes > 0),
    sha256 text check (sha256 ~ '^[0-9a-f]{64}$'),
    manifest_sha256 text check (manifest_sha256 ~ '^[0-9a-f]{64}$'),
    relative_path text,
    postgres_version text,
    tables_total integer,
    rows_total bigint,
    artifact_validation text not null default 'pending' check (artifact_validation in ('pending', 'artifact_valid', 'artifact_invalid')),
    artifact_validated_at timestamptz,
    artifact_validation_error text,
    restore_verification text not null default 'pending' check (restore_verification in ('pending', 'restore_verified', 'restore_failed', 'skipped')),
    restore_verified_at timestamptz,
    restore_verification_error text,
    verified_sha256 text,
    last_problem text,
    last_problem_at timestamptz,
    pinned boolean not null default false,
    expires_at timestamptz,
    removed_at timestamptz,
    removed_by text,
    check ((kind = 'project_db') = (engine = 'v1_dedicated')),
    check (status <> 'complete' or (size_bytes is not null and sha256 is not null and manifest_sha256 is not null
      and relative_path is not null and completed_at is not null)),
    check (status <> 'failed' or failure is not null),
    check (artifact_validation <> 'artifact_valid' or status = 'complete'),
    check ((artifact_validation = 'pending') = (artifact_validated_at is null)),
    -- The green label: only on a complete, valid artifact, and only for the very bytes that were restored.
    check (restore_verification <> 'restore_verified'
      or (status = 'complete' and artifact_validation = 'artifact_valid' and restore_verified_at is not null and verified_sha256 = sha256)),
    check (restore_verification <> 'restore_failed' or restore_verification_error is not null),
    check ((removed_at is null) = (removed_by is null))
  )`,
  `create index backups_newest on backups (project_id, seq desc)`,
  `create table backup_manifests (
    backup_id uuid primary key references backups,
    sha256 text not null,
    manifest text not null
  )`,
  `create table verifications (
    id uuid primary key,
    backup_id uuid not null references backups,
    verdict text not null check (verdict in ('restorable', 'failed', 'inconclusive')),
    proof jsonb not null,
    started_at timestamptz not null,
    finished_at timestamptz not null
  )`,
  `create index verifications_of_backup on verifications (backup_id, finished_at desc)`,
  `create table operations (
    id uuid primary key,
    project_id uuid not null references projects,
    kind text not null check (kind in ('backup_create', 'backup_verify', 'push', 'backup_restore', 'migrate', 'nuke', 'reset')),
    state text not null check (state in ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
    backup_id uuid references backups,
    requested_by uuid references tokens,
    request jsonb not null default '{}',
    progress jsonb,
    result jsonb,
    error jsonb,
    cancel_requested_at timestamptz,
    worker_id uuid references workers,
    created_at timestamptz not null,
    started_at timestamptz,
    finished_at timestamptz,
    check (state <> 'running' or (worker_id is not null and started_at is not null)),
    check ((state in ('succeeded', 'failed', 'cancelled')) = (finished_at is not null)),
    check (state not in ('failed', 'cancelled') or error is not null)
  )`,
  // Invariant 8: two operations of one project never run at once, whatever any code believes.
  `create unique index operations_one_at_a_time on operations (project_id) where state in ('queued', 'running')`,
  `create index operations_unfinished on operations (state) where state in ('queued', 'running')`,
  `create table operation_events (
    operation_id uuid not null references operations on delete cascade,
    seq integer not null,
    at timestamptz not null default now(),
    kind text not null check (kind in ('progress', 'state')),
    data jsonb not null,
    primary key (operation_id, seq)
  )`,
  `create table audit_events (
    id bigint generated always as identity primary key,
    at timestamptz not null default now(),
    user_id uuid references users,
    token_id uuid references tokens,
    action text not null,
    project_id uuid references projects,
    subject text,
    details jsonb not null default '{}'
  )`,
  `create table idempotency_keys (
    token_id uuid not null references tokens,
    key text not null check (length(key) between 1 and 200),
    request_sha256 text not null,
    status integer,
    -- Answers may hold a new token or password, so they are sealed like every other secret.
    sealed_body bytea,
    location text,
    created_at timestamptz not null default now(),
    primary key (token_id, key)
  )`,
  `create table signing_keys (
    id text primary key,
    public_key text not null,
    sealed_private_key bytea not null,
    created_at timestamptz not null default now(),
    retired_at timestamptz
  )`,
  // One key signs at a time; the retired ones stay, so that what they signed can be checked.
  `create unique index signing_keys_one_active on signing_keys ((true)) where retired_at is null`,
  `create table receipts (
    verification_id uuid primary key references verifications,
    project_id uuid not null references projects,
    seq bigint not null,
    sha256 text not null unique check (sha256 ~ '^[0-9a-f]{64}$'),
    previous_sha256 text,
    envelope jsonb not null,
    created_at timestamptz not null default now(),
    unique (project_id, seq),
    check ((seq = 1) = (previous_sha256 is null))
  )`,
];
