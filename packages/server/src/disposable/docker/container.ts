import type { ContainerCreateOptions } from 'dockerode';
import { type DockerEngine, LABELS, labelsOf } from '../../instances/docker/engine.ts';
import { bind, isolationOptions, memoryFolder, script } from '../../instances/docker/isolation.ts';
import { makerLabel } from '../../instances/docker/run-tool.ts';
import { DISPOSABLE_DATA, RUN_DISPOSABLE } from '../../instances/docker/scripts.ts';
import { settingArguments } from '../../postgres/server-settings.ts';
import type { DisposableLimits } from '../provider.ts';
import { disposableSettings } from '../settings.ts';

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

/** A container with no network, no privileges, nothing to write to but bounded memory or its own volume, and bounds on all else. */
export async function disposableContainer(setting: DisposableSetting): Promise<ContainerCreateOptions> {
  const { engine, limits, memoryBytes } = setting;
  // The folder around the socket, which only the control plane can enter, keeps others away.
  const settings = settingArguments(disposableSettings(limits, { socketFolder: INSIDE.socket, socketMode: '0777' }));
  const data = memoryBytes === null ? {} : { [DISPOSABLE_DATA]: memoryFolder(memoryBytes) };
  return {
    name: disposableName(setting),
    Image: setting.image,
    ...script(RUN_DISPOSABLE, [String(setting.major), ...settings]),
    Env: ['TZ=UTC'],
    Labels: labelsOf(engine, 'disposable', { [LABELS.maker]: await makerLabel() }),
    NetworkDisabled: true,
    HostConfig: {
      ...isolationOptions(),
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
