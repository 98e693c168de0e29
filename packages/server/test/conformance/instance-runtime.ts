import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { InstanceRuntime, InstanceSpec } from '../../src/instances/instance.ts';
import { connectPostgres } from '../../src/postgres/connect.ts';
import { ensureRole } from '../../src/postgres/roles.ts';
import type { PostgresTarget } from '../../src/postgres/target.ts';

/** One place where runtimes can be opened one after the other, as a control plane does that is started again. */
export interface RuntimePlace {
  readonly major: number;
  /** A runtime on this place, not opened yet. The one before has been closed. */
  make(): InstanceRuntime;
  /** Ends the server of an instance without any chance to tidy up. */
  kill(runtime: InstanceRuntime, spec: InstanceSpec): Promise<void>;
  /** Names of what an instance leaves on the host: folders, containers. */
  traces(id: string): Promise<readonly string[]>;
  /** Folders of the data of discarded instances that can be started again. */
  trashed(): Promise<readonly string[]>;
  /** Takes the folder of an instance away, and returns what puts it back; absent where its data is in it. */
  loseFolder?(id: string): () => void;
  release(): Promise<void>;
}

/** What every InstanceRuntime promises. */
export function describeInstanceRuntime(name: string, preparePlace: () => Promise<RuntimePlace>): void {
  describe(`${name} keeps the promises of InstanceRuntime`, () => {
    let place: RuntimePlace;
    let runtime: InstanceRuntime;
    const reopen = async (how: 'stop' | 'keep') => {
      await runtime.close(how);
      runtime = place.make();
      await runtime.open();
    };
    const spec = (id: string, network: InstanceSpec['network'] = 'none'): InstanceSpec => ({ id, major: place.major, network });

    beforeAll(async () => {
      place = await preparePlace();
      runtime = place.make();
      await runtime.open();
    });
    afterEach(async () => {
      for (const status of await runtime.list()) await runtime.remove(status.id);
    });
    afterAll(async () => {
      await runtime.close('stop');
      await place.release();
    });

    it('returns from create when the server answers, and makes the same one only once', async () => {
      await Promise.all([runtime.create(spec('one')), runtime.create(spec('one'))]);
      expect(await runtime.status('one')).toEqual({
        id: 'one',
        state: 'running',
        major: place.major,
        port: null,
        restarts: 0,
        lastRestartAt: null,
        problem: null,
      });
      expect(await backendOf(runtime.superuser('one'))).toBeGreaterThan(0);
      const before = await startTimeOf(runtime.superuser('one'));
      await runtime.create(spec('one'));
      expect(await startTimeOf(runtime.superuser('one'))).toBe(before);
    });

    it('applies the settings that are asked for', async () => {
      await runtime.create({ ...spec('one'), settings: { max_connections: '23' } });
      expect(await ask(runtime.superuser('one'), 'show max_connections')).toBe('23');
    });

    it('replaces the settings of a server, which keeps its data and port, and starts again only for other ones', async () => {
      await runtime.create(spec('one', 'loopback'));
      await ask(runtime.superuser('one'), 'create table kept as select 42 as answer');
      const { port } = await runtime.status('one');
      await runtime.configure('one', { max_connections: '24' });
      expect(await ask(runtime.superuser('one'), 'show max_connections')).toBe('24');
      const started = await startTimeOf(runtime.superuser('one'));
      await runtime.configure('one', { max_connections: '24' });
      expect(await startTimeOf(runtime.superuser('one'))).toBe(started);
      await reopen('stop');
      expect(await ask(runtime.superuser('one'), `select current_setting('max_connections') || ' ' || answer from kept`)).toBe('24 42');
      expect(await runtime.status('one')).toMatchObject({ port, restarts: 0 });
    });

    it('keeps data, port and the wish to be stopped through stop, close and open', async () => {
      await runtime.create(spec('one', 'loopback'));
      await ask(runtime.superuser('one'), 'create table kept as select 42 as answer');
      const { port } = await runtime.status('one');
      await runtime.stop('one');
      expect((await runtime.status('one')).state).toBe('stopped');
      await expect(backendOf(runtime.superuser('one'))).rejects.toMatchObject({ code: 'instance_unavailable' });

      await reopen('stop');
      expect((await runtime.status('one')).state).toBe('stopped');
      await runtime.start('one');

      expect(await runtime.status('one')).toMatchObject({ state: 'running', port, restarts: 0 });
      expect(await ask(runtime.superuser('one'), 'select answer from kept')).toBe(42);
    });

    it('asks for a scram password over TCP, and the superuser can give it', async () => {
      await runtime.create(spec('one', 'loopback'));
      const { port } = await runtime.status('one');
      const overTcp = { ...runtime.superuser('one'), host: '127.0.0.1', port: port as number };
      expect(await backendOf(overTcp)).toBeGreaterThan(0);
      await expect(backendOf({ ...overTcp, password: 'wrong' })).rejects.toMatchObject({ details: { sqlState: '28P01' } });
      expect(await ask(overTcp, `select rolpassword like 'SCRAM-SHA-256$%' from pg_authid where rolname = current_user`)).toBe(true);
    });

    it('lets a role log in with a password that is not ASCII, as SASLprep (RFC 4013) reads it', async () => {
      await runtime.create(spec('one', 'loopback'));
      const { port } = await runtime.status('one');
      {
        await using session = await connectPostgres(runtime.superuser('one'), { searchPath: 'role' });
        await ensureRole(session, { name: 'reader', password: '\ufb01sh pa\u0308ss\u00a0word' });
      }
      const reader = { host: '127.0.0.1', port: port as number, user: 'reader', database: 'postgres' };
      for (const password of ['\ufb01sh pa\u0308ss\u00a0word', 'fish p\u00e4ss word'])
        expect(await ask({ ...reader, password }, 'select current_user::text')).toBe('reader');
      await expect(backendOf({ ...reader, password: 'fish pass word' })).rejects.toMatchObject({ details: { sqlState: '28P01' } });
    });

    it('finds its servers again when it was closed with keep', async () => {
      await runtime.create(spec('one', 'loopback'));
      const before = await startTimeOf(runtime.superuser('one'));
      await reopen('keep');
      expect(await runtime.status('one')).toMatchObject({ state: 'running', restarts: 0 });
      expect(await startTimeOf(runtime.superuser('one'))).toBe(before);
    });

    it('starts a server again that was killed, and counts it', async () => {
      await runtime.create(spec('one'));
      await place.kill(runtime, spec('one'));
      await eventually(async () => expect(await runtime.status('one')).toMatchObject({ state: 'running', restarts: 1 }));
      expect((await runtime.status('one')).lastRestartAt).toBeInstanceOf(Date);
      expect(await backendOf(runtime.superuser('one'))).toBeGreaterThan(0);
    });

    it('starts a server again that it had found running and that was killed', async () => {
      await runtime.create(spec('one'));
      await reopen('keep');
      await place.kill(runtime, spec('one'));
      await eventually(async () => expect(await runtime.status('one')).toMatchObject({ state: 'running', restarts: 1 }));
      expect(await backendOf(runtime.superuser('one'))).toBeGreaterThan(0);
    });

    it('leaves nothing of a removed instance, and removes a missing one without an error', async () => {
      await runtime.create(spec('one', 'loopback'));
      await runtime.remove('one');
      expect(await runtime.status('one')).toMatchObject({ state: 'missing' });
      expect(await place.traces('one')).toEqual([]);
      expect(() => runtime.superuser('one')).toThrow(expect.objectContaining({ code: 'not_found' }));
      await runtime.remove('one');
    });

    it('keeps the data of a discarded instance until the trash is emptied, across a restart, and nothing else of it', async () => {
      await runtime.create(spec('one', 'loopback'));
      await runtime.discard('one', new Date());
      await runtime.discard('one', new Date());
      expect(await runtime.status('one')).toMatchObject({ state: 'missing' });
      expect(await place.traces('one')).toEqual([]);
      expect(await place.trashed()).toHaveLength(1);
      await runtime.create(spec('one'));
      expect(await ask(runtime.superuser('one'), 'select 1')).toBe(1);
      await reopen('stop');
      expect(await runtime.emptyTrash(3_600_000, new Date(), expect.unreachable)).toEqual([]);
      expect(await place.trashed()).toHaveLength(1);
      expect(await runtime.emptyTrash(3_600_000, new Date(Date.now() + 3_600_001), expect.unreachable)).toEqual([
        expect.stringContaining('one'),
      ]);
      expect(await place.trashed()).toEqual([]);
      expect(await runtime.status('one')).toMatchObject({ state: 'running' });
    });

    it('creates nothing over the data of an instance whose folder is gone', async () => {
      if (place.loseFolder === undefined) return;
      await runtime.create(spec('one'));
      await ask(runtime.superuser('one'), 'create table t as select 1');
      await runtime.close('stop');
      const putBack = place.loseFolder('one');
      runtime = place.make();
      await runtime.open();
      await expect(runtime.create(spec('one'))).rejects.toMatchObject({ code: 'instance_unavailable' });
      await runtime.close('stop');
      putBack();
      runtime = place.make();
      await runtime.open();
      expect(await ask(runtime.superuser('one'), 'select count(*)::int from t')).toBe(1);
    });

    it('leaves nothing of a create that was given up', async () => {
      const outcomes: string[] = [];
      for (const ms of [5, 50, 150]) {
        const [outcome] = await Promise.allSettled([runtime.create(spec('one'), AbortSignal.timeout(ms))]);
        outcomes.push(outcome.status);
        // A quick machine is done before it is given up.
        if (outcome.status === 'fulfilled') await runtime.remove('one');
        expect(await runtime.list()).toEqual([]);
        expect(await place.traces('one')).toEqual([]);
      }
      expect(outcomes[0]).toBe('rejected');
    });

    it('says which package is missing', async () => {
      await expect(runtime.create({ ...spec('one'), major: 42 })).rejects.toMatchObject({ code: 'postgres_missing' });
      expect(await place.traces('one')).toEqual([]);
    });
  });
}

/** Asserts again and again until it holds; the last failure is the one that is told. */
export async function eventually(assert: () => Promise<void>, withinMs = 15_000): Promise<void> {
  for (const deadline = Date.now() + withinMs; ; ) {
    try {
      return await assert();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await sleep(25);
    }
  }
}

/** The first value of the first row. */
export async function ask(target: PostgresTarget, sql: string): Promise<unknown> {
  await using session = await connectPostgres(target, { searchPath: 'role' });
  const [row] = await session.query(sql);
  return row === undefined ? undefined : Object.values(row)[0];
}

async function backendOf(target: PostgresTarget): Promise<number> {
  await using session = await connectPostgres(target, { searchPath: 'role' });
  return session.backendPid;
}

async function startTimeOf(target: PostgresTarget): Promise<unknown> {
  return ask(target, 'select pg_postmaster_start_time()::text');
}
