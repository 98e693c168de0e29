import { rm } from 'node:fs/promises';
import type { PostgresToolbox } from '../../postgres/target.ts';
import type { Clock } from '../../system/clock.ts';
import type { Log } from '../../system/log.ts';
import type { Account } from '../../system/process.ts';
import type { InstanceDriver } from '../driver.ts';
import { damageOf, foldersOf, makeReachable, removeFolders } from '../folders.ts';
import type { InstanceRuntime } from '../instance.ts';
import { createInstanceRuntime } from '../runtime.ts';
import { moveToTrash } from '../trash.ts';
import { makeCluster } from './cluster.ts';
import { type LocalServer, launchServer, superuserTarget } from './launch.ts';
import { boundLog, logTail } from './log-file.ts';
import { awaitOrphans, findPostmaster, stopPostmaster } from './postmaster.ts';
import type { Wall } from './wall.ts';

export interface LocalRuntimeOptions {
  /** Instances are stored in its folder `instances`. */
  readonly dataFolder: string;
  /** For sockets: a short path; may be lost at a reboot. */
  readonly runFolder: string;
  readonly toolbox: PostgresToolbox;
  /** The account of Postgres, when Flux runs as root. */
  readonly account: Account | undefined;
  /** What each server is started behind. */
  readonly wall: Wall;
  readonly log: Log;
  readonly clock: Clock;
}

/** Runs Postgres servers as processes of this host. Nothing happens before `open`. */
export function createLocalRuntime({ log, clock, ...options }: LocalRuntimeOptions): InstanceRuntime {
  return createInstanceRuntime({ driver: createLocalDriver(options), log, clock });
}

function createLocalDriver({
  dataFolder,
  runFolder,
  toolbox,
  account,
  wall,
}: Omit<LocalRuntimeOptions, 'log' | 'clock'>): InstanceDriver<LocalServer> {
  const folders = (id: string) => foldersOf(dataFolder, runFolder, id);
  const serverTools = (major: number) => toolbox.require(major, 'server');
  const halt = async (id: string, server: LocalServer | undefined) => {
    const { data } = folders(id);
    const postmaster = server?.postmaster ?? (await findPostmaster(data).catch(() => undefined));
    if (postmaster !== undefined) await stopPostmaster(postmaster, data);
    else await awaitOrphans(data);
  };
  return {
    kind: 'local',
    async prepare() {
      await makeReachable(dataFolder, account);
      await makeReachable(runFolder, account);
    },
    placesOf: folders,
    requireMajor: async (major) => void serverTools(major),
    makeData: ({ spec }, password, signal) => makeCluster(folders(spec.id), serverTools(spec.major), account, password, signal),
    launch: async (record, password, signal) => {
      const { id, major } = record.spec;
      return launchServer({ folders: folders(id), record, tools: serverTools(major), account, wall, password, signal });
    },
    halt,
    async remove(id) {
      await halt(id, undefined);
      await removeFolders(folders(id));
    },
    async discard(id, at) {
      await halt(id, undefined);
      const { root, socket } = folders(id);
      await moveToTrash(dataFolder, root, id, at);
      await rm(socket, { recursive: true, force: true });
    },
    damageOf: (id) => damageOf(folders(id)),
    lastWords: (id) => logTail(folders(id).log),
    targetOf: ({ spec, port }, password, server, database) =>
      superuserTarget(port, server?.socketFolder ?? folders(spec.id).socket, password, database),
    tidy: (id) => boundLog(folders(id).log),
  };
}
