import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { makeAccountFolder, makeOpenFolder, makeReachable } from '../../instances/folders.ts';
import { chooseSandbox, describePaths, type SystemPath } from '../../instances/sandbox/sandbox.ts';
import { connectPostgres } from '../../postgres/connect.ts';
import { sandboxPathsOf } from '../../postgres/sandbox-paths.ts';
import type { ServerSettings } from '../../postgres/server-settings.ts';
import type { PostgresToolbox, PostgresTools } from '../../postgres/target.ts';
import type { Log } from '../../system/log.ts';
import type { Account } from '../../system/process.ts';
import { toCreationError } from '../creation-error.ts';
import { chooseMemoryBytes, neededBytes, possibleMemoryBytes } from '../memory.ts';
import { PreloadNeeded } from '../preload.ts';
import type { DisposableInstance, DisposableLimits, DisposableProvider, DisposableRequest } from '../provider.ts';
import { createMemoryReservations } from '../reservations.ts';
import { type DisposableFolders, disposableFolders, exposeArchive, makeDisposableFolders, removeDisposableFolders } from './folders.ts';
import { disposableTarget } from './programs.ts';
import { createStandby } from './standby.ts';
import { type StandingServer, startStandingServer } from './standing-server.ts';
import { sweepDisposables } from './sweep.ts';
import { prepareTemplate, sweepTemplates, type Template } from './template.ts';

export interface LocalDisposablesOptions {
  /** Templates, and data that does not fit into memory, are stored in its folders `templates` and `disposable`. */
  readonly dataFolder: string;
  /** For sockets: a short path. */
  readonly runFolder: string;
  readonly toolbox: PostgresToolbox;
  /** The account of Postgres, when Flux runs as root. */
  readonly account: Account | undefined;
  readonly sandbox: 'auto' | 'bubblewrap' | 'unshare' | 'off';
  readonly log: Log;
}

/**
 * Creates disposable instances as sandboxed processes of this host. Tests the sandbox before it returns.
 *
 * @throws FluxError `sandbox_unavailable`, `volume_unusable`
 */
export async function createLocalDisposables(options: LocalDisposablesOptions): Promise<DisposableProvider> {
  const { dataFolder, runFolder, toolbox, account, log } = options;
  const templateFolder = join(dataFolder, 'templates');
  await makeReachable(dataFolder, account);
  await makeReachable(runFolder, account);
  await makeOpenFolder(templateFolder);
  const sandbox = await chooseSandbox({ wanted: options.sandbox, account, scaffold: templateFolder });
  if (sandbox.kind === 'off')
    log.warn('restores run without a sandbox: the content of a dump can do anything that the account of Postgres can');
  const templates = new Map<string, Promise<Template>>();
  const memory = createMemoryReservations();

  const prepare = (tools: PostgresTools): Promise<Template> => {
    const known = templates.get(tools.version);
    if (known !== undefined) return known;
    const made = prepareTemplate({ parent: templateFolder, tools, account });
    templates.set(tools.version, made);
    // A failure is not cached: the disk may have space again later.
    made.catch(() => templates.delete(tools.version));
    return made;
  };
  /** Read again for each instance: what a verification has found missing may have been installed since. */
  const pathsFor = async (tools: PostgresTools, needs?: DisposableRequest['needs']) =>
    describePaths(await sandboxPathsOf(tools, needs?.libraries));

  /** Starts a server in its own folders; on failure nothing is left behind. */
  const start = async (
    tools: PostgresTools,
    systemPaths: readonly SystemPath[],
    limits: DisposableLimits,
    signal: AbortSignal,
    chooseMemory: (folders: DisposableFolders) => Promise<number | null>,
    preload?: ServerSettings,
  ): Promise<StandingServer> => {
    const folders = disposableFolders(dataFolder, runFolder, randomBytes(6).toString('hex'));
    try {
      const template = await prepare(tools);
      await makeDisposableFolders(folders, account);
      const memoryBytes = sandbox.kind === 'off' ? null : await chooseMemory(folders);
      if (memoryBytes === null) await makeAccountFolder(folders.data, account);
      return await startStandingServer({ sandbox, folders, tools, systemPaths, template, account, limits, preload, memoryBytes }, signal);
    } catch (error) {
      await removeDisposableFolders(folders);
      throw error;
    }
  };

  const standby = createStandby(async (major, limits, signal) => {
    // Without a sandbox its data would be on disk, where an unused server would take space from others.
    if (sandbox.kind === 'off' || (await possibleMemoryBytes(limits, memory.total())) < neededBytes(0)) return undefined;
    const tools = toolbox.require(major, 'both');
    const server = await start(tools, await pathsFor(tools), limits, signal, () => possibleMemoryBytes(limits, memory.total()));
    try {
      // The first connection to a database writes files that make the next connection faster.
      await connectPostgres(disposableTarget(server.setting.folders), { signal }).then((session) => session.close());
      return server;
    } catch (error) {
      // Nobody else knows of it yet.
      await server.dispose();
      throw error;
    }
  }, log);

  const open = async (request: DisposableRequest): Promise<DisposableInstance> => {
    request.signal.throwIfAborted();
    const tools = toolbox.require(request.major, 'both');
    let server: StandingServer | undefined;
    let reservation: string | undefined;
    const reserve = (id: string, bytes: number | null) => {
      memory.reserve(id, bytes);
      reservation = id;
      return bytes;
    };
    try {
      const systemPaths = await pathsFor(tools, request.needs);
      const startFor = (preload?: ServerSettings) =>
        start(
          tools,
          systemPaths,
          request.limits,
          request.signal,
          async ({ id, root }) => reserve(id, await chooseMemoryBytes(request, memory.total(), root)),
          preload,
        );
      const serve = async (ready: StandingServer) => {
        const { folders, memoryBytes } = ready.setting;
        reserve(folders.id, memoryBytes);
        ready.gone.addEventListener('abort', () => memory.release(folders.id), { once: true });
        return await ready.serve(request, await exposeArchive(request.archivePath, folders, account));
      };
      const fits = ({ setting }: StandingServer) => isDeepStrictEqual(setting.systemPaths, systemPaths);
      server = (await standby.take(request, memory.total(), fits)) ?? (await startFor());
      const instance = await serve(server).catch(async (error: unknown) => {
        if (!(error instanceof PreloadNeeded)) throw error;
        server = await startFor(error.settings);
        return await serve(server);
      });
      return {
        ...instance,
        [Symbol.asyncDispose]: async () => {
          await instance[Symbol.asyncDispose]();
          standby.renew();
        },
      };
    } catch (error) {
      await server?.dispose();
      if (reservation !== undefined) memory.release(reservation);
      request.signal.throwIfAborted();
      throw toCreationError(error);
    }
  };

  return {
    sandbox: sandbox.kind,
    open,
    async sweep() {
      await sweepTemplates(templateFolder);
      await sweepDisposables(dataFolder, runFolder);
    },
    keepReady: standby.keep,
    close: standby.close,
  };
}
