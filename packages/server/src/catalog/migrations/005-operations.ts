import { type Kysely, sql } from 'kysely';

/**
 * An operation excludes others from what it touches: its project, or only its backup, so that a push never waits for a
 * verification. A backup names the operation that created it. The end of an operation leaves a row in the outbox.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
}

const STATEMENTS = [
  `alter table operations drop constraint operations_kind_check`,
  `update operations set kind = 'undo_expire' where kind = 'kept_expire'`,
  `alter table operations add constraint operations_kind_check check (kind in ('backup_create', 'backup_verify', 'backup_restore',
    'backup_delete', 'push', 'migrate', 'migrate_clean_up', 'nuke', 'reset', 'undo_expire'))`,

  `alter table operations add column touches text not null default 'project' check (touches in ('project', 'backup'))`,
  `update operations set touches = 'backup' where kind = 'backup_verify' and backup_id is not null`,
  `alter table operations alter column touches drop default`,
  `alter table operations add constraint operations_touch_a_backup check (touches <> 'backup' or backup_id is not null)`,
  // Invariant 8: two operations never touch the same thing at once, whatever any code believes.
  `drop index operations_one_at_a_time`,
  `create unique index operations_one_per_project on operations (project_id) where touches = 'project' and state in ('queued', 'running')`,
  `create unique index operations_one_per_backup on operations (backup_id) where touches = 'backup' and state in ('queued', 'running')`,

  // How often a worker has begun it: an operation that ends its workers must not be begun for ever.
  `alter table operations add column attempts integer not null default 0`,
  `create index operations_of_worker on operations (worker_id) where state = 'running'`,

  `alter table backups add column operation_id uuid`,
  `update backups b set operation_id = (
     select o.id from operations o where o.project_id = b.project_id
       and (o.kind = 'backup_create' and o.backup_id = b.id
         or o.kind in ('backup_restore', 'migrate') and o.started_at <= b.created_at and coalesce(o.finished_at, 'infinity') >= b.created_at)
     order by o.backup_id is not distinct from b.id desc limit 1)`,
  // Deferred, because an operation that creates a backup and the backup name each other. Added after the rows have got it: a table with
  // deferred checks pending cannot be altered.
  `alter table backups add constraint backups_operation_id_fkey foreign key (operation_id) references operations deferrable initially deferred`,
  `create index backups_of_operation on backups (operation_id)`,
  `alter table backups add column bytes_read_at timestamptz`,

  `create table outbox (
    id bigint generated always as identity primary key,
    at timestamptz not null,
    topic text not null check (topic in ('operation_ended')),
    project_id uuid references projects,
    operation_id uuid references operations on delete cascade,
    payload jsonb not null
  )`,
];
