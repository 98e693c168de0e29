import type { EngineKind } from '@flux/contract/labels';
import type { BackupDoors } from '../backups/doors.ts';
import type { Catalog } from '../catalog/open.ts';
import type { BoundOperation } from '../operations/define.ts';
import type { Lease } from '../operations/lease.ts';
import type { Machine } from '../projects/doctor.ts';
import type { ProjectDoors } from '../projects/doors.ts';
import type { Clock } from '../system/clock.ts';
import type { Log } from '../system/log.ts';
import type { Metrics } from '../system/metrics.ts';
import type { Seal } from '../system/seal.ts';
import type { AnswerChecks } from './check-answer.ts';

/** Everything that the HTTP floor reaches, handed in by `compose.ts`. */
export interface ApiDeps {
  readonly catalog: Catalog;
  readonly backups: BackupDoors;
  readonly projects: ProjectDoors;
  readonly machine: Machine;
  readonly defaultMode: EngineKind;
  readonly seal: Seal;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly kinds: ReadonlyMap<string, BoundOperation>;
  readonly version: string;
  /** Aborted when the control plane is stopping: waits and streams end then. */
  readonly stopping: AbortSignal;
  readonly lease: Pick<Lease, 'isHeld'>;
  readonly answerChecks: AnswerChecks;
}
