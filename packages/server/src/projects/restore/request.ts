import { FluxError } from '@flux/contract/errors';
import type { OperationId } from '@flux/contract/ids';
import { isSlug } from '@flux/contract/ids';
import type { EngineKind } from '@flux/contract/labels';
import type { RestoreRequest } from '@flux/contract/restore';
import { type Principal, requireAllowed } from '../../access/policy.ts';
import { overrideOf, refuseShutGate } from '../../backups/gate.ts';
import { readManifest } from '../../backups/manifest.ts';
import { refuseUnrestorable } from '../../backups/restore/open.ts';
import { parseTarget } from '../../backups/restore/to.ts';
import { type BackupSelector, selectBackup } from '../../backups/select.ts';
import type { Actor } from '../../catalog/audit.ts';
import type { BackupRow } from '../../catalog/backups.ts';
import { findProjectBySlug, type ProjectRow } from '../../catalog/projects.ts';
import { requireCapability } from '../../engines/capabilities.ts';
import { requestOperation } from '../../operations/request.ts';
import { requireActive } from '../active.ts';
import { nameTaken } from '../create.ts';
import { chooseName, revives } from './into.ts';
import type { RestoreDoors } from './into-staging.ts';
import type { RestorePlan } from './plan.ts';
import { backupRestore } from './run.ts';
import { findTables } from './tables.ts';

/**
 * Resolves what is meant, refuses what can be refused at once, records the operation and puts it before the workers.
 *
 * @throws FluxError `invalid_request`, `backup_not_found`, `not_ready`, `artifact_gone`, `name_taken`, `gate_refused`, `busy`
 */
export async function requestRestore(
  doors: RestoreDoors,
  project: ProjectRow,
  principal: Principal,
  selector: BackupSelector,
  body: RestoreRequest,
): Promise<OperationId> {
  const { catalog } = doors.projects;
  const backup = await selectBackup(catalog.db, project, selector);
  refuseUnrestorable(backup);
  const plan = await makePlan(doors, project, backup, principal, body ?? {});
  return await begin(doors, project, principal.actor, backup, plan);
}

/** Records an undo of the newest restore in place. @throws FluxError `not_ready`, `not_found`, `busy` */
export async function requestUndo(doors: RestoreDoors, row: ProjectRow, actor: Actor): Promise<OperationId> {
  requireActive(row);
  requireCapability(doors.projects.engines.of(row).engine, 'undo', row);
  return await begin(doors, row, actor, null, { how: 'undo' });
}

function begin(
  doors: RestoreDoors,
  project: ProjectRow,
  requester: Actor,
  backup: BackupRow | null,
  request: RestorePlan,
): Promise<OperationId> {
  const order = { project, backupId: backup?.id ?? null, requester, request };
  return requestOperation(doors.projects.operations, backupRestore, async () => order);
}

async function makePlan(
  doors: RestoreDoors,
  project: ProjectRow,
  backup: BackupRow,
  principal: Principal,
  body: NonNullable<RestoreRequest>,
): Promise<RestorePlan> {
  const { into, to, inPlace = false, mode, tables } = body;
  if ([into !== undefined || mode !== undefined, to !== undefined, inPlace, tables !== undefined].filter(Boolean).length > 1)
    throw new FluxError(
      'invalid_request',
      'A restore goes to one place: into a new project, to a database of yours, in place, or single tables beside.',
      {
        hint: 'Give one of --into, --to, --in-place and --table; --mode belongs to --into.',
      },
    );
  if (to !== undefined) {
    parseTarget(to);
    const sealedUri = doors.backups.seal.seal(to).toString('base64');
    return { how: 'to', sealedUri, force: body.force ?? false, prerequisites: body.prerequisites ?? false };
  }
  if (tables === undefined && !inPlace) return await planInto(doors, project, backup, principal, into, mode);
  requireActive(project);
  if (backup.engine !== project.engine)
    throw new FluxError(
      'not_ready',
      `Backup ${backup.id} was made when ${project.slug} was ${backup.engine}; it is ${project.engine} now.`,
      {
        hint: 'Restore it into a new project with --into.',
      },
    );
  requireCapability(doors.projects.engines.of(project).engine, 'staging', project);
  if (tables !== undefined) {
    const manifest = await readManifest(doors.backups.catalog.db, backup);
    findTables(manifest, tables, manifest.schema ?? 'public');
    return { how: 'tables', tables: [...tables] };
  }
  const override = overrideOf(body);
  const presentBackup = body.skipPresentBackup === true ? 'skipped' : 'taken';
  await refuseShutGate(doors.backups, project, 'restore_in_place', override);
  return { how: 'in_place', presentBackup, override };
}

async function planInto(
  doors: RestoreDoors,
  project: ProjectRow,
  backup: BackupRow,
  principal: Principal,
  into: string | undefined,
  mode: EngineKind = backup.engine,
): Promise<RestorePlan> {
  const slug = into ?? (await chooseName(doors, project));
  if (!isSlug(slug))
    throw new FluxError('invalid_request', `"${slug}" cannot be the name of a project.`, {
      hint: 'A name is 1 to 40 of a-z, 0-9 and hyphens, starts with a letter and does not end with a hyphen.',
    });
  if (backup.engine === 'v1_dedicated' && mode === 'v2_shared')
    throw new FluxError('invalid_request', 'A backup of a whole database cannot become one schema of a pooled cluster.', {
      hint: 'Leave out --mode, or pass --mode v1_dedicated.',
    });
  if ((await findProjectBySlug(doors.projects.catalog.db, slug)) !== undefined) throw nameTaken(slug);
  if (!revives(project, { slug, mode })) requireAllowed(principal, 'project.create');
  return { how: 'into', slug, mode };
}
