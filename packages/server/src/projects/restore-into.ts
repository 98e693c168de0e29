import { randomBytes } from 'node:crypto';
import { FluxError } from '@flux/contract/errors';
import type { RestoreAnswer, RestoreRequest } from '@flux/contract/restore';
import { type Principal, requireAllowed } from '../access/policy.ts';
import type { LendingDeps } from '../backups/reading.ts';
import { answerRestore } from '../backups/restore/answer.ts';
import { openBackup } from '../backups/restore/open.ts';
import { recordAudit } from '../catalog/audit.ts';
import type { BackupRow } from '../catalog/backups.ts';
import type { Catalog } from '../catalog/open.ts';
import { activateProject, findProjectBySlug, type ProjectRow, reviveProject } from '../catalog/projects.ts';
import type { Order, Task } from '../operations/define.ts';
import { preloadOf } from '../postgres/manifest/preload.ts';
import { requireOneHome } from './home.ts';
import { type RemoveIncompleteDeps, removedMeanwhile, removeIncompleteProject } from './incomplete.ts';
import { newSecrets, type RecordProjectDeps, recordProject, refuseRacedName, refuseTakenName, requireSlug } from './record.ts';
import { requireSuperuserPlan } from './restore/as-superuser.ts';
import type { IntoPlan } from './restore/plan.ts';
import { requireSameKind, restoreIntoStaging, type StagingDeps } from './restore/staging.ts';
import { declareLive } from './standing.ts';

/** What restoring into another project uses. */
export interface RestoreIntoDeps {
  readonly artifacts: LendingDeps;
  /** For the project that the data goes to. */
  readonly project: RecordProjectDeps & RemoveIncompleteDeps;
  readonly staging: StagingDeps;
}

const AS_SUPERUSER =
  'pg_restore ran as a superuser of the new server. The owner of the project was that superuser meanwhile and is an ordinary role again.';

/**
 * Chooses the name and the engine of the project that the backup goes to.
 *
 * @throws FluxError `invalid_request`, `name_taken`; `forbidden` when a new project is needed and the token may not create one
 */
export async function planInto(
  { catalog }: { readonly catalog: Catalog },
  sourceProject: ProjectRow,
  backup: BackupRow,
  principal: Principal,
  wanted: Pick<NonNullable<RestoreRequest>, 'into' | 'mode' | 'acceptUnproven' | 'asSuperuser'>,
): Promise<IntoPlan> {
  const slug = wanted.into ?? (await chooseName(catalog, sourceProject));
  const { acceptUnproven = false, asSuperuser = false } = wanted;
  // In the pool a tenant export gets another schema in a sandbox, where it has to come back whole.
  const mode = wanted.mode ?? (acceptUnproven ? 'v1_dedicated' : backup.engine);
  if (acceptUnproven && mode === 'v2_shared')
    throw new FluxError('invalid_request', 'What is left of an unproven backup can be restored into a dedicated project only.', {
      hint: 'Leave out --mode, or pass --mode v1_dedicated.',
    });
  requireSlug(slug);
  requireSameKind(backup.kind, mode);
  if (asSuperuser) requireSuperuserPlan(backup.kind, mode);
  await refuseTakenName(catalog, slug);
  const plan: IntoPlan = { how: 'into', slug, mode, acceptUnproven, asSuperuser };
  if (!revives(sourceProject, plan)) requireAllowed(principal, 'project.create');
  return plan;
}

/**
 * Restores a backup into a project that is created for it. A removed project whose own name is asked for comes back as itself: the
 * same hash, secrets and names in Postgres. A failure removes everything that was created.
 *
 * @throws FluxError `name_taken`; what `openBackup`, `provision` and `restoreIntoStaging` throw
 */
export async function restoreIntoProject(
  deps: RestoreIntoDeps,
  { request: plan, project: sourceProject, backupId, requester }: Order<IntoPlan>,
  task: Task,
): Promise<RestoreAnswer> {
  await using source = await openBackup(deps.artifacts, backupId, task, plan.acceptUnproven ? 'accepted' : 'refused');
  const { catalog, engines } = deps.project;
  const isRevival = revives(sourceProject, plan);
  const row = isRevival ? await revive(deps.project, sourceProject) : await recordNew(deps.project, sourceProject, plan);
  try {
    const { engine, project } = engines.of(row);
    task.progress({ phase: 'provision', message: `Creating ${row.slug}` });
    await engine.provision(project, task.signal, source.manifest.server.major);
    const preload = preloadOf(source.manifest);
    const load = async (during: 'restore' | 'life') => {
      if (preload.extensions.length > 0) await engine.power?.preload(project, preload, during, task.signal);
    };
    await load('restore');
    const unproven = plan.acceptUnproven ? 'accepted' : 'refused';
    const goal = { engine, project, place: 'fresh', unproven, rights: plan.asSuperuser ? 'superuser' : 'owner' } as const;
    const { staging, compared } = await restoreIntoStaging(deps.staging, source, sourceProject, goal, task);
    task.signal.throwIfAborted();
    await staging.swapIn('drop');
    await load('life');
    await catalog.db.transaction().execute(async (db) => {
      if (!(await activateProject(db, row.id))) throw removedMeanwhile(row);
      const chosen = plan.asSuperuser ? { asSuperuser: true } : {};
      const details = { backupId: source.row.id, engine: row.engine, revived: isRevival, ...chosen };
      await recordAudit(db, requester, { action: 'project.restore', projectId: row.id, subject: row.slug, details });
    });
    await declareLive(deps.project, row);
    const notes = plan.asSuperuser ? [AS_SUPERUSER, ...compared.notes] : compared.notes;
    return answerRestore(isRevival ? 'revived' : 'into', source.row.id, row, { ...compared, notes });
  } catch (error) {
    await removeIncompleteProject(deps.project, row, { removedAt: sourceProject.removed_at });
    throw error;
  }
}

/** Tells whether a restore into this name brings the removed project itself back. */
function revives({ lifecycle, attached, ...source }: ProjectRow, { slug, mode }: Pick<IntoPlan, 'slug' | 'mode'>): boolean {
  return lifecycle === 'removed' && !attached && source.slug === slug && source.engine === mode;
}

async function revive({ catalog, lease }: RecordProjectDeps, row: ProjectRow): Promise<ProjectRow> {
  if (row.engine === 'v1_dedicated') await requireOneHome(catalog);
  await refuseTakenName(catalog, row.slug);
  const revived = await refuseRacedName(row.slug, () => reviveProject(catalog.db, row.id, lease.held().workerId));
  if (revived !== undefined) return revived;
  throw new FluxError('not_ready', `${row.slug} is not removed any more.`, { hint: 'See `flux list`.' });
}

async function recordNew(deps: RecordProjectDeps, { owner_id: ownerId }: ProjectRow, { slug, mode }: IntoPlan): Promise<ProjectRow> {
  return recordProject(deps, { ownerId, slug, engine: mode, attached: false, secrets: newSecrets() });
}

/** A free name for a project that is restored from another one's backup, when none was asked for. */
async function chooseName(catalog: Catalog, sourceProject: ProjectRow): Promise<string> {
  const isFree = async (slug: string) => (await findProjectBySlug(catalog.db, slug)) === undefined;
  if (sourceProject.lifecycle === 'removed' && (await isFree(sourceProject.slug))) return sourceProject.slug;
  const plain = `${sourceProject.slug.slice(0, 31)}-restored`;
  return (await isFree(plain)) ? plain : `${sourceProject.slug.slice(0, 24)}-restored-${randomBytes(3).toString('hex')}`;
}
