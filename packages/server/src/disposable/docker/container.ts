import type { ContainerCreateOptions } from 'dockerode';
import { type DockerEngine, LABELS, labelsOf } from '../../instances/docker/engine.ts';
import { bind, isolationOptions, memoryFolder, script } from '../../instances/docker/isolation.ts';
import { makerLabel } from '../../instances/docker/run-tool.ts';
import { DISPOSABLE_DATA, RUN_DISPOSABLE } from '../../instances/docker/scripts.ts';
import { type ServerSettings, settingArguments } from '../../postgres/server-settings.ts';
import type { DisposableLimits } from '../provider.ts';
import { disposableSettings } from '../settings.ts';

/** The specification of one disposable container. */
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
  /** Settings beyond those of every disposable server: libraries that it loads at its start. */
  readonly preload?: ServerSettings | undefined;
  /** Bytes reserved in memory for the data; null for a volume on disk. */
  readonly memoryBytes: number | null;
}

/** Paths inside the container. */
export const INSIDE = { socket: '/flux/socket', archive: '/flux/archive' } as const;

/** Name of the container, and of its volume where it has one. */
export function disposableName({ engine, id }: Pick<DisposableSetting, 'engine' | 'id'>): string {
  return `flux-${engine.owner}-d-${id}`;
}

/** A container without network or privileges, which can write only to limited memory or its own volume, with limits on everything else. */
export async function disposableContainer(setting: DisposableSetting): Promise<ContainerCreateOptions> {
  const { engine, limits, memoryBytes } = setting;
  // Access to the socket is restricted by its parent folder, which only the control plane can enter.
  const settings = settingArguments({
    ...disposableSettings(limits, { socketFolder: INSIDE.socket, socketMode: '0777' }),
    ...setting.preload,
  });
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
      // Includes tmpfs. Without swap: reaching the limit ends the restore instead of slowing the host.
      Memory: limits.memoryBytes,
      MemorySwap: limits.memoryBytes,
      // A few more than the limit, so that the watchdog sees it exceeded before the server fails to fork.
      PidsLimit: limits.processes + 16,
      OomScoreAdj: 1000,
      Ulimits: [{ Name: 'core', Soft: 0, Hard: 0 }],
      LogConfig: { Type: 'json-file', Config: { 'max-size': '8m', 'max-file': '1' } },
    },
  };
}
