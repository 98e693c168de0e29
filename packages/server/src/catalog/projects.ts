import type { ProjectHash, ProjectId, UserId } from '@flux/contract/ids';
import type { ExpressionBuilder, Insertable, Selectable } from 'kysely';
import type { Database, DatabaseTransaction } from './open.ts';
import { toStoredJson } from './stored-json.ts';
import type { CatalogTables, MigrationState, ProjectsTable } from './tables.ts';

/** A row of `projects`; its secrets are sealed. */
export type ProjectRow = Selectable<ProjectsTable>;

export async function insertProject(db: Database, row: Insertable<ProjectsTable>): Promise<ProjectRow> {
  return db.insertInto('projects').values(row).returningAll().executeTakeFirstOrThrow();
}

/** The project with this hash, removed ones included. */
export async function findProjectByHash(db: Database, hash: ProjectHash): Promise<ProjectRow | undefined> {
  return db.selectFrom('projects').selectAll().where('hash', '=', hash).executeTakeFirst();
}

export async function findProjectById(db: Database, id: ProjectId): Promise<ProjectRow | undefined> {
  return db.selectFrom('projects').selectAll().where('id', '=', id).executeTakeFirst();
}

/** The project that has this name now. */
export async function findProjectBySlug(db: Database, slug: string): Promise<ProjectRow | undefined> {
  return db.selectFrom('projects').selectAll().where('slug', '=', slug).where('lifecycle', '<>', 'removed').executeTakeFirst();
}

/** Which projects somebody may know of: those of one user, or only some of them. */
export interface Visibility {
  readonly ownerId: UserId;
  readonly only: readonly ProjectId[] | null;
}

/** Where a page of projects begins: behind this project. */
export type ProjectCursor = { readonly slug: string } | { readonly removedAt: Date; readonly id: ProjectId };

/** Projects that somebody may see, by slug; removed ones, whose slugs may be taken again, by newest removal first. */
export async function listVisibleProjects(
  db: Database,
  { ownerId, only }: Visibility,
  lifecycles: readonly ProjectRow['lifecycle'][],
  page: { readonly limit?: number; readonly after?: ProjectCursor | undefined } = {},
): Promise<readonly ProjectRow[]> {
  if (only?.length === 0) return [];
  let query = db.selectFrom('projects').selectAll().where('owner_id', '=', ownerId).where('lifecycle', 'in', lifecycles);
  if (only !== null) query = query.where('id', 'in', only);
  const { limit, after } = page;
  if (after !== undefined)
    query =
      'slug' in after
        ? query.where('slug', '>', after.slug)
        : query.where((where) =>
            where.or([
              where('removed_at', '<', after.removedAt),
              where.and([where('removed_at', '=', after.removedAt), where('id', '>', after.id)]),
            ]),
          );
  if (limit !== undefined) query = query.limit(limit);
  const ordered = query.orderBy('removed_at', (order) => order.desc().nullsFirst());
  return (lifecycles.includes('removed') ? ordered.orderBy('id') : ordered.orderBy('slug')).execute();
}

/** Says that a project is complete. @returns false when it was removed meanwhile by a server that took its creator for dead */
export async function activateProject(db: Database, id: ProjectId): Promise<boolean> {
  const activated = await db
    .updateTable('projects')
    .set({ lifecycle: 'active' })
    .where('id', '=', id)
    .where('lifecycle', '=', 'creating')
    .executeTakeFirstOrThrow();
  return activated.numUpdatedRows === 1n;
}

/** Begins the removal of a project on somebody's request. It belongs to an operation, and to no worker as an incomplete one does. */
export async function markProjectRemoving(db: Database, id: ProjectId): Promise<void> {
  await db.updateTable('projects').set({ lifecycle: 'removing', worker_id: null }).where('id', '=', id).execute();
}

/**
 * Begins the removal of an incomplete project: from here on it cannot become live, and belongs to this worker. Throws when it was removed before
 * and another project has its name by now.
 */
export async function claimIncompleteProject(db: DatabaseTransaction, id: ProjectId, workerId: string): Promise<void> {
  await db.updateTable('projects').set({ lifecycle: 'removing', removed_at: null, worker_id: workerId }).where('id', '=', id).execute();
}

/** Replaces the sealed secrets, all of them, and which part of the database is backed up. */
export async function setAttachment(
  db: Database,
  id: ProjectId,
  { sealed, scope }: { readonly sealed: Buffer; readonly scope: object | null },
): Promise<void> {
  const stored = scope === null ? null : toStoredJson(scope);
  await db.updateTable('projects').set({ sealed_secrets: sealed, scope: stored }).where('id', '=', id).execute();
}

export async function setPushPolicy(db: Database, id: ProjectId, policy: ProjectRow['push_policy']): Promise<void> {
  await db.updateTable('projects').set({ push_policy: policy }).where('id', '=', id).execute();
}

/** Keeps the row under its hash; the name is free again. */
export async function markProjectRemoved(db: Database, id: ProjectId, now: Date): Promise<void> {
  await db.updateTable('projects').set({ lifecycle: 'removed', removed_at: now, migration_state: null }).where('id', '=', id).execute();
}

/** Begins to bring a removed project back. Undefined when it is not removed. Throws when another one has its name by now. */
export async function reviveProject(db: Database, id: ProjectId, workerId: string): Promise<ProjectRow | undefined> {
  return db
    .updateTable('projects')
    .set({ lifecycle: 'creating', removed_at: null, worker_id: workerId })
    .where('id', '=', id)
    .where('lifecycle', '=', 'removed')
    .returningAll()
    .executeTakeFirst();
}

