import type { Readable } from 'node:stream';
import type { Difference } from '@flux/contract/backup';
import type { Progress } from '@flux/contract/operation';
import type { ArtifactStore } from '../artifacts/store.ts';
import type { Catalog } from '../catalog/open.ts';
import type { ProjectRow } from '../catalog/projects.ts';
import type { DisposableLimits, DisposableProvider } from '../disposable/provider.ts';
import type { BackupSource, Engine, EngineProject } from '../engines/engine.ts';
import type { OperationQueue } from '../operations/request.ts';
import type { ChangeMarks } from '../postgres/change-marks.ts';
import type { DatabaseLook } from '../postgres/look.ts';
import type { Arbiter, ChangedDefinition } from '../postgres/manifest/changed-definitions.ts';
import type { Manifest } from '../postgres/manifest.ts';
import type { RestoreOutcome } from '../postgres/restore.ts';
import type { ArchiveRestore } from '../postgres/restore-archive.ts';
import type { PostgresTarget } from '../postgres/target.ts';
import type { Clock } from '../system/clock.ts';
import type { Log } from '../system/log.ts';
import type { ProcessResult } from '../system/process.ts';
import type { Seal } from '../system/seal.ts';

/** Everything outside that the backup workflow reaches, handed in by `compose.ts`. */
export interface BackupDoors {
  readonly catalog: Catalog;
  readonly store: ArtifactStore;
  readonly queue: OperationQueue;
  readonly engines: EngineDirectory;
  readonly postgres: PostgresDoor;
  readonly disposables: DisposableProvider;
  readonly verifyLimits: DisposableLimits;
  readonly backupTimeoutMs: number;
  /** Opens the key that signs receipts. */
  readonly seal: Seal;
  /** Version of this control plane, as receipts say it. */
  readonly fluxVersion: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** Finds the engine of a project and opens its secrets for it. */
export interface EngineDirectory {
  of(project: ProjectRow): { readonly engine: Engine; readonly project: EngineProject };
}

/** A dump in progress: one snapshot of the source, seen by pg_dump and by the manifest alike. */
export interface DumpSession extends AsyncDisposable {
  /** Ends whatever runs under the session, with this reason. */
  abort(reason: unknown): void;
  /** Version of the source server, for example `15.18`. */
  readonly serverVersion: string;
  /** Where the counters of changes stood just before the snapshot. */
  readonly changeMarks: ChangeMarks | undefined;
  /** Size of what will be dumped, in bytes on the server's disk: an estimate for progress. */
  readonly estimatedBytes: number;
  /** Runs pg_dump under the snapshot; resolves only when pg_dump has ended with status 0. @throws FluxError `dump_failed` */
  dump(onStdout: (bytes: Readable) => Promise<void>): Promise<void>;
  /** Records what the dump must contain, under the same snapshot. */
  recordManifest(onProgress: (progress: Progress) => void): Promise<Manifest>;
  /** Adds what can only be known when the dump has ended: how far busy sequences have gone meanwhile. */
  completeManifest(manifest: Manifest): Promise<Manifest>;
}

/** What a restored database was found to hold. */
export interface Comparison {
  readonly differences: readonly Difference[];
  readonly tablesCompared: number;
  readonly rowsCompared: number;
  readonly objectsCompared: Readonly<Record<string, number>>;
}

/** Postgres and its tools, as the backup workflow uses them. */
export interface PostgresDoor {
  /** @throws FluxError `postgres_missing` before anything runs, `instance_unavailable` */
  openDump(source: BackupSource, signal: AbortSignal): Promise<DumpSession>;
  /** Walks every block of an archive. Resolves with what is wrong with it, or undefined; bytes behind the damage are not taken. */
  findArchiveDamage(bytes: AsyncIterable<Buffer>): Promise<string | undefined>;
  /** Runs SQL of ours (prerequisites) as the superuser of a disposable instance; `problem` is what the server says against it. @throws when it could not be asked */
  runSql(target: PostgresTarget, sql: string, signal: AbortSignal): Promise<{ readonly problem: string | undefined }>;
  restoreArguments(manifest: Manifest): readonly string[];
  interpretRestore(result: ProcessResult): RestoreOutcome;
  /** Looks at a database that is not ours. @throws FluxError `instance_unavailable` */
  lookAt(target: PostgresTarget, signal: AbortSignal): Promise<DatabaseLook>;
  /** Restores an archive into a database that stays, as an ordinary role. @throws FluxError `artifact_invalid`, `postgres_missing` */
  restoreArchive(
    request: Omit<ArchiveRestore, 'tools' | 'account' | 'scratchFolder' | 'signal'> & { readonly major: number },
    signal: AbortSignal,
  ): Promise<RestoreOutcome>;
  /**
   * Asks the restored database the questions of the manifest and compares. Nothing of the database is executed there.
   *
   * @param arbiter decides about definitions that Postgres words differently; asked only when there are any
   */
  compareRestored(
    target: PostgresTarget,
    manifest: Manifest,
    arbiter: Arbiter,
    onProgress: (progress: Progress) => void,
    signal: AbortSignal,
  ): Promise<Comparison>;
  /** Creates objects once more to see which definitions are the same, see `findEqualDefinitions`: in a disposable instance only. */
  findEqualDefinitions(superuser: PostgresTarget, changed: readonly ChangedDefinition[], signal: AbortSignal): Promise<ReadonlySet<string>>;
}
