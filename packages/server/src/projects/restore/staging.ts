import { FluxError } from '@flux/contract/errors';
import type { EngineKind } from '@flux/contract/labels';
import type { VerificationSandbox } from '../../backups/disposable-request.ts';
import { loadArchive } from '../../backups/restore/load.ts';
import type { OpenedBackup } from '../../backups/restore/open.ts';
import { type RelayedArchive, relayArchive } from '../../backups/restore/relay.ts';
import { renamedSchema } from '../../backups/restore/relay-sql.ts';
import { salvageArchive } from '../../backups/restore/salvage.ts';
import { restoreLimitMs, withinRestoreTime } from '../../backups/restore/time-limit.ts';
import type { BackupRow } from '../../catalog/backups.ts';
import type { ProjectRow } from '../../catalog/projects.ts';
import { requireCapability } from '../../engines/capabilities.ts';
import type { EngineDirectory } from '../../engines/directory.ts';
import type { Engine, EngineProject } from '../../engines/engine.ts';
import type { RestoreRights, Staging, StagingSpec } from '../../engines/staging.ts';
import type { Task } from '../../operations/define.ts';
import type { Manifest } from '../../postgres/manifest.ts';
import type { PostgresPrograms } from '../../postgres/programs.ts';
import type { Log } from '../../system/log.ts';
import { requireActive } from '../active.ts';
import { SUPERUSER_WARNING } from './as-superuser.ts';
import { type Compared, proveRestored, type Restored } from './prove.ts';
import { withoutRoleDefaults } from './without-role-defaults.ts';

/** What restoring into a staging uses. */
export interface StagingDeps {
  readonly engines: EngineDirectory;
  readonly programs: PostgresPrograms;
  readonly sandbox: VerificationSandbox;
  readonly log: Log;
}

/** Where a backup is restored to. */
export interface StagingGoal {
  readonly engine: Engine;
  readonly project: EngineProject;
  readonly place: StagingSpec['place'];
  /** `accepted`: restores what can be restored, and names what is lost. */
  readonly unproven?: 'accepted' | 'refused';
  /** Whose rights pg_restore has: of a `superuser` only in a new dedicated project. */
  readonly rights?: RestoreRights;
}

/** Restored data that was compared with its manifest: all that is left is to swap it in. */
export interface ProvenStaging {
  readonly staging: Staging;
  readonly compared: Compared;
}

/** What to say of an archive that does not load, and the next command. */
function loadFailure({ manifest, row }: OpenedBackup, rights: RestoreRights) {
  const summary = 'The backup could not be restored';
  if (manifest.backupKind === 'tenant_export' || rights === 'superuser')
    return { summary, hint: 'Nothing was changed. --to with the URI of a superuser restores it into a server of yours.' };
  const command = `flux backup restore --id ${row.id} --into <name> --as-superuser`;
  return {
    summary,
    hint: `Nothing was changed. What needs a superuser, and what depends on it, comes back with \`${command}\`: ${SUPERUSER_WARNING} Or restore it with --to and the URI of a superuser.`,
  };
}

/**
 * Refuses a project beside whose live data this backup cannot be restored.
 *
 * @throws FluxError `not_ready`, `invalid_request`
 */
export function requireStaging(engines: EngineDirectory, project: ProjectRow, backup: BackupRow): void {
  requireActive(project);
  if (backup.engine !== project.engine)
    throw new FluxError(
      'not_ready',
      `Backup ${backup.id} was taken when ${project.slug} was ${backup.engine}; it is ${project.engine} now.`,
      {
        hint: 'Restore it into a new project with --into.',
      },
    );
  requireCapability(engines.of(project).engine, 'staging', project);
}

/** @throws FluxError `invalid_request` for a whole database that is to become one schema */
export function requireSameKind(kind: Manifest['backupKind'], engine: EngineKind): void {
  if (kind === 'tenant_export' || engine === 'v1_dedicated') return;
  throw new FluxError('invalid_request', 'A backup of a whole database cannot become one schema of a pooled cluster.', {
    hint: 'Leave out --mode, or pass --mode v1_dedicated.',
  });
}

/**
 * Restores a backup beside the live data of a project and compares it with what was dumped. A failure removes the staging, and so does the end
 * of its time, which follows from the size.
 *
 * @param sourceProject the project that the backup is of
 * @throws FluxError `postgres_failed`, `verification_failed`, `invalid_request`
 */
export async function restoreIntoStaging(
  deps: StagingDeps,
  source: OpenedBackup,
  sourceProject: ProjectRow,
  goal: StagingGoal,
  task: Task,
): Promise<ProvenStaging> {
  const { databaseBytes } = source.manifest.server;
  const limitMs = restoreLimitMs(deps.sandbox.restoreTimes, deps.sandbox.limits, databaseBytes);
  const what = `The restore of backup ${source.row.id}`;
  return await withinRestoreTime(task, limitMs, { what, databaseBytes }, (bounded) =>
    loadAndProve(deps, source, sourceProject, goal, bounded),
  );
}

