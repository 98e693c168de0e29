import { access, mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { FluxError } from '@flux/contract/errors';
import { scramVerifier } from '../../postgres/scram.ts';
import type { PostgresTarget } from '../../postgres/target.ts';
import { writeFileAtomically } from '../../system/atomic-file.ts';
import type { InstanceDriver } from '../driver.ts';
import { foldersOf, removeFolders } from '../folders.ts';
import { SUPERUSER } from '../names.ts';
import { readRecord } from '../record.ts';
import { moveToTrash } from '../trash.ts';
import { nameOf } from './container.ts';
import { type DockerEngine, engineError, LABELS, labelsOf, statusOf, unlessMissing } from './engine.ts';
import { imageOf, requireImage } from './images.ts';
import { type DockerHome, type DockerServer, launchContainer, logOf, removeContainer } from './launch.ts';
import { runTool } from './run-tool.ts';
import { DATA_VOLUME, MAKE_DATA } from './scripts.ts';
import { sweepContainers } from './sweep.ts';

const STOP_SECONDS = 30;

/** Servers in containers: the data in a volume, the record and password in the data folder. */
export function createDockerDriver(home: DockerHome): InstanceDriver<DockerServer> {
  const { engine, log } = home;
  const { client } = engine;
  const places = (id: string) => foldersOf(home.dataFolder, home.runFolder, id);
  /** Turns failures of Docker into FluxErrors. */
  const withDockerErrors = async <T>(call: () => Promise<T>): Promise<T> => {
    try {
      return await call();
    } catch (error) {
      throw engineError(error, engine, 'instance_unavailable');
    }
  };
  const targetOf = (id: string, port: number | null, password: string, database = 'postgres'): PostgresTarget => ({
    ...(port === null ? { host: join(places(id).socket, 's'), port: 5432 } : { host: '127.0.0.1', port }),
    user: SUPERUSER,
    password,
    database,
  });

  return {
    kind: 'docker',
    async prepare() {
      await mkdir(home.runFolder, { recursive: true, mode: 0o711 });
      // Backups can be listed and downloaded while Docker is down; what needs Docker reports it.
      await sweepContainers(engine, 'tool').catch((error: unknown) => log.warn({ err: error }, 'Docker does not answer'));
    },
    placesOf: places,
    requireMajor: (major, signal) => requireImage(engine, imageOf(home.image, major), major, signal),
    dataOutside: (id) =>
      withDockerErrors(async () => {
        const volume = await unlessMissing(client.getVolume(nameOf(engine, id)).inspect());
        return volume === undefined ? undefined : `the volume ${nameOf(engine, id)}`;
      }),
    makeData: ({ spec }, password, signal) =>
      withDockerErrors(async () => {
        const name = nameOf(engine, spec.id);
        await client.createVolume({ Name: name, Labels: labelsOf(engine, 'instance', { [LABELS.instance]: spec.id }) });
        const result = await runTool(engine, {
          image: imageOf(home.image, spec.major),
          script: MAKE_DATA,
          args: [String(spec.major), `--username=${SUPERUSER}`, '--encoding=UTF8', '--locale=C.UTF-8'],
          input: Readable.from([`${scramVerifier(password)}\n`]),
          networkMode: 'none',
          mounts: [{ Type: 'volume', Source: name, Target: DATA_VOLUME, ReadOnly: false, Consistency: 'default' }],
          signal,
        });
        if (result.exitCode === 0) return;
        const isFull = /No space left on device|Disk quota exceeded/.test(result.stderr);
        throw new FluxError(isFull ? 'volume_full' : 'instance_unavailable', `initdb failed: ${result.stderr.trim()}`);
      }),
    launch: (record, password, signal) =>
      withDockerErrors(() => launchContainer(home, record, targetOf(record.spec.id, record.port, password), signal)),
    halt: (id) =>
      withDockerErrors(async () => {
        await unlessMissing(client.getContainer(nameOf(engine, id)).stop({ t: STOP_SECONDS }));
      }),
    remove: (id) =>
      withDockerErrors(async () => {
        await removeContainer(engine, id);
        await removeVolume(engine, nameOf(engine, id));
        await removeFolders(places(id));
      }),
    discard: (id, at) =>
      withDockerErrors(async () => {
        await removeContainer(engine, id);
        const { root, record, socket } = places(id);
        const kept = await readRecord(record).catch(() => undefined);
        // A volume cannot be renamed; one without a record is left where it is.
        if (kept !== undefined) await writeFileAtomically(join(root, VOLUME_FILE), await copyVolume(home, id, kept.spec.major));
        await moveToTrash(home.dataFolder, root, id, at);
        if (kept !== undefined) await removeVolume(engine, nameOf(engine, id));
        await rm(socket, { recursive: true, force: true });
      }),
    async forget(folder) {
      const name = await readFile(join(folder, VOLUME_FILE), 'utf8').catch(() => undefined);
      if (name !== undefined) await withDockerErrors(() => removeVolume(engine, name.trim()));
    },
    async damageOf(id) {
      const { root, record, secret } = places(id);
      if (!(await isThere(root))) return { state: 'missing', problem: `Its folder ${root} does not exist.` };
      for (const path of [record, secret])
        if (!(await isThere(path))) return { state: 'corrupted', problem: `${path} does not exist or cannot be read.` };
      // When Docker does not answer, nothing is known about the volume.
      const volume = await unlessMissing(client.getVolume(nameOf(engine, id)).inspect()).catch(() => null);
      if (volume === undefined) return { state: 'corrupted', problem: `Its volume ${nameOf(engine, id)} does not exist.` };
      return undefined;
    },
    lastWords: (id) => logOf(engine, id).catch(() => ''),
    targetOf: ({ spec, port }, password, _server, database) => targetOf(spec.id, port, password, database),
    // Docker limits the size of the logs.
    tidy: async () => undefined,
  };
}

/** In the folder of a discarded instance: the name of the volume that has its data. */
const VOLUME_FILE = 'volume';

/** Copies the data of an instance to a volume for the trash. @returns its name */
async function copyVolume({ engine, image }: DockerHome, id: string, major: number): Promise<string> {
  const from = nameOf(engine, id);
  const to = `${from}-trash-${Date.now()}`;
  await engine.client.createVolume({ Name: to, Labels: labelsOf(engine, 'instance', {}) });
  const { exitCode, stderr } = await runTool(engine, {
    image: imageOf(image, major),
    script: `cp -a /from/. ${DATA_VOLUME}/`,
    args: [],
    networkMode: 'none',
    mounts: [
      { Type: 'volume', Source: from, Target: '/from', ReadOnly: true, Consistency: 'default' },
      { Type: 'volume', Source: to, Target: DATA_VOLUME, ReadOnly: false, Consistency: 'default' },
    ],
  });
  if (exitCode === 0) return to;
  await removeVolume(engine, to);
  throw new FluxError('volume_unusable', `The volume ${from} could not be copied to the trash: ${stderr.trim()}`);
}

/** A container that is being removed uses its volume until it is gone. */
async function removeVolume(engine: DockerEngine, name: string): Promise<void> {
  for (const deadline = performance.now() + 5000; ; await sleep(50)) {
    try {
      return await unlessMissing(engine.client.getVolume(name).remove({ force: true }));
    } catch (error) {
      if (statusOf(error) !== 409 || performance.now() > deadline) throw error;
    }
  }
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