/** Projects whose data is in use. */
export async function listLiveProjects(db: Database): Promise<readonly ProjectRow[]> {
  return db.selectFrom('projects').selectAll().where('lifecycle', '=', 'active').where('attached', '=', false).orderBy('slug').execute();
}

/** Makes a project live in an engine, whatever the catalog said of it. */
export async function adoptProject(
  db: DatabaseTransaction,
  id: ProjectId,
  identity: Pick<ProjectRow, 'owner_id' | 'slug' | 'hash' | 'engine' | 'sealed_secrets' | 'created_at' | 'migration_state'>,
): Promise<void> {
  await db
    .updateTable('projects')
    .set({ ...identity, lifecycle: 'active', removed_at: null })
    .where('id', '=', id)
    .execute();
}

/** The row of a project that is known by its backups only. */
export async function insertRemovedProject(
  db: DatabaseTransaction,
  row: Pick<ProjectRow, 'id' | 'slug' | 'hash' | 'owner_id' | 'engine' | 'sealed_secrets'> & { readonly removed_at: Date },
): Promise<void> {
  await db
    .insertInto('projects')
    .values({ ...row, attached: false, lifecycle: 'removed', worker_id: null, created_at: row.removed_at })
    .execute();
}

/** Projects whose removal has begun and not ended. One with a `worker_id` is incomplete, and being removed by that worker if it lives. */
export async function listRemovingProjects(db: Database): Promise<readonly ProjectRow[]> {
  return db.selectFrom('projects').selectAll().where('lifecycle', '=', 'removing').orderBy('slug').execute();
}

/** Active projects of which a restore or a reset may have replaced data at some time. */
export async function listRestoredProjects(db: Database): Promise<readonly ProjectRow[]> {
  return db
    .selectFrom('projects')
    .selectAll()
    .where('lifecycle', '=', 'active')
    .where('id', 'in', (operations) =>
      operations.selectFrom('operations').select('project_id').where('kind', 'in', ['backup_restore', 'reset']),
    )
    .orderBy('slug')
    .execute();
}

/** Tables with rows of a project that must outlive it, or that the database does not let go before it. */
const HISTORY = ['backups', 'operations', 'audit_events', 'outbox', 'token_projects'] as const;

function hasNoHistory({ and, not, exists, selectFrom }: ExpressionBuilder<CatalogTables, 'projects'>) {
  return and(HISTORY.map((table) => not(exists(selectFrom(table).select('project_id').whereRef('project_id', '=', 'projects.id')))));
}

/**
 * Deletes the row of a claimed project that was never created completely, unless other rows refer to it: those of its backups, or what was
 * recorded by a commit whose answer was lost.
 *
 * @returns whether it was deleted; one that was not is to be marked removed
 */
export async function deleteIncompleteProject(db: Database, id: ProjectId): Promise<boolean> {
  const { numDeletedRows } = await db
    .deleteFrom('projects')
    .where('id', '=', id)
    .where('lifecycle', '=', 'removing')
    .where(hasNoHistory)
    .executeTakeFirstOrThrow();
  return numDeletedRows === 1n;
}

/**
 * Projects that are being created or restored, with the lock key of the worker that does it, and those that a worker has begun to remove because
 * they were never complete. A removal that somebody has requested has a history.
 */
export async function listIncompleteProjects(db: Database): Promise<readonly (ProjectRow & { readonly lockKey: number })[]> {
  return db
    .selectFrom('projects')
    .innerJoin('workers', 'workers.id', 'projects.worker_id')
    .selectAll('projects')
    .select('workers.lock_key as lockKey')
    .where((where) =>
      where.or([where('lifecycle', '=', 'creating'), where.and([where('lifecycle', '=', 'removing'), hasNoHistory(where)])]),
    )
    .execute();
}

export async function setMigrationState(db: Database, id: ProjectId, state: MigrationState | null): Promise<void> {
  await db.updateTable('projects').set({ migration_state: state }).where('id', '=', id).execute();
}

/** Moves a project to the dedicated engine, which has its copy. False when it is not being copied any more. */
export async function flipEngine(db: Database, id: ProjectId, state: 'source_kept' | 'dropping_source'): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('projects')
    .set({ engine: 'v1_dedicated', migration_state: state })
    .where('id', '=', id)
    .where('engine', '=', 'v2_shared')
    .where('migration_state', '=', 'copying')
    .where('lifecycle', '=', 'active')
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

/**
 * The row as the last transaction that touched it has left it: one whose end nobody has seen is waited for. Rows that refer to the project
 * can still be written.
 */
export async function lockProject(db: DatabaseTransaction, id: ProjectId): Promise<ProjectRow | undefined> {
  return db.selectFrom('projects').selectAll().where('id', '=', id).forNoKeyUpdate().executeTakeFirst();
}

/** Makes deletions of one project's backups wait for each other, and nothing else: rows that refer to the project can still be written. */
export async function awaitOtherDeletions(db: DatabaseTransaction, id: ProjectId): Promise<void> {
  await db.selectFrom('projects').select('id').where('id', '=', id).forNoKeyUpdate().executeTakeFirst();
}

/** Projects whose migration was interrupted: its state says it is under way, and no operation of the project is. */
export async function listInterruptedMigrations(db: Database): Promise<readonly ProjectRow[]> {
  return db
    .selectFrom('projects')
    .selectAll()
    .where('migration_state', 'in', ['copying', 'dropping_source'])
    .where('lifecycle', '=', 'active')
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('operations')
            .select('operations.id')
            .whereRef('operations.project_id', '=', 'projects.id')
            .where('operations.state', 'in', ['queued', 'running']),
        ),
      ),
    )
    .execute();
}