async function loadAndProve(
  { engines, programs, sandbox, log }: StagingDeps,
  source: OpenedBackup,
  sourceProject: ProjectRow,
  goal: StagingGoal,
  task: Task,
): Promise<ProvenStaging> {
  const { manifest, row } = source;
  requireSameKind(manifest.backupKind, goal.engine.kind);
  const roles = rolesThen(engines, sourceProject, row.engine);
  const owner = roles[0] ?? null;
  task.progress({ phase: 'prepare', message: 'Creating an empty staging beside the live data' });
  const support = requireCapability(goal.engine, 'staging', goal.project);
  const { rights = 'owner' } = goal;
  const staging = await support.open(goal.project, { ...specOf(manifest, owner, goal.place), lacking: goal.unproven, rights }, task.signal);
  let relayed: RelayedArchive | undefined;
  try {
    requireMajor(manifest, staging.major, goal.project.slug);
    relayed = await renameArchiveSchema({ sandbox, programs }, source, roles, goal, staging, task);
    const archive = relayed ?? source;
    const grants = manifest.backupKind === 'tenant_export' ? 'left out' : 'restored';
    const { major, afterError } = staging;
    const { moneyLocale } = archive.manifest.server;
    const omits: Staging['omits'] = (entry) => staging.omits(entry);
    const destination = { major, grants, transaction: 'statement by statement', omits, afterError, moneyLocale } as const;
    const load = goal.unproven === 'accepted' ? salvageArchive : loadArchive;
    const failure = loadFailure(source, rights);
    const problem = await staging.load((target) => load(programs, archive, { ...destination, target }, failure, task));
    task.progress({ phase: 'complete', message: 'Restoring owners, grants and the ledger' });
    await staging.complete(archive.manifest.prerequisites);
    const compared = await proveRestored(
      sandbox,
      {
        inspector: staging.inspector,
        archive: comparable(archive, staging),
        original: manifest,
        owners: { were: owner },
        problem,
        unproven: goal.unproven,
        rights,
      },
      task,
    );
    return { staging, compared };
  } catch (error) {
    await staging
      .discard()
      .catch((failure) => log.warn({ err: failure, project: goal.project.hash }, 'an incomplete staging was left behind'));
    throw error;
  } finally {
    await relayed?.[Symbol.asyncDispose]();
  }
}

/** @throws FluxError `not_ready` when the server is too old to read the backup, as it may be for an imported one */
function requireMajor({ server }: Manifest, major: number, slug: string): void {
  if (server.major <= major) return;
  throw new FluxError(
    'not_ready',
    `The backup is of PostgreSQL ${server.major}, which PostgreSQL ${major} of ${slug} cannot read. Nothing was changed.`,
    { hint: 'Restore it into a new project with --into, which gets a server that can.' },
  );
}

/** Leaves out what only `swapIn` brings back. */
function comparable({ path, manifest }: Restored['archive'], { roleDefaults }: Staging): Restored['archive'] {
  if (roleDefaults === 'complete' || manifest.backupKind === 'project_db') return { path, manifest };
  return { path, manifest: withoutRoleDefaults(manifest) };
}

/** The names that the project's own roles had where the backup was taken: it may have lived in another engine then. */
function rolesThen(engines: EngineDirectory, sourceProject: ProjectRow, engineThen: EngineKind): readonly string[] {
  const { engine, project } = engines.of({ ...sourceProject, engine: engineThen });
  return engine.roleNames(project);
}

function specOf(manifest: Manifest, ownerName: string | null, place: StagingSpec['place']): StagingSpec {
  const { backupKind: kind, schema, prerequisites } = manifest;
  const { moneyLocale = null } = manifest.server;
  return {
    kind,
    place,
    ownerName,
    schema,
    locale: manifest.server,
    moneyLocale,
    prerequisites,
    objects: manifest.objects,
    internalRoles: manifest.internalRoles,
  };
}

/** Renames the schema of an archive when the staging has another name for it. */
async function renameArchiveSchema(
  deps: Pick<StagingDeps, 'sandbox' | 'programs'>,
  source: OpenedBackup,
  sourceRoles: readonly string[],
  goal: StagingGoal,
  staging: Staging,
  task: Task,
): Promise<RelayedArchive | undefined> {
  const from = source.manifest.schema;
  if (from === null || staging.schema === null || staging.schema === from) return undefined;
  const roles = goal.engine.roleNames(goal.project);
  const renames = renamedSchema({
    schema: { from, to: staging.schema },
    roles: sourceRoles.map((name, index) => ({ from: name, to: roles[index] ?? name })),
    internalRoles: source.manifest.internalRoles.map((name) => roles[sourceRoles.indexOf(name)] ?? name),
  });
  return await relayArchive(deps, source, renames, task);
}
