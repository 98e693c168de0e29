import { access, readdir, readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { FluxError } from '@flux/contract/errors';
import { writeFileAtomically } from '../system/atomic-file.ts';
import type { Clock } from '../system/clock.ts';
import { isDoneWithin } from '../system/done-within.ts';
import type { Log } from '../system/log.ts';
import type { InstanceDriver, RunningServer } from './driver.ts';
import { makeOpenFolder, namesIn, volumeError } from './folders.ts';
import type { InstanceRuntime, InstanceSpec, InstanceStatus } from './instance.ts';
import { chooseFreePort } from './ports.ts';
import { type InstanceRecord, newSecret, readRecord, writeRecord } from './record.ts';
import { type HostedInstance, hostInstance } from './supervise.ts';
import { emptyTrash } from './trash.ts';

export interface RuntimeOptions<Server extends RunningServer> {
  readonly driver: InstanceDriver<Server>;
  readonly log: Log;
  readonly clock: Clock;
}

/** Runs Postgres servers by means of a driver. Nothing happens before `open`. */
export function createInstanceRuntime<Server extends RunningServer>({ driver, log, clock }: RuntimeOptions<Server>): InstanceRuntime {
  const hosted = new Map<string, HostedInstance>();
  const damaged = new Map<string, string>();
  /** The damaged ones whose record is that of another instance; nothing is written to them. */
  const copies = new Set<string>();
  /** Running `create` and `remove` calls by id, so that two calls for one id never overlap. */
  const underway = new Map<string, Promise<void>>();
  const reservedPorts = new Set<number>();
  const parent = dirname(driver.placesOf('any').root);
  const host = (record: InstanceRecord) => hostInstance({ driver, record, log, clock });

  const known = (id: string): HostedInstance => {
    const instance = hosted.get(id);
    if (instance !== undefined) return instance;
    if (damaged.has(id))
      throw new FluxError('instance_unavailable', `Postgres instance ${id} is damaged: ${damaged.get(id)}`, {
        hint: 'Its data is left as it is. An operator sees with `flux doctor` what to do.',
      });
    throw new FluxError('not_found', `There is no Postgres instance ${id}.`);
  };

  const oneAtATime = async (id: string, work: () => Promise<void>): Promise<void> => {
    const turn = (underway.get(id) ?? Promise.resolve()).then(work, work);
    underway.set(id, turn);
    try {
      await turn;
    } finally {
      if (underway.get(id) === turn) underway.delete(id);
    }
  };

  /**
   * Takes up an instance that is there: from then on it is hosted, or damaged, or its removal is underway. Its folder is read without a bound,
   * because one that is not known counts as missing and could be created again.
   *
   * @returns what may take long: its start, or its removal
   */
  const takeUp = async (id: string, signal: AbortSignal | undefined): Promise<(() => Promise<void>) | undefined> => {
    const places = driver.placesOf(id);
    const record = await readRecord(places.record).catch((error: Error) => error);
    if (record instanceof Error) {
      // No record and no data: `create` was killed before its first write. Anything else might be a user's data.
      const names = await readdir(places.root);
      if (names.every((name) => name.startsWith('.'))) await rm(places.root, { recursive: true, force: true });
      else damaged.set(id, `${places.record} cannot be read: ${record.message}`);
      return undefined;
    }
    if (record.spec.id !== id) {
      // Under the id of its record it would be a second supervisor of the instance that it was copied from.
      copies.add(id);
      damaged.set(id, `its record is that of ${record.spec.id}: it is a copy; move it out of ${parent}`);
      return undefined;
    }
    if (record.phase !== 'ready') {
      // Not to the trash. `making` ends when the server has answered for the first time, and only then are the roles created that a user
      // can log in as, so nobody but Flux can have written to it. `removing` is what a removal has written that was cleared.
      log.info({ instance: id, phase: record.phase }, 'an instance that was not completely created or removed is being removed');
      const instance = await host(record).catch(() => undefined);
      const removal = oneAtATime(id, () => (instance === undefined ? driver.remove(id) : instance.remove()));
      return () => removal;
    }
    const instance = await host(record).catch((error: Error) => error);
    if (instance instanceof Error) {
      damaged.set(id, instance.message);
      return undefined;
    }
    hosted.set(id, instance);
    return record.desired === 'running' ? () => instance.start(signal) : undefined;
  };

  const adoptInstance = async (id: string, signal: AbortSignal | undefined): Promise<void> => {
    const failed = (error: Error) => {
      log.error({ instance: id, err: error }, 'an instance cannot be adopted');
      // One that was taken and only did not start is tried again by its supervisor.
      if (!hosted.has(id)) damaged.set(id, `It could be neither taken up nor removed: ${error.message}`);
    };
    const rest = await takeUp(id, signal).catch(failed);
    const settled = rest?.().catch(failed);
    // One that hangs or recovers goes on; whoever needs it waits for it.
    if (settled !== undefined && !(await isDoneWithin(settled, ADOPT_MS)))
      log.warn({ instance: id }, 'an instance is not ready yet; the start goes on without it');
  };

  /** A creation that fails removes what it has made: that must be nothing that was there. @throws FluxError `instance_unavailable` */
  const requireNothing = async (root: string, id: string): Promise<void> => {
    // What an atomic write has left begins with a dot.
    const isEmpty = (await namesIn(root)).every((name) => name.startsWith('.'));
    const found = isEmpty ? await driver.dataOutside?.(id) : `the folder ${root}`;
    if (found === undefined) return;
    throw new FluxError('instance_unavailable', `Postgres instance ${id} was not created: ${found} exists already.`, {
      hint: 'Start Flux again, which takes up what is there. If that changes nothing, see whether the data folder is the right one and complete; move away what nobody needs.',
    });
  };

  const make = async (spec: InstanceSpec, signal: AbortSignal | undefined): Promise<void> => {
    const places = driver.placesOf(spec.id);
    const left = await readRecord(places.record).catch(() => undefined);
    // A creation that failed, and whose remains could not be removed then.
    if (left?.spec.id === spec.id && left.phase !== 'ready') await driver.remove(spec.id);
    await requireNothing(places.root, spec.id);
    await driver.requireMajor(spec.major, signal);
    let port: number | null = null;
    try {
      if (spec.network === 'loopback') {
        port = await chooseFreePort(new Set([...reservedPorts, ...[...hosted.values()].map((other) => other.record.port ?? 0)]));
        reservedPorts.add(port);
      }
      const record: InstanceRecord = { spec, port, desired: 'running', phase: 'making', restarts: 0, lastRestartAt: null };
      const password = newSecret();
      await makeOpenFolder(places.root);
      await writeRecord(places.record, record);
      await writeFileAtomically(places.secret, `${password}\n`);
      await driver.makeData(record, password, signal);
      const instance = await host(record);
      try {
        await instance.start(signal);
      } catch (error) {
        await instance.remove();
        throw error;
      }
      hosted.set(spec.id, instance);
    } catch (error) {
      await driver.remove(spec.id);
      throw volumeError(error, `while Postgres instance ${spec.id} was being created`);
    } finally {
      if (port !== null) reservedPorts.delete(port);
    }
  };

  const statusOf = async (id: string): Promise<InstanceStatus> => {
    const instance = hosted.get(id);
    if (instance !== undefined) return instance.status();
    const nothing = { id, major: 0, port: null, restarts: 0, lastRestartAt: null };
    const problem = damaged.get(id);
    if (problem === undefined) return { ...nothing, state: 'missing', problem: null };
    const damage = await driver.damageOf(id);
    return { ...nothing, state: damage?.state ?? 'corrupted', problem };
  };

  return {
    kind: driver.kind,
    async open(signal) {
      await driver.prepare(signal);
      await makeOpenFolder(parent);
      const ids = (await readdir(parent)).filter((name) => ID.test(name));
      await Promise.all(ids.map((id) => adoptInstance(id, signal)));
      signal?.throwIfAborted();
    },
    async create(spec, signal) {
      if (!ID.test(spec.id)) throw new FluxError('invalid_request', `"${spec.id}" cannot be the name of an instance.`);
      await oneAtATime(spec.id, async () => {
        if (damaged.has(spec.id)) known(spec.id);
        const there = hosted.get(spec.id);
        await (there === undefined ? make(spec, signal) : there.start(signal));
      });
    },
    start: async (id, signal) => known(id).start(signal),
    stop: async (id) => known(id).stop(),
    configure: (id, settings, signal) => oneAtATime(id, () => known(id).configure(settings, signal)),
    remove: (id) =>
      oneAtATime(id, async () => {
        const instance = hosted.get(id);
        hosted.delete(id);
        damaged.delete(id);
        await (instance === undefined ? driver.remove(id) : instance.remove());
      }),
    discard: (id, at) =>
      oneAtATime(id, async () => {
        const instance = hosted.get(id);
        hosted.delete(id);
        damaged.delete(id);
        if (instance === undefined) await driver.discard(id, at);
        else await instance.discard(at);
      }),
    emptyTrash: (olderThanMs, now, onProblem) => emptyTrash(parent, { olderThanMs, now, forget: driver.forget, onProblem }),
    readStanding: (id) => readFileIfThere(driver.placesOf(id).standing),
    writeStanding: async (id, text) => {
      const { root, standing } = driver.placesOf(id);
      if (copies.has(id) || (!hosted.has(id) && !damaged.has(id))) return;
      try {
        await writeFileAtomically(standing, text);
      } catch (error) {
        // The folder is gone, whoever has removed it: there is no data to say it of.
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || (await exists(root))) throw error;
      }
    },
    status: statusOf,
    list: () => Promise.all([...new Set([...hosted.keys(), ...damaged.keys()])].sort().map(statusOf)),
    superuser: (id, database) => known(id).superuser(database),
    async close(how) {
      const endAll = () =>
        Promise.allSettled([...hosted.values()].map((instance) => (how === 'stop' ? instance.shutdown() : instance.release())));
      // First those that are there: what is underway may wait for one that does not become ready, and ends with its supervision.
      const first = endAll();
      await Promise.allSettled(underway.values());
      const ends = [...(await first), ...(await endAll())];
      hosted.clear();
      for (const end of ends) if (end.status === 'rejected') log.error({ err: end.reason }, 'an instance could not be stopped');
    },
  };
}

/** How long a start waits for each instance. */
const ADOPT_MS = 10_000;

const ID = /^[a-z0-9-]{1,40}$/;

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

async function readFileIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
