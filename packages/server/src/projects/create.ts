import { randomBytes, randomUUID } from 'node:crypto';
import { FluxError } from '@flux/contract/errors';
import { isSlug, type ProjectHash, type ProjectId } from '@flux/contract/ids';
import type { EngineKind } from '@flux/contract/labels';
import type { CreateProjectRequest, LinkAnswer, PostgresParts, ProjectSummary } from '@flux/contract/project';
import { isVisible, type Principal, requireAllowed } from '../access/policy.ts';
import { type Actor, recordAudit } from '../catalog/audit.ts';
import { findLatestBackup } from '../catalog/backups.ts';
import {
  deleteUnbornProject,
  findProjectByHash,
  findProjectBySlug,
  insertProject,
  listUnbornProjects,
  markProjectRemoved,
  type ProjectRow,
  setProjectLifecycle,
} from '../catalog/projects.ts';
import { isWorkerAlive } from '../catalog/worker-lease.ts';
import type { ProjectSecrets } from '../engines/engine.ts';
import type { Lease } from '../operations/lease.ts';
import type { Clock } from '../system/clock.ts';
import type { ProjectEngines } from './doors.ts';
import { describeProject, type SummaryDeps, summarize } from './list.ts';

/** What creating a project uses. */
export interface CreateProjectDeps extends SummaryDeps {
  readonly engines: ProjectEngines;
  readonly defaultMode: EngineKind;
  readonly lease: Lease;
  readonly clock: Clock;
}

/** A project that was just created, with the secrets that existing clients are told once. */
export interface CreatedProject {
  readonly summary: ProjectSummary;
  readonly jwtSecret: string;
  readonly postgres: PostgresParts;
}

/**
 * Creates a project: a row that says `creating`, then instance or schema, then `active`. A failure removes what was created.
 *
 * @throws FluxError `invalid_request`, `name_taken`, and whatever the engine could not do
 */
export async function createProject(
  deps: CreateProjectDeps,
  actor: Actor & { userId: ProjectRow['owner_id'] },
  request: CreateProjectRequest,
): Promise<CreatedProject> {
  const engineKind = chooseEngine(deps, request);
  requireSlug(request.slug);
  return deps.lease.during(() => makeProject(deps, actor, request, engineKind));
}

async function makeProject(
  deps: CreateProjectDeps,
  actor: Actor & { userId: ProjectRow['owner_id'] },
  request: CreateProjectRequest,
  engineKind: EngineKind,
): Promise<CreatedProject> {
  const secrets = newSecrets(request.attach);
  const row = await recordProject(deps, actor, request, engineKind, secrets);
  try {
    const { engine, project } = deps.engines.of(row);
    await engine.provision(project);
    await deps.catalog.db.transaction().execute(async (db) => {
      await setProjectLifecycle(db, row.id, 'active');
      await recordAudit(db, actor, {
        action: 'project.create',
        projectId: row.id,
        subject: row.slug,
        details: { engine: engineKind, attached: row.attached },
      });
    });
    return {
      summary: await summarize(deps, { ...row, lifecycle: 'active' }),
      jwtSecret: secrets.jwtSecret,
      postgres: await engine.credentials(project),
    };
  } catch (error) {
    await takeBack(deps, row);
    throw error;
  }
}

/**
 * The project with this name, created when there is none. Repeating it changes nothing.
 *
 * @throws FluxError `name_taken` when it is somebody else's; `forbidden` when it would have to be created and the token may not
 */
export async function linkProject(
  deps: CreateProjectDeps,
  principal: Principal,
  { slug, mode }: { readonly slug: string; readonly mode?: EngineKind | undefined },
): Promise<LinkAnswer> {
  requireSlug(slug);
  const existing = await findProjectBySlug(deps.catalog.db, slug);
  if (existing !== undefined) {
    if (!isVisible(principal, existing)) throw nameTaken(slug);
    return { action: 'linked', project: await describeProject(deps, existing) };
  }
  requireAllowed(principal, 'project.create');
  const { summary } = await createProject(deps, principal.actor, { slug, mode });
  const row = await findProjectByHash(deps.catalog.db, summary.hash as ProjectHash);
  if (row === undefined) throw new Error(`project ${summary.hash} has vanished from the catalog`);
  return { action: 'created', project: await describeProject(deps, row) };
}

