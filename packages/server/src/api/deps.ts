import type { EngineKind } from '@flux/contract/labels';
import type { AccessLevel } from '@flux/contract/token';
import type { TokenDeps } from '../access/tokens.ts';
import type { CreateDeps } from '../backups/create.ts';
import type { QuotaDeps } from '../backups/quota.ts';
import type { SigningDeps } from '../backups/receipt/keys.ts';
import type { Catalog } from '../catalog/open.ts';
import type { BoundOperation } from '../operations/define.ts';
import type { Lease } from '../operations/lease.ts';
import type { CreateProjectDeps } from '../projects/create.ts';
import type { CredentialsDeps } from '../projects/credentials.ts';
import type { DoctorDeps } from '../projects/doctor.ts';
import type { ExtensionDeps } from '../projects/extensions.ts';
import type { PushDeps } from '../projects/push.ts';
import type { RequestRestoreDeps } from '../projects/restore.ts';
import type { Clock } from '../system/clock.ts';
import type { Log } from '../system/log.ts';
import type { Metrics } from '../system/metrics.ts';
import type { Seal } from '../system/seal.ts';
import type { ConnectionLimits } from './bounded-server.ts';
import type { AnswerChecks } from './check-answer.ts';

/** What every route uses: admission, Idempotency-Keys, answers. */
export interface RouterDeps extends TokenDeps {
  readonly limits: {
    /** Names that the API answers to, besides addresses and those of this host. */
    readonly hosts: readonly string[];
    readonly ratePerMinute: number | undefined;
    readonly connections: ConnectionLimits;
    readonly answerChecks: AnswerChecks;
  };
  readonly seal: Seal;
  readonly log: Log;
  /** Aborted when the control plane is stopping: waits and streams end then. */
  readonly stopping: AbortSignal;
}

/** What telling about this server uses. */
export interface HealthDeps {
  readonly catalog: Catalog;
  readonly version: string;
  readonly metrics: Metrics;
  /** Who may read `/metrics`. */
  readonly metricsFor: 'token' | 'loopback' | 'open' | 'off';
  readonly stopping: AbortSignal;
  readonly lease: Pick<Lease, 'isHeld'>;
}

/** What the use cases of backups use that a request calls; `restoreAsSuperuser` is whether the operator allows that, and `downloadAccess` the level that a download needs. */
export type BackupRouteDeps = CreateDeps &
  QuotaDeps &
  RequestRestoreDeps & { readonly restoreAsSuperuser: 'on' | 'off'; readonly downloadAccess: AccessLevel };

/** What the use cases of projects use that a request calls; `publicUrl` is where people reach the control plane. */
export type ProjectRouteDeps = CreateProjectDeps &
  RequestRestoreDeps &
  PushDeps &
  QuotaDeps &
  DoctorDeps &
  ExtensionDeps &
  CredentialsDeps & { readonly publicUrl: string };

/** What tokens, the keys of receipts and the examination of the server use. */
export type AccountRouteDeps = TokenDeps & SigningDeps & DoctorDeps & { readonly defaultMode: EngineKind };

/** What following and cancelling operations uses. */
export interface OperationRouteDeps {
  readonly catalog: Catalog;
  readonly clock: Clock;
  readonly log: Log;
  readonly kinds: ReadonlyMap<string, BoundOperation>;
}

/** What the HTTP floor uses: a part for each of its resources, whose handlers hand it on to use cases. */
export interface ApiDeps {
  readonly http: RouterDeps;
  readonly health: HealthDeps;
  readonly account: AccountRouteDeps;
  readonly projects: ProjectRouteDeps;
  readonly backups: BackupRouteDeps;
  readonly operations: OperationRouteDeps;
}
