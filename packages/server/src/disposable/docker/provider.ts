import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { chmod, copyFile, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { FluxError, isFluxError } from '@flux/contract/errors';
import { type DockerEngine, engineError, filterOf } from '../../instances/docker/engine.ts';
import { imageOf, requireImage } from '../../instances/docker/images.ts';
import { makeSocketFolder } from '../../instances/docker/launch.ts';
import { sweepContainers } from '../../instances/docker/sweep.ts';
import { namesIn, socketFolder } from '../../instances/folders.ts';
import type { ServerSettings } from '../../postgres/server-settings.ts';
import type { Log } from '../../system/log.ts';
import { toCreationError } from '../creation-error.ts';
import { chooseMemoryBytes } from '../memory.ts';
import { PreloadNeeded } from '../preload.ts';
import type { DisposableInstance, DisposableProvider, DisposableRequest } from '../provider.ts';
import { createMemoryReservations } from '../reservations.ts';
import { openDisposable } from './instance.ts';

export interface DockerDisposablesOptions {
  readonly engine: DockerEngine;
  /** Image that restores run in; `{major}` is replaced by the major version. */
  readonly image: string;
  /** Archives for containers are stored in its folder `disposable`. */
  readonly dataFolder: string;
  /** For sockets: a short path. */
  readonly runFolder: string;
  readonly log: Log;
}

const SOCKET_PREFIX = 'd-';

/** Creates disposable instances as containers of this host's Docker. Nothing happens before `open` or `sweep`. */
export function createDockerDisposables({ engine, image, dataFolder, runFolder, log }: DockerDisposablesOptions): DisposableProvider {
  const parent = join(dataFolder, 'disposable');
  const memory = createMemoryReservations();

  const openWith = async (request: DisposableRequest, preload?: ServerSettings): Promise<DisposableInstance> => {
    request.signal.throwIfAborted();
    const name = imageOf(image, request.major);
    await requireImage(engine, name, request.major, request.signal).catch((error: unknown) => {
      throw asSandbox(error, engine);
    });
    const id = randomBytes(6).toString('hex');
    const root = join(parent, id);
    const socket = socketFolder(runFolder, `${SOCKET_PREFIX}${id}`);
    const removeFolders = async () => {
      memory.release(id);
      await rm(socket, { recursive: true, force: true });
      await rm(root, { recursive: true, force: true });
    };
    try {
      await mkdir(root, { recursive: true, mode: 0o700 });
      const archivePath = await exposeArchive(request.archivePath, root);
      const memoryBytes = await chooseMemoryBytes(request, memory.total(), root);
      memory.reserve(id, memoryBytes);
      const { major, limits } = request;
      const setting = {
        engine,
        id,
        image: name,
        major,
        limits,
        archivePath,
        socketFolder: await makeSocketFolder(socket),
        preload,
        memoryBytes,
      };
      return await openDisposable(setting, request, removeFolders);
    } catch (error) {
      await removeFolders();
      request.signal.throwIfAborted();
      throw error instanceof PreloadNeeded ? error : toCreationError(error);
    }
  };
  const open = (request: DisposableRequest) =>
    openWith(request).catch((error: unknown) => {
      if (error instanceof PreloadNeeded) return openWith(request, error.settings);
      throw error;
    });

  return {
    sandbox: 'docker',
    open,
    async sweep() {
      const living = await sweepAndList(engine).catch((error: unknown) => {
        const told = engineError(error, engine, 'sandbox_unavailable');
        if (!isFluxError(told, 'sandbox_unavailable')) throw told;
        // Backups can be listed and downloaded while Docker is down; the next start sweeps what is left.
        log.warn({ err: told }, 'disposable containers could not be removed');
        return undefined;
      });
      if (living === undefined) return;
      const isLiving = (id: string) => living.some((name) => name.endsWith(`-d-${id}`));
      for (const id of await namesIn(parent)) if (!isLiving(id)) await rm(join(parent, id), { recursive: true, force: true });
      for (const folder of await namesIn(runFolder))
        if (folder.startsWith(SOCKET_PREFIX) && !isLiving(folder.slice(SOCKET_PREFIX.length)))
          await rm(join(runFolder, folder), { recursive: true, force: true });
    },
  };
}

/** Removes the containers of dead control planes, and returns the names of those that stay. */
async function sweepAndList(engine: DockerEngine): Promise<readonly string[]> {
  await sweepContainers(engine, 'disposable');
  const containers = await engine.client.listContainers({ all: true, filters: filterOf(engine, 'disposable') });
  return containers.flatMap(({ Names }) => Names);
}

/** A container's account does not exist on the host: it gets a copy, which is free where the file system can share blocks. */
async function exposeArchive(archivePath: string, root: string): Promise<string> {
  const copy = join(root, 'archive');
  await copyFile(archivePath, copy, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
  await chmod(copy, 0o444);
  return copy;
}

/** Converts a failure of Docker to the error code of a verification. */
function asSandbox(error: unknown, engine: DockerEngine): unknown {
  const cause = error instanceof FluxError && error.code === 'instance_unavailable' ? error.cause : undefined;
  return cause === undefined ? error : engineError(cause, engine, 'sandbox_unavailable');
}
