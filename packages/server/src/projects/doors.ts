import type { EngineKind } from '@flux/contract/labels';
import type { Catalog } from '../catalog/open.ts';
import type { ProjectRow } from '../catalog/projects.ts';
import type { Engine, EngineProject, ProjectSecrets } from '../engines/engine.ts';
import type { Lease } from '../operations/lease.ts';
import type { RunDeps } from '../operations/run.ts';
import type { Clock } from '../system/clock.ts';
import type { Log } from '../system/log.ts';

/** Everything outside that projects reach, handed in by `compose.ts`. */
export interface ProjectDoors {
  readonly catalog: Catalog;
  readonly engines: ProjectEngines;
  /** Where people reach the control plane: `http://host:port`. */
  readonly publicUrl: string;
  readonly defaultMode: EngineKind;
  /** For how long what a restore in place has replaced is kept for an undo. */
  readonly undoKeepMs: number;
  readonly operations: RunDeps;
  readonly lease: Lease;
  readonly clock: Clock;
  readonly log: Log;
}

/** Finds engines, and seals what they must remember. */
export interface ProjectEngines {
  of(project: ProjectRow): { readonly engine: Engine; readonly project: EngineProject };
  sealSecrets(secrets: ProjectSecrets): Buffer;
}
