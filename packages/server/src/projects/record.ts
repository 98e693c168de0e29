import { randomBytes, randomUUID } from 'node:crypto';
import type { BackupScope } from '@flux/contract/backup-scope';
import { FluxError } from '@flux/contract/errors';
import { isSlug, type ProjectHash, type ProjectId } from '@flux/contract/ids';
import type { EngineKind } from '@flux/contract/labels';
import type { Catalog } from '../catalog/open.ts';
import { findProjectBySlug, insertProject, type ProjectRow } from '../catalog/projects.ts';
import type { EngineDirectory } from '../engines/directory.ts';
import type { ProjectSecrets } from '../engines/engine.ts';
import type { Lease } from '../operations/lease.ts';
import type { Clock } from '../system/clock.ts';
import { requireOneHome } from './home.ts';

/** What recording a new project uses. */
export interface RecordProjectDeps {
  readonly catalog: Catalog;
  readonly engines: EngineDirectory;
  readonly lease: Lease;
  readonly clock: Clock;
}

/** A project that is to be created. */
export interface NewProject {
  readonly ownerId: ProjectRow['owner_id'];
  readonly slug: string;
  readonly engine: EngineKind;
  readonly attached: boolean;
  readonly secrets: ProjectSecrets;
  /** Which part of an attached database is backed up; all of it when absent. */
  readonly scope?: BackupScope | undefined;
}

/**
 * Records a project as `creating`, under the lease of this worker: when the worker dies, another one removes it.
 *
 * @throws FluxError `name_taken`, `not_ready`
 */
export async function recordProject(
  { catalog, engines, lease, clock }: RecordProjectDeps,
  { ownerId, slug, engine, attached, secrets, scope }: NewProject,
): Promise<ProjectRow> {
  if (engine === 'v1_dedicated' && !attached) await requireOneHome(catalog);
  await refuseTakenName(catalog, slug);
  return refuseRacedName(slug, () =>
    insertProject(catalog.db, {
      id: randomUUID() as ProjectId,
      owner_id: ownerId,
      slug,
      // 28 bits: the unique constraint refuses the rare second of its kind, and the caller may try again.
      hash: randomBytes(4).toString('hex').slice(0, 7) as ProjectHash,
      engine,
      attached,
      scope: scope === undefined ? null : JSON.stringify(scope),
      lifecycle: 'creating',
      sealed_secrets: engines.sealSecrets(secrets),
      worker_id: lease.held().workerId,
      created_at: clock.now(),
    }),
  );
}

/** Fresh secrets; a project never changes its own. */
export function newSecrets(attachedUri?: string): ProjectSecrets {
  const secret = () => randomBytes(24).toString('base64url');
  return {
    loginPassword: secret(),
    ownerPassword: secret(),
    backupPassword: secret(),
    jwtSecret: randomBytes(32).toString('base64url'),
    attachedUri,
  };
}

/** @throws FluxError `invalid_request` for what cannot be the name of a project */
export function requireSlug(slug: string): void {
  if (isSlug(slug)) return;
  throw new FluxError('invalid_request', `"${slug}" cannot be the name of a project.`, {
    hint: 'A name is 1 to 40 of a-z, 0-9 and hyphens, starts with a letter and does not end with a hyphen.',
  });
}

/** @throws FluxError `name_taken` when a project has the name now */
export async function refuseTakenName({ db }: Pick<Catalog, 'db'>, slug: string): Promise<void> {
  if ((await findProjectBySlug(db, slug)) !== undefined) throw nameTaken(slug);
}

/** Two requests for one name at once: the constraint of the catalog lets one of them through. @throws FluxError `name_taken` */
export async function refuseRacedName<T>(slug: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if ((error as { constraint?: string }).constraint === 'projects_live_slug') throw nameTaken(slug);
    throw error;
  }
}

/** The error for a name that another project has. */
export function nameTaken(slug: string): FluxError {
  return new FluxError('name_taken', `A project with the name ${slug} already exists.`, {
    hint: 'Choose another name; `flux list` shows yours.',
  });
}
