import { FluxError } from '@flux/contract/errors';
import type { EngineKind } from '@flux/contract/labels';
import type { BackupDoors } from '../../backups/doors.ts';
import { arbiterInSandbox } from '../../backups/restore/arbiter.ts';
import type { OpenedBackup } from '../../backups/restore/open.ts';
import { type RelayedArchive, relayArchive } from '../../backups/restore/relay.ts';
import { renamedSchema } from '../../backups/restore/relay-sql.ts';
import type { ProjectRow } from '../../catalog/projects.ts';
import { requireCapability } from '../../engines/capabilities.ts';
import type { Engine, EngineProject } from '../../engines/engine.ts';
import type { Staging, StagingSpec } from '../../engines/staging.ts';
import type { Task } from '../../operations/define.ts';
import type { Manifest } from '../../postgres/manifest.ts';
import { restoreArchive } from '../../postgres/restore-archive.ts';
import type { Comparison } from '../../postgres/restored-database.ts';
import { compareRestored } from '../../postgres/restored-database.ts';
import { unquoteIdentifier } from '../../postgres/sql/quote.ts';
import type { ProjectDoors } from '../doors.ts';
import { judgeRestored } from './judge.ts';

/** Everything that restores into projects reach. */
export interface RestoreDoors {
  readonly backups: BackupDoors;
  readonly projects: ProjectDoors;
}

/** Where a backup is restored to. */
export interface RestoreGoal {
  readonly engine: Engine;
  readonly project: EngineProject;
  readonly place: StagingSpec['place'];
}

/** Data that came back beside the live data and was compared with its manifest: all that is left is to swap it in. */
export interface ProvenStaging {
  readonly staging: Staging;
  readonly comparison: Comparison;
  readonly notes: readonly string[];
}

/**
 * Restores a backup beside the live data of a project and compares it with what was dumped. A failure removes the staging.
 *
 * @param sourceProject the project that the backup is of
 * @throws FluxError `postgres_failed`, `verification_failed`, `invalid_request`
 */
export async function restoreIntoStaging(
  doors: RestoreDoors,
  source: OpenedBackup,
  sourceProject: ProjectRow,
  goal: RestoreGoal,
  task: Task,
): Promise<ProvenStaging> {
  const { manifest, row } = source;
  if (goal.engine.kind === 'v2_shared' && manifest.schema === null)
    throw new FluxError('invalid_request', 'A backup of a whole database cannot become one schema of a pooled cluster.', {
      hint: 'Leave out --mode, or pass --mode v1_dedicated.',
    });
  const names = rolesOf(doors, sourceProject, row.engine);
  task.progress({ phase: 'prepare', message: 'Creating an empty place beside the live data' });
  const staging = await requireCapability(goal.engine, 'staging', goal.project).open(
    goal.project,
    specOf(manifest, names[0] ?? null, goal.place),
    task.signal,
  );
  let relayed: RelayedArchive | undefined;
  try {
    relayed = await renameArchiveSchema(doors, source, names, goal, staging, task);
    const archive = relayed ?? source;
    await loadArchive(doors, archive, manifest, staging, task);
    task.progress({ phase: 'complete', message: 'Restoring owners, grants and the ledger' });
    await staging.complete(archive.manifest.prerequisites);
    const comparison = await compareRestored(
      staging.inspector,
      archive.manifest,
      arbiterInSandbox(doors.backups.sandbox, archive, task),
      task.progress,
      task.signal,
    );
    return { staging, comparison, notes: judgeRestored(comparison, names[0] ?? null, archive.manifest, manifest) };
  } catch (error) {
    await staging
      .discard()
      .catch((failure) => doors.projects.log.warn({ err: failure, project: goal.project.hash }, 'an incomplete restore was left behind'));
    throw error;
  } finally {
    await relayed?.[Symbol.asyncDispose]();
  }
}

/** The names that the project's own roles had where the backup was taken: it may have lived in another engine then. */
function rolesOf({ projects }: RestoreDoors, sourceProject: ProjectRow, engineThen: EngineKind): readonly string[] {
  const { engine, project } = projects.engines.of({ ...sourceProject, engine: engineThen });
  return engine.roleNames(project);
}

function specOf(manifest: Manifest, ownerName: string | null, place: StagingSpec['place']): StagingSpec {
  const { encoding, collate, ctype } = manifest.server;
  const extensions = manifest.objects
    .filter(({ kind, name }) => kind === 'extension' && name !== 'plpgsql')
    .map(({ name, definition }) => ({
      name: unquoteIdentifier(name),
      schema: unquoteIdentifier(String((JSON.parse(definition) as { schema?: unknown }).schema ?? 'public')),
    }));
  return {
    kind: manifest.backupKind,
    place,
    ownerName,
    schema: manifest.schema,
    encoding,
    collate,
    ctype,
    prerequisites: manifest.prerequisites,
    extensions,
  };
}

/** Renames the schema of an archive when the staging has another name for it. */
async function renameArchiveSchema(
  doors: RestoreDoors,
  source: OpenedBackup,
  sourceRoles: readonly string[],
  goal: RestoreGoal,
  staging: Staging,
  task: Task,
): Promise<RelayedArchive | undefined> {
  const from = source.manifest.schema;
  if (from === null || staging.schema === null || staging.schema === from) return undefined;
  const roles = goal.engine.roleNames(goal.project);
  return await relayArchive(
    doors.backups,
    source,
    renamedSchema({
      schema: { from, to: staging.schema },
      roles: sourceRoles.map((name, index) => ({ from: name, to: roles[index] ?? name })),
      internalRoles: source.manifest.internalRoles.map((name) => roles[sourceRoles.indexOf(name)] ?? name),
    }),
    task,
  );
}

async function loadArchive(
  doors: RestoreDoors,
  archive: { readonly path: string; readonly sha256: string },
  manifest: Manifest,
  staging: Staging,
  task: Task,
): Promise<void> {
  task.progress({ phase: 'restore', message: 'Restoring with pg_restore' });
  const outcome = await restoreArchive(doors.backups.programs, {
    major: staging.major,
    path: archive.path,
    sha256: archive.sha256,
    target: staging.target,
    grants: manifest.backupKind === 'tenant_export' ? 'left out' : 'restored',
    transaction: 'statement by statement',
    omits: staging.omits,
    onBytes: (done) => task.progress({ phase: 'restore', message: 'Restoring with pg_restore', done, unit: 'bytes' }),
    signal: task.signal,
  });
  if (outcome.kind === 'success') return;
  task.signal.throwIfAborted();
  throw new FluxError('postgres_failed', `The backup could not be restored: ${outcome.message}`, {
    hint: 'Nothing was changed. What only a superuser may make is not restored into a project; --to restores into any database.',
    details: { toolOutput: outcome.output },
  });
}
