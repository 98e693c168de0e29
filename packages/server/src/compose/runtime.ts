import { createHash } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FluxError, isFluxError } from '@flux/contract/errors';
import type { Config } from '../config.ts';
import { createDockerDisposables } from '../disposable/docker/provider.ts';
import { createLocalDisposables, type LocalDisposablesOptions } from '../disposable/local/provider.ts';
import type { DisposableProvider } from '../disposable/provider.ts';
import { listContainerAddresses } from '../instances/docker/addresses.ts';
import { openDockerEngine } from '../instances/docker/engine.ts';
import { createDockerRuntime } from '../instances/docker/runtime.ts';
import { createDockerToolbox } from '../instances/docker/toolbox.ts';
import type { InstanceRuntime } from '../instances/instance.ts';
import { createLocalRuntime } from '../instances/local/runtime.ts';
import { chooseWall, listUnwalled } from '../instances/local/wall.ts';
import type { IsolationKind } from '../instances/sandbox/sandbox.ts';
import type { PostgresToolbox } from '../postgres/target.ts';
import { findPostgresTools } from '../postgres/tools.ts';
import { resolveAccount } from '../system/account.ts';
import type { Clock } from '../system/clock.ts';
import type { Log } from '../system/log.ts';
import type { Account } from '../system/process.ts';

/** What runs Postgres here. */
export interface Runtime {
  readonly runtime: InstanceRuntime;
  readonly disposables: DisposableProvider;
  readonly wall: WallReport;
  readonly toolbox: PostgresToolbox;
  readonly account: Account | undefined;
  /** Addresses besides those of this host at which instances can be reached now. */
  ownAddresses(): Promise<ReadonlySet<string>>;
  /** The major for new instances. @throws FluxError `postgres_missing` */
  defaultMajor(): number;
  /** Removes the folder for sockets; call when nothing runs any more. */
  /** Removes the folder for sockets, unless servers that are left running have theirs there. */
  removeRunFolder(how: 'stop' | 'keep'): Promise<void>;
}

/** How instances are kept apart. */
export interface WallReport {
  readonly kind: IsolationKind | 'docker';
  /** Why there is no wall although one was wanted. */
  readonly problem: string | undefined;
  /** Names of running instances that have none yet: an earlier version has started them. */
  unwalled(): Promise<readonly string[]>;
}

/** Finds the programs and the account, and builds the runtime on them. */
export async function composeRuntime(config: Config, clock: Clock, log: Log): Promise<Runtime> {
  const toolbox = await findPostgresTools(config.postgresFolders, config.path);
  const { dataFolder } = config;
  const runFolder = chooseRunFolder(dataFolder);
  await mkdir(runFolder, { recursive: true, mode: 0o711 });
  const compose = config.runtime === 'docker' ? composeDocker : composeLocal;
  return {
    ...(await compose(config, { dataFolder, runFolder, toolbox, log, clock })),
    removeRunFolder: (how) => (how === 'stop' ? rm(runFolder, { recursive: true, force: true }) : Promise.resolve()),
  };
}

interface Parts {
  readonly dataFolder: string;
  readonly runFolder: string;
  readonly toolbox: PostgresToolbox;
  readonly log: Log;
  readonly clock: Clock;
}

/** Servers as processes of this host. */
async function composeLocal(config: Config, parts: Parts): Promise<Omit<Runtime, 'removeRunFolder'>> {
  const account = await resolveAccount(config.postgresAccount);
  const { toolbox, dataFolder, runFolder, log } = parts;
  const [disposables, wall] = await Promise.all([
    openDisposables({ ...parts, account, sandbox: config.verify.sandbox }),
    chooseWall({ wanted: config.instanceWall, dataFolder, runFolder, hidden: [config.backupsFolder], account }),
  ]);
  if (wall.problem !== undefined)
    log.warn({ problem: wall.problem }, 'no wall between instances works on this host: the superuser of one can reach the others');
  const runtime = createLocalRuntime({ ...parts, account, wall });
  const unwalled = async () => {
    const running = (await runtime.list()).filter(({ state }) => state === 'running').map(({ id }) => id);
    return await listUnwalled(dataFolder, runFolder, running);
  };
  return {
    runtime,
    disposables,
    wall: { ...wall, unwalled },
    toolbox,
    account,
    ownAddresses: async () => new Set(),
    defaultMajor: () => chooseMajor(config, toolbox),
  };
}

/** Servers in containers; the host's own tools are used where it has some of the right major. */
async function composeDocker(config: Config, parts: Parts): Promise<Omit<Runtime, 'removeRunFolder'>> {
  const { dataFolder, toolbox: host } = parts;
  const { socketPath, instanceImage: image, verifyImage } = config.docker;
  const engine = openDockerEngine({ socketPath, dataFolder });
  return {
    runtime: createDockerRuntime({ ...parts, engine, image }),
    disposables: createDockerDisposables({ ...parts, engine, image: verifyImage }),
    wall: { kind: 'docker', problem: undefined, unwalled: async () => [] },
    toolbox: createDockerToolbox({ engine, image, host }),
    // Clients of the host need no account of their own: they only connect.
    account: undefined,
    ownAddresses: () => listContainerAddresses(engine),
    defaultMajor: () => config.postgresMajor ?? host.majors().at(-1) ?? NEWEST_IMAGE,
  };
}

/** The major of new instances on a host without Postgres: one that every pull of the official image can give. */
const NEWEST_IMAGE = 17;

/** A path of a Unix socket has 107 bytes at most, so a deep data folder gets a short neighbour in the folder for temporary files. */
function chooseRunFolder(dataFolder: string): string {
  const beside = join(dataFolder, 'run');
  if (Buffer.byteLength(beside) <= MAX_RUN_FOLDER_BYTES) return beside;
  return join(tmpdir(), `flux-${createHash('sha256').update(dataFolder).digest('hex').slice(0, 12)}`);
}

const MAX_RUN_FOLDER_BYTES = 60;

/** The major that the operator has set, otherwise the newest that is installed. @throws FluxError `postgres_missing` */
function chooseMajor(config: Config, toolbox: PostgresToolbox): number {
  const major = config.postgresMajor ?? toolbox.majors().at(-1);
  if (major === undefined)
    throw new FluxError('postgres_missing', 'No PostgreSQL with both server and client programs can be found on this host.', {
      hint: 'Install one, for example with `apt-get install postgresql`, or name the folder that contains it in FLUX_POSTGRES_BIN_DIRS.',
    });
  return toolbox.require(major, 'both').major;
}

/**
 * A host without a sandbox still creates, lists and downloads; only a verification needs one, so only a verification refuses.
 */
async function openDisposables(options: LocalDisposablesOptions): Promise<DisposableProvider> {
  try {
    return await createLocalDisposables(options);
  } catch (error) {
    if (!isFluxError(error, 'sandbox_unavailable')) throw error;
    options.log.warn({ err: error }, 'no sandbox works on this host: verifications will be refused');
    return {
      sandbox: null,
      open: () => Promise.reject(error),
      sweep: async () => undefined,
    };
  }
}
