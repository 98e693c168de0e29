import type { ContainerCreateOptions } from 'dockerode';
import { type DockerEngine, LABELS, labelsOf } from '../../instances/docker/engine.ts';
import { bind, memoryFolder, script, walls } from '../../instances/docker/isolation.ts';
import { makerLabel } from '../../instances/docker/run-tool.ts';
import { DISPOSABLE_DATA, RUN_DISPOSABLE } from '../../instances/docker/scripts.ts';
import type { DisposableLimits } from '../provider.ts';

/** All that one disposable container is made from. */
export interface DisposableSetting {
  readonly engine: DockerEngine;
  readonly id: string;
  readonly image: string;
  readonly major: number;
  readonly limits: DisposableLimits;
  /** The archive on the host, readable by any account. */
  readonly archivePath: string;
  /** The folder of the socket on the host. */
  readonly socketFolder: string;
  /** Bytes set aside in memory for the data; null for a volume on disk. */
  readonly memoryBytes: number | null;
}

/** Where things are inside. */
export const INSIDE = { socket: '/flux/socket', archive: '/flux/archive' } as const;

/** Name of the container, and of its volume where it has one. */
export function disposableName({ engine, id }: Pick<DisposableSetting, 'engine' | 'id'>): string {
  return `flux-${engine.owner}-d-${id}`;
}

/** Nothing here outlives a crash, and nothing needs to: the instance is thrown away. */
const SETTINGS = {
  listen_addresses: '',
  unix_socket_directories: INSIDE.socket,
  // The folder around it, which only the control plane can enter, keeps others away.
  unix_socket_permissions: '0777',
  fsync: 'off',
  full_page_writes: 'off',
  synchronous_commit: 'off',
  wal_level: 'minimal',
  max_wal_senders: '0',
  max_wal_size: '16GB',
  checkpoint_timeout: '1h',
  autovacuum: 'off',
  jit: 'off',
  max_parallel_maintenance_workers: '0',
  max_connections: '32',
  // A restore in one transaction holds a lock on every table.
  max_locks_per_transaction: '4096',
  // A server that restarts after a crash of a backend has lost what was not durable, which is everything.
  restart_after_crash: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
  lc_messages: 'C',
  // Only the SQLSTATE, to tell a full disk from a broken archive.
  log_line_prefix: '%e ',
  log_min_error_statement: 'panic',
  log_checkpoints: 'off',
};

/** A container with no network, no privileges, nothing to write to but bounded memory or its own volume, and bounds on all else. */
export async function disposableContainer(setting: DisposableSetting): Promise<ContainerCreateOptions> {
  const { engine, limits, memoryBytes } = setting;
  const shared = `${Math.floor(Math.min(128 * 2 ** 20, limits.memoryBytes / 8) / 1024)}kB`;
  const settings = Object.entries({ ...SETTINGS, shared_buffers: shared }).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const data = memoryBytes === null ? {} : { [DISPOSABLE_DATA]: memoryFolder(memoryBytes) };
  return {
    name: disposableName(setting),
    Image: setting.image,
    ...script(RUN_DISPOSABLE, [String(setting.major), ...settings]),
    Env: ['TZ=UTC'],
    Labels: labelsOf(engine, 'disposable', { [LABELS.maker]: await makerLabel() }),
    NetworkDisabled: true,
    HostConfig: {
      ...walls(),
      NetworkMode: 'none',
      Mounts: [
        bind(setting.socketFolder, INSIDE.socket, 'write'),
        bind(setting.archivePath, INSIDE.archive, 'read'),
        ...(memoryBytes === null
          ? [
              {
                Type: 'volume' as const,
                Source: disposableName(setting),
                Target: DISPOSABLE_DATA,
                ReadOnly: false,
                Consistency: 'default' as const,
              },
            ]
          : []),
      ],
      Tmpfs: { '/tmp': memoryFolder(64 * 2 ** 20), ...data },
      ShmSize: 128 * 2 ** 20,
      // What lies in a folder in memory counts too. Without swap: a bound that is reached ends the restore, it does not slow the host.
      Memory: limits.memoryBytes,
      MemorySwap: limits.memoryBytes,
      // A few more than the bound, so that it is seen exceeded instead of the server failing to fork.
      PidsLimit: limits.processes + 16,
      OomScoreAdj: 1000,
      Ulimits: [{ Name: 'core', Soft: 0, Hard: 0 }],
      LogConfig: { Type: 'json-file', Config: { 'max-size': '8m', 'max-file': '1' } },
    },
  };
}
