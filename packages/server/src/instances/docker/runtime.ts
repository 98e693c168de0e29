import type { Clock } from '../../system/clock.ts';
import type { Log } from '../../system/log.ts';
import type { InstanceRuntime } from '../instance.ts';
import { createInstanceRuntime } from '../runtime.ts';
import type { InstanceLimits } from './container.ts';
import { createDockerDriver } from './driver.ts';
import type { DockerEngine } from './engine.ts';

export interface DockerRuntimeOptions {
  readonly engine: DockerEngine;
  /** Image of a server; `{major}` is replaced by its major version. */
  readonly image: string;
  /** Records and passwords are stored in its folder `instances`; data is stored in volumes. */
  readonly dataFolder: string;
  /** For sockets: a short path. */
  readonly runFolder: string;
  readonly limits?: InstanceLimits;
  readonly log: Log;
  readonly clock: Clock;
}

const LIMITS: InstanceLimits = { memoryBytes: 2 * 2 ** 30, processes: 512 };

/** Runs Postgres servers in containers of this host's Docker. Nothing happens before `open`. */
export function createDockerRuntime({ log, clock, limits = LIMITS, ...options }: DockerRuntimeOptions): InstanceRuntime {
  return createInstanceRuntime({ driver: createDockerDriver({ ...options, limits, log }), log, clock });
}
