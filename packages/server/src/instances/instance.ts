import type { PostgresTarget } from '../postgres/target.ts';

/** Name of an instance: `[a-z0-9-]{1,40}`; `catalog` and `shared` are taken, a dedicated one is `p-<12 hex>`. */
export type InstanceId = string;

/** The specification of a new instance. */
export interface InstanceSpec {
  readonly id: InstanceId;
  readonly major: number;
  /** `none`: Unix socket only. `loopback`: also a TCP port on 127.0.0.1, chosen once for the life of the instance. */
  readonly network: 'none' | 'loopback';
  /** Settings of the server beyond the runtime's own, as plain values: nothing is quoted. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** State of an instance as it is now, not as it was recorded. */
export type InstanceState = 'running' | 'starting' | 'stopped' | 'failing' | 'missing' | 'corrupted';

/** What is known about an instance. */
export interface InstanceStatus {
  readonly id: InstanceId;
  readonly state: InstanceState;
  readonly major: number;
  /** TCP port on loopback, null without one. */
  readonly port: number | null;
  /** How often the server ended unexpectedly and was restarted by the supervisor. */
  readonly restarts: number;
  readonly lastRestartAt: Date | null;
  /** Why it is failing or corrupted, in a sentence. */
  readonly problem: string | null;
}

/**
 * Runs Postgres servers and keeps them running. Its state is on its own disk or in its own engine, so that it works
 * before the catalog does and finds its servers again after the control plane was killed.
 */
export interface InstanceRuntime {
  readonly kind: 'local' | 'docker';
  /** Adopts every instance that exists, starts those that should run, begins supervising. Call once. */
  open(signal?: AbortSignal): Promise<void>;
  /**
   * Creates and starts an instance and returns when it answers queries. Repeating it for an id that exists starts that one.
   * A failure half-way leaves nothing behind.
   *
   * @throws FluxError `postgres_missing`, `volume_full`, `volume_unusable`, `instance_unavailable`
   */
  create(spec: InstanceSpec, signal?: AbortSignal): Promise<void>;
  /** Starts a stopped instance; returns when it answers queries. Does nothing when it is running. */
  start(id: InstanceId, signal?: AbortSignal): Promise<void>;
  /** Stops an instance until `start`, also across restarts of the control plane. Fast shutdown, then SIGKILL after 30 s. */
  stop(id: InstanceId): Promise<void>;
  /** Replaces the settings of its specification and starts it again with them; does nothing when it has them. Its sessions end. */
  configure(id: InstanceId, settings: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<void>;
  /** Stops an instance and deletes it with its data. Does nothing when it does not exist. */
  remove(id: InstanceId): Promise<void>;
  /**
   * Stops an instance and moves it to the trash, under a name that begins with the time. Does nothing when it does not exist.
   *
   * @param at from when on it is kept: the latest time that was seen, because a clock that is behind would let it go early
   */
  discard(id: InstanceId, at: Date): Promise<void>;
  /**
   * Deletes what has lain in the trash for longer than a time. What cannot be deleted is tried again by the next call.
   *
   * @param onProblem told of each that could not be deleted
   * @returns the names of what was deleted
   */
  emptyTrash(olderThanMs: number, now: Date, onProblem: (name: string, error: unknown) => void): Promise<readonly string[]>;
  /** The text that was written beside the data of an instance; undefined when there is none. */
  readStanding(id: InstanceId): Promise<string | undefined>;
  /** Writes a text beside the data of an instance, durably. Does nothing when the instance does not exist. */
  writeStanding(id: InstanceId, text: string): Promise<void>;
  status(id: InstanceId): Promise<InstanceStatus>;
  list(): Promise<readonly InstanceStatus[]>;
  /**
   * How the superuser connects, for the control plane only (Unix socket, scram password).
   *
   * @throws FluxError `not_found` for an unknown id
   */
  superuser(id: InstanceId, database?: string): PostgresTarget;
  /** Ends supervision. `stop`: instances are shut down too; `keep`: they continue and are found again by `open`. */
  close(how: 'stop' | 'keep'): Promise<void>;
}
