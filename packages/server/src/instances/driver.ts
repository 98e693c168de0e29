import type { PostgresTarget } from '../postgres/target.ts';
import type { InstanceRecord } from './record.ts';

/** A server that answers, and the news of its end. */
export interface RunningServer {
  /** Aborted when the server has ended, however. */
  readonly ended: AbortSignal;
  /** Stops looking whether it lives; the server goes on. */
  unwatch(): void;
}

/** Where the control plane keeps what it must know about an instance, whatever houses its server. */
export interface InstancePlaces {
  readonly root: string;
  readonly record: string;
  readonly secret: string;
}

/**
 * What one kind of runtime has of its own: how a server is made, brought up, stopped and deleted. Which of them should run, who
 * waits for whom, and what happens after a crash is decided above, alike for all kinds.
 */
export interface Housing<Server extends RunningServer = RunningServer> {
  readonly kind: 'local' | 'docker';
  /** Prepares what all instances share; called once, first. */
  prepare(signal?: AbortSignal): Promise<void>;
  placesOf(id: string): InstancePlaces;
  /** @throws FluxError `postgres_missing` when servers of this major cannot be made here */
  requireMajor(major: number, signal?: AbortSignal): Promise<void>;
  /** Makes the data of a new server. The record and the password are in their places by then. */
  makeData(record: InstanceRecord, password: string, signal?: AbortSignal): Promise<void>;
  /** Brings a server up, or takes up the one that already runs on its data, and returns when it answers. */
  launch(record: InstanceRecord, password: string, signal?: AbortSignal): Promise<Server>;
  /** Stops the server, also one that nobody here has launched. */
  halt(id: string, server: Server | undefined): Promise<void>;
  /** Stops whatever runs and deletes everything, the record last; nothing happens when nothing is there. */
  remove(id: string): Promise<void>;
  /** What is wrong with what an instance consists of; undefined when it looks whole. */
  damageOf(id: string): Promise<{ readonly state: 'missing' | 'corrupted'; readonly problem: string } | undefined>;
  /** The last lines of the server's log. */
  lastWords(id: string): Promise<string>;
  /** The superuser's way in. */
  targetOf(record: InstanceRecord, password: string, server: Server | undefined, database: string | undefined): PostgresTarget;
  /** Called now and then while an instance is supervised. */
  tidy(id: string): Promise<void>;
}
