import type { Readable } from 'node:stream';
import type { IsolationKind } from '../instances/sandbox/sandbox.ts';
import type { DatabaseLocale } from '../postgres/database-locale.ts';
import type { HostNeeds } from '../postgres/manifest/host-needs.ts';
import type { SessionSettings } from '../postgres/session-settings.ts';
import type { PostgresTarget } from '../postgres/target.ts';
import type { ProcessResult } from '../system/process.ts';

/** Limits of one disposable instance. One that exceeds them is stopped, and `exceeded` names the limit. */
export interface DisposableLimits {
  readonly memoryBytes: number;
  readonly diskBytes: number;
  readonly processes: number;
  readonly wallClockMs: number;
}

/** The requirements of a disposable instance. */
export interface DisposableRequest {
  readonly major: number;
  /** Expected size of the restored database; decides between memory and disk. */
  readonly expectedBytes: number;
  readonly limits: DisposableLimits;
  /** Of the source database, so that text sorts the same way. */
  readonly locale: DatabaseLocale;
  /** lc_monetary for the restore; absent for that of the server. */
  readonly moneyLocale?: string | undefined;
  /** Extensions that the backup needs; plain names. */
  readonly extensions: readonly { readonly name: string; readonly schema: string }[];
  /** What else it needs of its server; undefined when that is not known. */
  readonly needs: HostNeeds | undefined;
  /** File that programs inside may read, under `DisposableInstance.archivePath`. */
  readonly archivePath: string;
  readonly signal: AbortSignal;
}

/** Which limit was exceeded. */
export type LimitExceeded = { readonly limit: 'memory' | 'disk' | 'processes' | 'time'; readonly message: string };

/** How a disposable server is isolated. `off` only when the operator chose it. */
export type SandboxKind = IsolationKind | 'docker';

/** A pg_dump of the restored database. What it writes comes from the sandbox: it may be anything, and of any length. */
export interface InsideDump {
  readonly args: readonly string[];
  /** What its session begins with. */
  readonly settings: SessionSettings;
  readonly onStdout: (stdout: Readable) => Promise<void>;
}

/**
 * A Postgres that exists for one verification. Nothing that runs in it reaches the network, the host's files or another
 * process; disposing of it kills every process inside and removes every byte.
 */
export interface DisposableInstance extends AsyncDisposable {
  readonly sandbox: SandboxKind;
  readonly postgresVersion: string;
  /** The superuser of the disposable server, over its Unix socket; database `flux_restore` is empty and was created from template0 with the requested locale. */
  readonly superuser: PostgresTarget;
  /**
   * Runs pg_restore inside the sandbox against the superuser's database, with the archive. `args` are further options.
   * A failing exit status is a value.
   */
  pgRestore(args: readonly string[]): Promise<ProcessResult>;
  /**
   * Runs pg_dump inside the sandbox against the superuser's database. A failing exit status is a value; the error of `onStdout` is thrown.
   *
   * @throws FluxError `verification_inconclusive` when there is no pg_dump here
   */
  pgDump(dump: InsideDump): Promise<ProcessResult>;
  /** The limit that was exceeded, if any; then everything inside has already been killed. */
  exceeded(): LimitExceeded | undefined;
  /** True when the server ended or restarted unexpectedly since it was ready: its answers since then prove nothing. */
  crashed(): boolean;
  /** Aborted when the instance has ended for any reason (limit, crash, dispose). */
  readonly gone: AbortSignal;
}

/** Creates disposable instances. */
export interface DisposableProvider {
  /** Null when none can be created here: `open` then rejects. */
  readonly sandbox: SandboxKind | null;
  /**
   * @throws FluxError `sandbox_unavailable`, `postgres_missing`, `volume_full`, `verification_inconclusive`
   */
  open(request: DisposableRequest): Promise<DisposableInstance>;
  /** Removes what a killed control plane left behind. Call once at start, before the first `open`. */
  sweep(): Promise<void>;
  /**
   * Keeps one instance of this major ready from now on, started in the background and replaced after each use, so that `open`
   * need not wait. None is used twice. MAY be absent, and MAY remove the instance while memory is short.
   */
  keepReady?(major: number, limits: DisposableLimits): void;
  /** Removes the instances that were kept ready; those that `open` returned belong to their callers. Nothing can be opened afterwards. */
  close?(): Promise<void>;
}
