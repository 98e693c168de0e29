import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { FluxError } from '@flux/contract/errors';
import type { PostgresTarget } from '../../postgres/target.ts';
import type { Log } from '../../system/log.ts';
import { awaitReady } from '../await-session.ts';
import type { RunningServer } from '../driver.ts';
import { foldersOf } from '../folders.ts';
import { isPortFree } from '../ports.ts';
import type { InstanceRecord } from '../record.ts';
import { LEFT_RUNNING } from '../supervise.ts';
import { type InstanceLimits, instanceContainer, nameOf } from './container.ts';
import { type DockerEngine, unlessMissing } from './engine.ts';
import { imageOf, requireImage } from './images.ts';
import { textOf } from './streams.ts';

/** What all instances in containers share. */
export interface DockerHome {
  readonly engine: DockerEngine;
  readonly image: string;
  readonly dataFolder: string;
  readonly runFolder: string;
  readonly limits: InstanceLimits;
  readonly log: Log;
}

/** A container whose server answers. */
export interface DockerServer extends RunningServer {
  readonly containerId: string;
}

/** Starts the container of an instance, or adopts the one that runs, and returns when its server answers. */
export async function launchContainer(
  home: DockerHome,
  record: InstanceRecord,
  target: PostgresTarget,
  signal: AbortSignal | undefined,
): Promise<DockerServer> {
  const { engine } = home;
  const { id } = record.spec;
  const found = await unlessMissing(engine.client.getContainer(nameOf(engine, id)).inspect());
  const isFound = found?.State.Running === true;
  if (!isFound) await startContainer(home, record);
  const server = watch(engine, id, isFound ? found.Id : '');
  try {
    await awaitReady(target, server.ended, signal);
    return server;
  } catch (error) {
    const died = server.ended.aborted;
    server.unwatch();
    if (signal?.reason === LEFT_RUNNING) throw error;
    const words = died ? await logOf(engine, id).catch(() => '') : '';
    // An adopted server may have connected users: it is left running even when this fails.
    if (!isFound) await removeContainer(engine, id);
    if (!died) throw error;
    const code = /No space left on device|Disk quota exceeded/.test(words) ? 'volume_full' : 'instance_unavailable';
    throw new FluxError(code, `Postgres instance ${id} ended while it started: ${words}`, { cause: error });
  }
}

/** Removes the container of an instance, running or not; its volume stays. */
export async function removeContainer(engine: DockerEngine, id: string): Promise<void> {
  await unlessMissing(engine.client.getContainer(nameOf(engine, id)).remove({ force: true, v: true }));
}

/** The last lines of the server's log. */
export async function logOf(engine: DockerEngine, id: string, lines = 6): Promise<string> {
  const log = await engine.client.getContainer(nameOf(engine, id)).logs({ stdout: true, stderr: true, tail: lines, follow: false });
  return (await textOf(log)).trimEnd();
}

async function startContainer(home: DockerHome, record: InstanceRecord): Promise<void> {
  const { engine } = home;
  const { id, major } = record.spec;
  await requireImage(engine, imageOf(home.image, major), major);
  if ((await unlessMissing(engine.client.getVolume(nameOf(engine, id)).inspect())) === undefined)
    throw new FluxError('instance_unavailable', `The volume ${nameOf(engine, id)} of Postgres instance ${id} does not exist.`);
  // Only the volume persists: a new container has the current image and the current limits.
  await removeContainer(engine, id);
  // The port stays the same: it is in the users' connection strings.
  if (record.port !== null && !(await isPortFree(record.port)))
    throw new FluxError('port_taken', `Another program listens on 127.0.0.1:${record.port}, the port of Postgres instance ${id}.`, {
      hint: `Find it with \`ss -ltnp 'sport = :${record.port}'\` and stop it; the instance then starts by itself.`,
    });
  const { socket } = foldersOf(home.dataFolder, home.runFolder, id);
  const container = await engine.client.createContainer(
    instanceContainer(engine, record, { image: home.image, socketFolder: await makeSocketFolder(socket), limits: home.limits }),
  );
  await container.start();
}

/**
 * Creates a folder for a socket that a container's account may write to, whatever its uid, inside one that only we can enter.
 * Returns the inner one.
 */
export async function makeSocketFolder(outer: string): Promise<string> {
  await mkdir(outer, { recursive: true, mode: 0o700 });
  await chmod(outer, 0o700);
  const inner = join(outer, 's');
  await mkdir(inner, { recursive: true });
  await chmod(inner, 0o777);
  return inner;
}

/** @param knownId of a container that was found; empty for the one of that name */
function watch(engine: DockerEngine, id: string, knownId: string): DockerServer {
  const ended = new AbortController();
  const unwatched = new AbortController();
  const end = () => ended.abort(new FluxError('instance_unavailable', 'The server has ended.'));
  const container = engine.client.getContainer(knownId || nameOf(engine, id));
  // When Docker stops, its containers stop too, or the next launch finds them.
  container.wait({ condition: 'not-running', abortSignal: unwatched.signal }).then(end, () => {
    if (!unwatched.signal.aborted) end();
  });
  return { containerId: container.id, ended: ended.signal, unwatch: () => unwatched.abort() };
}
