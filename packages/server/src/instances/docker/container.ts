import type { ContainerCreateOptions } from 'dockerode';
import { settingArguments } from '../../postgres/server-settings.ts';
import type { InstanceRecord } from '../record.ts';
import { instanceSettings } from '../settings.ts';
import { type DockerEngine, LABELS, labelsOf } from './engine.ts';
import { imageOf } from './images.ts';
import { bind, isolationOptions, memoryFolder, script } from './isolation.ts';
import { DATA_VOLUME, healthCheck, RUN_SERVER } from './scripts.ts';

/** Limits of one instance. */
export interface InstanceLimits {
  readonly memoryBytes: number;
  readonly processes: number;
}

/** Folder of the server's socket inside the container. */
const SOCKET = '/flux/socket';
const PORT = '5432/tcp';
const SECOND_NS = 1e9;

/** Name of the container, and of the volume, of an instance. */
export function nameOf(engine: DockerEngine, id: string): string {
  return `flux-${engine.owner}-${id}`;
}

/** The container of an instance, built from its record and recreated at each start; only the volume persists. */
export function instanceContainer(
  engine: DockerEngine,
  record: InstanceRecord,
  options: { readonly image: string; readonly socketFolder: string; readonly limits: InstanceLimits },
): ContainerCreateOptions {
  const { id, major, network } = record.spec;
  // Access to the socket is restricted by its parent folder, which only the control plane can enter.
  const settings = instanceSettings(record.spec, { tcpAddresses: '*', socketFolder: SOCKET, socketMode: '0777' });
  return {
    name: nameOf(engine, id),
    Image: imageOf(options.image, major),
    ...script(RUN_SERVER, [String(major), ...settingArguments(settings)]),
    Env: ['TZ=UTC'],
    Labels: labelsOf(engine, 'instance', { [LABELS.instance]: id }),
    // Fast shutdown: no new connections, open transactions rolled back, a checkpoint.
    StopSignal: 'SIGINT',
    Healthcheck: {
      Test: ['CMD-SHELL', healthCheck(major, SOCKET)],
      Interval: 10 * SECOND_NS,
      Timeout: 5 * SECOND_NS,
      Retries: 3,
      StartPeriod: 60 * SECOND_NS,
    },
    ExposedPorts: { [PORT]: {} },
    HostConfig: {
      ...isolationOptions(),
      NetworkMode: network === 'none' ? 'none' : 'bridge',
      PortBindings: record.port === null ? {} : { [PORT]: [{ HostIp: '127.0.0.1', HostPort: String(record.port) }] },
      Mounts: [
        { Type: 'volume', Source: nameOf(engine, id), Target: DATA_VOLUME, ReadOnly: false, Consistency: 'default' },
        bind(options.socketFolder, SOCKET, 'write'),
      ],
      Tmpfs: { '/tmp': memoryFolder(64 * 2 ** 20) },
      Memory: options.limits.memoryBytes,
      PidsLimit: options.limits.processes,
      // Docker's default of 64 MiB is too little for a parallel query.
      ShmSize: 256 * 2 ** 20,
      LogConfig: { Type: 'json-file', Config: { 'max-size': '8m', 'max-file': '2' } },
    },
  };
}
