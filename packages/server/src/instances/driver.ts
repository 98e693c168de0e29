import type { PostgresTarget } from '../postgres/target.ts';
import type { InstanceRecord } from './record.ts';

/** A server that answers queries, and a signal for its end. */
export interface RunningServer {
  /** Aborted when the server has ended for any reason. */
  readonly ended: AbortSignal;
  /** Stops watching the process; the server continues to run. */
  unwatch(): void;
}

/** Where the control plane stores its own facts about an instance, with every driver. */
export interface InstancePlaces {
  readonly root: string;
  readonly record: string;
  readonly secret: string;
  readonly standing: string;
}

/**
 * What differs between kinds of runtime: how a server is created, started, stopped and deleted. Which servers should run, the
 * order of calls, and what happens after a crash are decided by the supervisor, in the same way for all kinds.
 */
export interface InstanceDriver<Server extends RunningServer = RunningServer> {
  readonly kind: 'local' | 'docker';
  /** Prepares what all instances share; called once, first. */
  prepare(signal?: AbortSignal): Promise<void>;
  placesOf(id: string): InstancePlaces;
  /** @throws FluxError `postgres_missing` when servers of this major cannot be created here */
  requireMajor(major: number, signal?: AbortSignal): Promise<void>;
  /** Where data of an instance is that lies outside of its folder, whether or not there is one; undefined when there is none. */
  dataOutside?(id: string): Promise<string | undefined>;
  /** Creates the data of a new server. The record and the password have been written by then. */
  makeData(record: InstanceRecord, password: string, signal?: AbortSignal): Promise<void>;
  /** Starts a server, or adopts the one that already runs on its data, and returns when it answers. */
  launch(record: InstanceRecord, password: string, signal?: AbortSignal): Promise<Server>;
  /** Stops the server, even one that this control plane did not start. */
  halt(id: string, server: Server | undefined): Promise<void>;
  /** Stops what runs and deletes everything, the record last. Does nothing when nothing exists. */
  remove(id: string): Promise<void>;
  /** Stops what runs and moves everything to the trash. Does nothing when nothing exists. */
  discard(id: string, at: Date): Promise<void>;
  /** Removes what a discarded instance has outside of its folder, before that is deleted. */
  forget?(folder: string): Promise<void>;
  /** What is missing or broken in an instance; undefined when it looks complete. */
  damageOf(id: string): Promise<{ readonly state: 'missing' | 'corrupted'; readonly problem: string } | undefined>;
  /** The last lines of the server's log. */
  lastWords(id: string): Promise<string>;
  /** How the superuser connects. */
  targetOf(record: InstanceRecord, password: string, server: Server | undefined, database: string | undefined): PostgresTarget;
  /** Called every 30 seconds while an instance is supervised. */
  tidy(id: string): Promise<void>;
}