/** Removes projects that a dead worker was creating. Those of a server that lives are left alone. */
export async function removeUnbornProjects(deps: CreateProjectDeps): Promise<void> {
  for (const { lockKey, ...row } of await listUnbornProjects(deps.catalog.db)) {
    if (await isWorkerAlive(deps.catalog, lockKey)) continue;
    deps.log.warn({ project: row.hash, slug: row.slug }, 'removing a project whose creation was interrupted');
    await takeBack(deps, row);
  }
}

function chooseEngine(deps: CreateProjectDeps, request: CreateProjectRequest): EngineKind {
  if (request.attach === undefined) return request.mode ?? deps.defaultMode;
  if (request.mode === 'v2_shared') {
    throw new FluxError('invalid_request', 'An attached database is a v1_dedicated project; it cannot be v2_shared.', {
      hint: 'Leave out --mode.',
    });
  }
  return 'v1_dedicated';
}

function requireSlug(slug: string): void {
  if (isSlug(slug)) return;
  throw new FluxError('invalid_request', `"${slug}" cannot be the name of a project.`, {
    hint: 'A name is 1 to 40 of a-z, 0-9 and hyphens, starts with a letter and does not end with a hyphen.',
  });
}

/** @returns the error for a name that somebody has */
export function nameTaken(slug: string): FluxError {
  return new FluxError('name_taken', `Another project has the name ${slug}.`, { hint: 'Take another name; `flux list` shows yours.' });
}

/** Fresh secrets; those of a project stay with it for good. */
export function newSecrets(attachedUri: string | undefined): ProjectSecrets {
  const secret = () => randomBytes(24).toString('base64url');
  const loginPassword = secret();
  return {
    loginPassword,
    ownerPassword: secret(),
    backupPassword: secret(),
    jwtSecret: randomBytes(32).toString('base64url'),
    attachedUri,
  };
}

/** Records a project that is being made. @throws FluxError `name_taken` */
export async function recordProject(
  deps: CreateProjectDeps,
  actor: { readonly userId: ProjectRow['owner_id'] },
  request: CreateProjectRequest,
  engine: EngineKind,
  secrets: ProjectSecrets,
): Promise<ProjectRow> {
  if ((await findProjectBySlug(deps.catalog.db, request.slug)) !== undefined) throw nameTaken(request.slug);
  try {
    return await insertProject(deps.catalog.db, {
      id: randomUUID() as ProjectId,
      owner_id: actor.userId,
      slug: request.slug,
      // 28 bits: the unique constraint refuses the rare second of its kind, and the caller may try again.
      hash: randomBytes(4).toString('hex').slice(0, 7) as ProjectHash,
      engine,
      attached: request.attach !== undefined,
      lifecycle: 'creating',
      sealed_secrets: deps.engines.sealSecrets(secrets),
      worker_id: deps.lease.held().workerId,
      created_at: deps.clock.now(),
    });
  } catch (error) {
    // Two creates of one name at once: the constraint let one through.
    if ((error as { constraint?: string }).constraint === 'projects_live_slug') throw nameTaken(request.slug);
    throw error;
  }
}

/** Removes a half-made project again; one with a history counts as removed instead. Never throws. */
export async function takeBack(deps: CreateProjectDeps, row: ProjectRow): Promise<void> {
  try {
    const { engine, project } = deps.engines.of(row);
    await engine.remove(project);
    // A removed project that was being brought back has backups, and keeps its row.
    const hasHistory = (await findLatestBackup(deps.catalog.db, row.id)) !== undefined;
    if (hasHistory) await markProjectRemoved(deps.catalog.db, row.id, deps.clock.now());
    else await deleteUnbornProject(deps.catalog.db, row.id);
  } catch (error) {
    // The row stays as `creating`, so that the next start tries again.
    deps.log.error({ err: error, project: row.hash }, 'could not remove an incomplete project');
  }
}
