import type { ProjectHash, ProjectId } from '@flux/contract/ids';
import type { Insertable, Selectable } from 'kysely';
import type { Database } from './open.ts';
import type { ProjectsTable } from './tables.ts';

/** A project as the catalog holds it; its secrets are sealed. */
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

/** Every project that has not been removed, by slug. */
export async function listProjects(db: Database): Promise<readonly ProjectRow[]> {
  return db.selectFrom('projects').selectAll().where('lifecycle', '<>', 'removed').orderBy('slug').execute();
}

export async function setProjectLifecycle(db: Database, id: ProjectId, lifecycle: 'active' | 'removing'): Promise<void> {
  await db.updateTable('projects').set({ lifecycle }).where('id', '=', id).execute();
}

/** Keeps the row under its hash; the name is free again. */
export async function markProjectRemoved(db: Database, id: ProjectId, now: Date): Promise<void> {
  await db.updateTable('projects').set({ lifecycle: 'removed', removed_at: now }).where('id', '=', id).execute();
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

/** Every project that has been removed, newest removal first. */
export async function listRemovedProjects(db: Database): Promise<readonly ProjectRow[]> {
  return db.selectFrom('projects').selectAll().where('lifecycle', '=', 'removed').orderBy('removed_at', 'desc').execute();
}

/** Forgets a project that never came to life; one with a history is marked removed instead, by its own path. */
export async function deleteUnbornProject(db: Database, id: ProjectId): Promise<void> {
  await db.deleteFrom('projects').where('id', '=', id).where('lifecycle', '=', 'creating').execute();
}

/** Projects that are being made, with the lock key of the worker that makes them. */
export async function listUnbornProjects(db: Database): Promise<readonly (ProjectRow & { readonly lockKey: number })[]> {
  return db
    .selectFrom('projects')
    .innerJoin('workers', 'workers.id', 'projects.worker_id')
    .selectAll('projects')
    .select('workers.lock_key as lockKey')
    .where('lifecycle', '=', 'creating')
    .execute();
}
