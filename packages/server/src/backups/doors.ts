import type { ArtifactStore } from '../artifacts/store.ts';
import type { Catalog } from '../catalog/open.ts';
import type { ProjectRow } from '../catalog/projects.ts';
import type { DisposableLimits, DisposableProvider } from '../disposable/provider.ts';
import type { Engine, EngineProject } from '../engines/engine.ts';
import type { OperationQueue } from '../operations/request.ts';
import type { PostgresPrograms } from '../postgres/programs.ts';
import type { Clock } from '../system/clock.ts';
import type { Log } from '../system/log.ts';
import type { Seal } from '../system/seal.ts';

/** Everything outside that the backup workflow reaches, handed in by `compose.ts`. */
export interface BackupDoors {
  readonly catalog: Catalog;
  readonly store: ArtifactStore;
  readonly queue: OperationQueue;
  readonly engines: EngineDirectory;
  readonly programs: PostgresPrograms;
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
