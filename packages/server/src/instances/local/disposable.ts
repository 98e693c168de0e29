import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { FluxError } from '@flux/contract/errors';
import type { PostgresToolbox, PostgresTools } from '../../postgres/target.ts';
import { sandboxPathsOf } from '../../postgres/tools.ts';
import type { Log } from '../../system/log.ts';
import type { Account } from '../../system/process.ts';
import type { DisposableInstance, DisposableProvider, DisposableRequest } from '../disposable.ts';
import { makeAccountFolder, makeOpenFolder, makeReachable, volumeError } from '../folders.ts';
import { openDisposable } from './disposable-instance.ts';
import { chooseMemoryBytes, disposableFolders, exposeArchive, makeDisposableFolders, removeDisposableFolders } from './disposable-room.ts';
import { sweepDisposables } from './disposable-sweep.ts';
import { chooseSandbox, describePaths, type SystemPath } from './sandbox.ts';
import { prepareTemplate, sweepTemplates, type Template } from './template.ts';

export interface LocalDisposablesOptions {
  /** Templates and data that does not fit into memory live in its folders `templates` and `disposable`. */
  readonly dataFolder: string;
  /** For sockets: a short path. */
  readonly runFolder: string;
  readonly toolbox: PostgresToolbox;
  /** The account of Postgres, when we are root. */
  readonly account: Account | undefined;
  readonly sandbox: 'auto' | 'bubblewrap' | 'unshare' | 'off';
  readonly log: Log;
}

/** What all instances of one Postgres version share. */
interface Prepared {
  readonly template: Template;
  readonly systemPaths: readonly SystemPath[];
}

/**
 * Makes disposable instances as sandboxed processes of this host. Tries the sandbox out before it answers.
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
  if (sandbox.kind === 'off') log.warn('restores run without a sandbox: what a dump holds can do whatever the account of Postgres can');
  const prepared = new Map<string, Promise<Prepared>>();
  /** Memory set aside by instances that live, by id. */
  const reserved = new Map<string, number>();

  const prepare = (tools: PostgresTools): Promise<Prepared> => {
    const known = prepared.get(tools.version);
    if (known !== undefined) return known;
    const made = Promise.all([prepareTemplate({ parent: templateFolder, tools, account }), sandboxPathsOf(tools).then(describePaths)]);
    const both = made.then(([template, systemPaths]) => ({ template, systemPaths }));
    prepared.set(tools.version, both);
    // A failure is not remembered: the disk may have room again.
    both.catch(() => prepared.delete(tools.version));
    return both;
  };

  const open = async (request: DisposableRequest): Promise<DisposableInstance> => {
    request.signal.throwIfAborted();
    const tools = toolbox.require(request.major, 'both');
    const id = randomBytes(6).toString('hex');
    const folders = disposableFolders(dataFolder, runFolder, id);
    try {
      const { template, systemPaths } = await prepare(tools);
      await makeDisposableFolders(folders, account);
      const archivePath = await exposeArchive(request.archivePath, folders, account);
      const inUse = [...reserved.values()].reduce((sum, bytes) => sum + bytes, 0);
      const memoryBytes = sandbox.kind === 'off' ? null : await chooseMemoryBytes(request, inUse, folders.root);
      if (memoryBytes === null) await makeAccountFolder(folders.data, account);
      else reserved.set(id, memoryBytes);
      const { limits } = request;
      const instance = await openDisposable(
        { sandbox, folders, tools, systemPaths, template, account, limits, archivePath, memoryBytes },
        request,
      );
      instance.gone.addEventListener('abort', () => reserved.delete(id), { once: true });
      return instance;
    } catch (error) {
      reserved.delete(id);
      await removeDisposableFolders(folders);
      request.signal.throwIfAborted();
      const told = volumeError(error, 'while a disposable Postgres was being made');
      if (told instanceof FluxError) throw told;
      throw new FluxError('verification_inconclusive', `A disposable Postgres could not be made: ${(error as Error).message}`, {
        cause: error,
      });
    }
  };

  return {
    sandbox: sandbox.kind,
    open,
    async sweep() {
      await sweepTemplates(templateFolder);
      await sweepDisposables(dataFolder, runFolder);
    },
  };
}
