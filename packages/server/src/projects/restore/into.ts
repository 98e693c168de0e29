import { randomBytes } from 'node:crypto';
import { FluxError } from '@flux/contract/errors';
import type { EngineKind } from '@flux/contract/labels';
import type { RestoreAnswer } from '@flux/contract/restore';
import type { OpenedBackup } from '../../backups/restore/open.ts';
import { type Actor, recordAudit } from '../../catalog/audit.ts';
import { findProjectBySlug, markProjectRemoved, type ProjectRow, reviveProject, setProjectLifecycle } from '../../catalog/projects.ts';
import type { Task } from '../../operations/define.ts';
import { nameTaken, newSecrets, recordProject, takeBack } from '../create.ts';
import { type RestoreDoors, restoreIntoStaging } from './into-staging.ts';

/** What a new project is to be. */
export interface IntoRequest {
  readonly slug: string;
  readonly mode: EngineKind;
  readonly userId: ProjectRow['owner_id'];
  readonly requester: Actor;
}

/** Tells whether a restore into this name brings the removed project itself back. */
export function revives(sourceProject: ProjectRow, { slug, mode }: Pick<IntoRequest, 'slug' | 'mode'>): boolean {
  return sourceProject.lifecycle === 'removed' && !sourceProject.attached && sourceProject.slug === slug && sourceProject.engine === mode;
}

/**
 * Makes a project out of a backup. A removed project whose own name is asked for comes back as itself: the same hash, secrets
 * and names in Postgres. A failure takes back everything that was made.
 *
 * @throws FluxError `name_taken`, and what `restoreIntoStaging` throws
 */
export async function restoreIntoProject(
  doors: RestoreDoors,
  source: OpenedBackup,
  sourceProject: ProjectRow,
  request: IntoRequest,
  task: Task,
): Promise<RestoreAnswer> {
  const { projects } = doors;
  const isRevival = revives(sourceProject, request);
  const row = isRevival ? await revive(doors, sourceProject) : await makeRow(doors, request);
  try {
    const { engine, project } = projects.engines.of(row);
    task.progress({ phase: 'provision', message: `Making ${row.slug}` });
    await engine.provision(project, task.signal, source.manifest.server.major);
    const goal = { engine, project, place: 'fresh' } as const;
    const { staging, comparison, notes } = await restoreIntoStaging(doors, source, sourceProject, goal, task);
    task.signal.throwIfAborted();
    await staging.swapIn('drop');
    await projects.catalog.db.transaction().execute(async (db) => {
      await setProjectLifecycle(db, row.id, 'active');
      const details = { backupId: source.row.id, engine: row.engine, revived: isRevival };
      await recordAudit(db, request.requester, { action: 'project.restore', projectId: row.id, subject: row.slug, details });
    });
    return {
      ok: true,
      how: isRevival ? 'revived' : 'into',
      backupId: source.row.id,
      project: { slug: row.slug, hash: row.hash, mode: row.engine },
      tablesCompared: comparison.tablesCompared,
      rowsCompared: comparison.rowsCompared,
      notes: [...notes],
      previousKeptAs: null,
      previousKeptUntil: null,
      presentBackupId: null,
      outageMs: null,
    };
  } catch (error) {
    if (isRevival) await removeAgain(doors, row, sourceProject);
    else await takeBack(projects, row);
    throw error;
  }
}

async function revive({ projects }: RestoreDoors, row: ProjectRow): Promise<ProjectRow> {
  if ((await findProjectBySlug(projects.catalog.db, row.slug)) !== undefined) throw nameTaken(row.slug);
  try {
    const revived = await reviveProject(projects.catalog.db, row.id, projects.lease.held().workerId);
    if (revived !== undefined) return revived;
  } catch (error) {
    if ((error as { constraint?: string }).constraint === 'projects_live_slug') throw nameTaken(row.slug);
    throw error;
  }
  throw new FluxError('not_ready', `${row.slug} is not removed any more.`, { hint: 'See `flux list`.' });
}

async function makeRow({ projects }: RestoreDoors, { slug, mode, userId }: IntoRequest): Promise<ProjectRow> {
  return recordProject(projects, { userId }, { slug }, mode, newSecrets(undefined));
}

async function removeAgain({ projects }: RestoreDoors, row: ProjectRow, before: ProjectRow): Promise<void> {
  try {
    const { engine, project } = projects.engines.of(row);
    await engine.remove(project);
    await markProjectRemoved(projects.catalog.db, row.id, before.removed_at ?? projects.clock.now());
  } catch (error) {
    // The row stays as `creating`; the next start removes what is left and marks it removed.
    projects.log.error({ err: error, project: row.hash }, 'could not remove an incompletely restored project');
  }
}

/** A free name for a project made out of a backup of another one, when nobody has chosen one. */
export async function chooseName({ projects }: RestoreDoors, sourceProject: ProjectRow): Promise<string> {
  const free = async (slug: string) => (await findProjectBySlug(projects.catalog.db, slug)) === undefined;
  if (sourceProject.lifecycle === 'removed' && (await free(sourceProject.slug))) return sourceProject.slug;
  const plain = `${sourceProject.slug.slice(0, 31)}-restored`;
  return (await free(plain)) ? plain : `${sourceProject.slug.slice(0, 24)}-restored-${randomBytes(3).toString('hex')}`;
}
