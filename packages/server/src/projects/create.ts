import { randomBytes, randomUUID } from 'node:crypto';
import { FluxError } from '@flux/contract/errors';
import { isSlug, type ProjectHash, type ProjectId } from '@flux/contract/ids';
import type { EngineKind } from '@flux/contract/labels';
import type { CreateProjectAnswer, CreateProjectRequest, InitAnswer } from '@flux/contract/project';
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
import type { ProjectDoors } from './doors.ts';
import { summarize } from './list.ts';

/**
 * Makes a project: a row that says `creating`, then instance or schema, then `active`. A failure takes back what was made.
 *
 * @throws FluxError `invalid_request`, `name_taken`, and whatever the engine could not do
 */
export async function createProject(
  doors: ProjectDoors,
  actor: Actor & { userId: ProjectRow['owner_id'] },
  request: CreateProjectRequest,
): Promise<CreateProjectAnswer> {
  const engineKind = chooseEngine(doors, request);
  requireSlug(request.name);
  return doors.lease.during(() => makeProject(doors, actor, request, engineKind));
}

async function makeProject(
  doors: ProjectDoors,
  actor: Actor & { userId: ProjectRow['owner_id'] },
  request: CreateProjectRequest,
  engineKind: EngineKind,
): Promise<CreateProjectAnswer> {
  const secrets = newSecrets(request.attach);
  const row = await recordProject(doors, actor, request, engineKind, secrets);
  try {
    const { engine, project } = doors.engines.of(row);
    await engine.provision(project);
    await doors.catalog.db.transaction().execute(async (db) => {
      await setProjectLifecycle(db, row.id, 'active');
      await recordAudit(db, actor, {
        action: 'project.create',
        projectId: row.id,
        subject: row.slug,
        details: { engine: engineKind, attached: row.attached },
      });
    });
    const { password, host } = await engine.credentials(project);
    return {
      summary: await summarize(doors, { ...row, lifecycle: 'active' }),
      mode: engineKind,
      ...(engineKind === 'v2_shared' ? { projectJwtSecret: secrets.jwtSecret } : {}),
      secrets: {
        pgrstJwtSecret: secrets.jwtSecret,
        postgresPassword: password,
        postgresContainerHost: host,
        note: 'Shown again by `flux project credentials`.',
      },
    };
  } catch (error) {
    await takeBack(doors, row);
    throw error;
  }
}

/**
 * The project with this name, created when there is none. Repeating it changes nothing.
 *
 * @throws FluxError `name_taken` when it is somebody else's; `forbidden` when it would have to be created and the token may not
 */
export async function initProject(
  doors: ProjectDoors,
  principal: Principal,
  request: { readonly slug: string; readonly mode?: EngineKind | undefined },
): Promise<InitAnswer> {
  requireSlug(request.slug);
  const existing = await findProjectBySlug(doors.catalog.db, request.slug);
  if (existing !== undefined && !isVisible(principal, existing)) throw nameTaken(request.slug);
  if (existing === undefined) requireAllowed(principal, 'project.create');
  const action = existing === undefined ? 'created' : 'linked';
  const hash = existing?.hash ?? (await createProject(doors, principal.actor, { name: request.slug, mode: request.mode })).summary.hash;
  const row = existing ?? (await findProjectByHash(doors.catalog.db, hash as ProjectHash));
  if (row === undefined) throw new Error(`project ${hash} has vanished from the catalog`);
  const { engine, project } = doors.engines.of(row);
  return { action, slug: row.slug, hash: row.hash, mode: row.engine, apiUrl: doors.publicUrl, apiSchema: engine.apiSchema(project) };
}

/** Takes back projects that a dead worker was making. Call at start; another server's that lives are left alone. */
export async function removeUnbornProjects(doors: ProjectDoors): Promise<void> {
  for (const { lockKey, ...row } of await listUnbornProjects(doors.catalog.db)) {
    if (await isWorkerAlive(doors.catalog, lockKey)) continue;
    doors.log.warn({ project: row.hash, slug: row.slug }, 'taking back a project whose making was interrupted');
    await takeBack(doors, row);
  }
}

function chooseEngine(doors: ProjectDoors, request: CreateProjectRequest): EngineKind {
  if (request.attach === undefined) return request.mode ?? doors.defaultMode;
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
  doors: ProjectDoors,
  actor: { readonly userId: ProjectRow['owner_id'] },
  request: CreateProjectRequest,
  engine: EngineKind,
  secrets: ProjectSecrets,
): Promise<ProjectRow> {
  if ((await findProjectBySlug(doors.catalog.db, request.name)) !== undefined) throw nameTaken(request.name);
  try {
    return await insertProject(doors.catalog.db, {
      id: randomUUID() as ProjectId,
      owner_id: actor.userId,
      slug: request.name,
      // 28 bits: the unique constraint refuses the rare second of its kind, and the caller may try again.
      hash: randomBytes(4).toString('hex').slice(0, 7) as ProjectHash,
      engine,
      attached: request.attach !== undefined,
      lifecycle: 'creating',
      sealed_secrets: doors.engines.sealSecrets(secrets),
      worker_id: doors.lease.held().workerId,
      created_at: doors.clock.now(),
    });
  } catch (error) {
    // Two creates of one name at once: the constraint let one through.
    if ((error as { constraint?: string }).constraint === 'projects_live_slug') throw nameTaken(request.name);
    throw error;
  }
}

/** Removes a half-made project again; one with a history counts as removed instead. Never throws. */
export async function takeBack(doors: ProjectDoors, row: ProjectRow): Promise<void> {
  try {
    const { engine, project } = doors.engines.of(row);
    await engine.remove(project);
    // A removed project that was being brought back has backups, and keeps its row.
    const hasHistory = (await findLatestBackup(doors.catalog.db, row.id)) !== undefined;
    if (hasHistory) await markProjectRemoved(doors.catalog.db, row.id, doors.clock.now());
    else await deleteUnbornProject(doors.catalog.db, row.id);
  } catch (error) {
    // The row stays as `creating`, so that the next start tries again.
    doors.log.error({ err: error, project: row.hash }, 'could not take back a half-made project');
  }
}
