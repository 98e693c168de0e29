import { FluxError } from '@flux/contract/errors';
import type { OperationId, UserId } from '@flux/contract/ids';
import type { RestoreAnswer, RestoreRequest } from '@flux/contract/restore';
import type { Principal } from '../access/policy.ts';
import { abandonBackups } from '../backups/abandon.ts';
import { refuseUnrestorable } from '../backups/restore/open.ts';
import { type Destinations, parseTarget, type RestoreToDeps, restoreToUri } from '../backups/restore/to.ts';
import { type BackupSelector, selectBackupToRestore } from '../backups/select.ts';
import type { BlobStore } from '../blobs/store.ts';
import type { Actor } from '../catalog/audit.ts';
import type { BackupRow } from '../catalog/backups.ts';
import type { ProjectRow } from '../catalog/projects.ts';
import { requireCapability } from '../engines/capabilities.ts';
import type { EngineDirectory } from '../engines/directory.ts';
import { defineOperation, type Order, type Task } from '../operations/define.ts';
import { type RequestDeps, requestOperation } from '../operations/request.ts';
import { requireAllowedAddress } from '../postgres/foreign.ts';
import { requireActive } from './active.ts';
import { RestorePlan, type ToPlan } from './restore/plan.ts';
import { planInPlace, type RestoreInPlaceDeps, restoreInPlace } from './restore-in-place.ts';
import { planInto, type RestoreIntoDeps, restoreIntoProject } from './restore-into.ts';
import { planTables, type RestoreTablesDeps, restoreTables } from './restore-tables.ts';
import { type UndoDeps, undoRestore } from './undo.ts';

/** What requesting a restore uses. */
export interface RequestRestoreDeps extends RequestDeps {
  readonly store: BlobStore;
  readonly engines: EngineDirectory;
  readonly destinations: Destinations;
}

/** What each kind of restore uses. */
export interface RestoreDeps {
  readonly inPlace: RestoreInPlaceDeps;
  readonly into: RestoreIntoDeps;
  readonly tables: RestoreTablesDeps;
  readonly to: RestoreToDeps;
  readonly undo: UndoDeps;
}

const SWAPPED = 'The data may be swapped already: look at the project before you run the command again.';
/** Restores that may have committed before their worker died. A project that a restore was creating is removed at the next start instead. */
const LOOK_FIRST: Partial<Record<RestorePlan['how'], string>> = {
  to: 'The data is there as a whole or not at all: look at the database before you run the command again.',
  in_place: SWAPPED,
  undo: SWAPPED,
};

/** Restores a backup. What goes to another database occupies only the backup: its project can be used meanwhile. */
export const backupRestore = defineOperation({
  kind: 'backup_restore',
  lane: 'change',
  request: RestorePlan,
  touches: ({ how }) => (how === 'to' ? 'backup' : 'project'),
  runsOn: 'project host',
  audit: ({ backupId, request }) => ({
    action: 'backup.restore',
    ...(backupId === null ? {} : { subject: backupId }),
    details: {
      how: request.how,
      ...(request.how === 'into' ? { slug: request.slug, mode: request.mode } : {}),
      ...('acceptUnproven' in request && request.acceptUnproven ? { acceptUnproven: true } : {}),
      ...('asSuperuser' in request && request.asSuperuser ? { asSuperuser: true } : {}),
    },
  }),
  afterWorkerLoss: 'end',
  hintAfterDeath: ({ how }) => LOOK_FIRST[how],
  run: runRestore,
  // A safety backup that was not finished.
  onInterrupted: (deps: RestoreDeps, db, order, reason) => abandonBackups(deps.inPlace.artifacts, db, order, reason),
});

/**
 * Resolves which backup is meant, refuses what can be refused without reading it, records the restore and enqueues it.
 *
 * @throws FluxError `invalid_request`, `backup_not_found`, `not_ready`, `artifact_gone`, `name_taken`, `gate_refused`, `busy`
 */
export async function requestRestore(
  deps: RequestRestoreDeps,
  project: ProjectRow,
  principal: Principal,
  selector: BackupSelector,
  body: RestoreRequest,
): Promise<OperationId> {
  const backup = await selectBackupToRestore(deps.catalog.db, project, selector);
  refuseUnrestorable(backup);
  const request = await planRestore(deps, project, backup, principal, body ?? {});
  return requestOperation(deps, backupRestore, async () => ({ project, backupId: backup.id, requester: principal.actor, request }));
}

/** Records an undo of the newest restore in place or reset, and enqueues it. @throws FluxError `not_ready`, `invalid_request`, `busy` */
export async function requestUndo(
  deps: RequestDeps & Pick<RequestRestoreDeps, 'engines'>,
  project: ProjectRow,
  requester: Actor,
): Promise<OperationId> {
  requireActive(project);
  requireCapability(deps.engines.of(project).engine, 'undo', project);
  const request: RestorePlan = { how: 'undo' };
  return requestOperation(deps, backupRestore, async () => ({ project, requester, request }));
}

async function planRestore(
  deps: RequestRestoreDeps,
  project: ProjectRow,
  backup: BackupRow,
  principal: Principal,
  body: NonNullable<RestoreRequest>,
): Promise<RestorePlan> {
  const { into, to, inPlace = false, mode, tables } = body;
  if ([into !== undefined || mode !== undefined, to !== undefined, inPlace, tables !== undefined].filter(Boolean).length > 1)
    throw new FluxError(
      'invalid_request',
      'A restore goes to one place: into a new project, to a database of yours, in place, or single tables beside the live ones.',
      { hint: 'Give one of --into, --to, --in-place and --table; --mode belongs to --into.' },
    );
  if (body.acceptUnproven === true && (inPlace || tables !== undefined))
    throw new FluxError(
      'invalid_request',
      'What is left of an unproven backup is restored into a new project or a database of yours only.',
      {
        hint: 'Give --into or --to with --accept-unproven: live data is never replaced by what nobody has proven.',
      },
    );
  if (to !== undefined) return await planTo(deps, { uri: to, by: project.owner_id }, body);
  if (tables !== undefined) return await planTables(deps, project, backup, tables);
  if (inPlace) return await planInPlace(deps, project, backup, body);
  return await planInto(deps, project, backup, principal, body);
}

async function planTo(
  { destinations: { seal, foreign } }: RequestRestoreDeps,
  { uri, by }: { readonly uri: string; readonly by: UserId },
  options: NonNullable<RestoreRequest>,
): Promise<ToPlan> {
  const { force = false, prerequisites = false, acceptUnproven = false } = options;
  await requireAllowedAddress(parseTarget(uri), foreign, { by });
  if (acceptUnproven && force)
    throw new FluxError('invalid_request', 'What is left of an unproven backup is restored into an empty database only.', {
      hint: 'Leave out --force, and give a database that is empty: what came back could not be told from what was there.',
    });
  return { how: 'to', sealedUri: seal.seal(uri).toString('base64'), force, prerequisites, acceptUnproven };
}

async function runRestore(deps: RestoreDeps, order: Order<RestorePlan>, task: Task): Promise<RestoreAnswer> {
  const { request: plan } = order;
  switch (plan.how) {
    case 'in_place':
      return await restoreInPlace(deps.inPlace, { ...order, request: plan }, task);
    case 'into':
      return await restoreIntoProject(deps.into, { ...order, request: plan }, task);
    case 'tables':
      return await restoreTables(deps.tables, { ...order, request: plan }, task);
    case 'to':
      return await restoreToUri(deps.to, { ...order, request: plan }, task);
    case 'undo':
      return await undoRestore(deps.undo, order.project, task);
  }
}
