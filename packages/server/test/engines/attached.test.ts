import * as net from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAttachedEngine } from '../../src/engines/attached/engine.ts';
import { capabilitiesOf, requireCapability } from '../../src/engines/capabilities.ts';
import type { Engine, EngineProject } from '../../src/engines/engine.ts';
import { listApplied } from '../../src/engines/owner-access.ts';
import type { InstanceRuntime } from '../../src/instances/instance.ts';
import { connectPostgres } from '../../src/postgres/connect.ts';
import { SESSIONS_OF_A_DUMP, SessionPlaces } from '../../src/postgres/session-places.ts';
import type { PostgresTarget } from '../../src/postgres/target.ts';
import { listMigrations, makeProject, pushOf, runPush } from './project.ts';
import { openTestRuntime, type TestRuntime } from './runtime.ts';

let place: TestRuntime;
let runtime: InstanceRuntime;
let engine: Engine;

beforeAll(async () => {
  place = await openTestRuntime();
  runtime = place.runtime;
  engine = createAttachedEngine({ toolbox: place.toolbox, foreign: { lookWithinMs: 60_000, addresses: { resolve: async () => [] } } });
}, 60_000);

afterAll(() => place?.close());

const ask = async (target: PostgresTarget, sql: string) => {
  await using session = await connectPostgres(target, { searchPath: 'role' });
  return await session.query(sql);
};

describe('an attached database', () => {
  let attached: EngineProject;
  let target: PostgresTarget;

  beforeAll(async () => {
    await runtime.create({ id: 'theirs', major: place.major, network: 'loopback' });
    await ask(runtime.superuser('theirs'), `create role shop login password 'p@ss/word'`);
    await ask(runtime.superuser('theirs'), 'create database shop owner shop');
    const { port } = await runtime.status('theirs');
    target = { host: '127.0.0.1', port: port ?? 0, user: 'shop', password: 'p@ss/word', database: 'shop' };
    attached = makeProject('v1_dedicated', 'shop', `postgresql://shop:p%40ss%2Fword@127.0.0.1:${port}/shop?sslmode=prefer`);
  }, 30_000);

  it('is looked at and left alone until a migration is pushed', async () => {
    const everything = () =>
      ask(target, `select nspname from pg_namespace where oid >= 16384 union all select relname from pg_class where oid >= 16384`);
    await engine.provision(attached);
    expect(await engine.status(attached)).toMatchObject({ state: 'running', port: target.port });
    expect(await listMigrations(engine, attached)).toEqual([]);
    await runPush(engine, attached, pushOf('create table t (id int)', { mode: 'versioned', version: '1', dryRun: true }));
    await runPush(engine, attached, pushOf('select 1'));
    expect(await everything()).toEqual([]);

    const pushes = [1, 2].map(() => runPush(engine, attached, pushOf('create table t (id int)', { mode: 'versioned', version: '1' })));
    expect((await Promise.all(pushes)).map(({ skipped }) => skipped).sort()).toEqual([false, true]);
    expect(await listMigrations(engine, attached)).toHaveLength(1);
    await engine.remove(attached);
    expect(await ask(target, 'select * from t')).toEqual([]);
  });

  it('is dumped and reached as the URI says', async () => {
    expect(await engine.credentials(attached)).toEqual(target);
    const places = expect.any(SessionPlaces);
    expect(await engine.backupSource(attached)).toEqual({
      kind: 'project_db',
      target: { ...target, sslMode: 'prefer', lookWithinMs: 60_000, places },
      observer: { ...target, sslMode: 'prefer', lookWithinMs: 60_000, places },
      major: place.major,
      internalRoles: [],
    });
  });

  it('is found among several hosts, and read with the options of the URI', async () => {
    const { port } = target;
    const uri = (query: string) =>
      `postgresql://shop:p%40ss%2Fword@127.0.0.1:1,127.0.0.1:${port}/shop?connect_timeout=2&keepalives=1&gssencmode=disable&${query}`;
    const several = (query: string) => makeProject('v1_dedicated', 'shop', uri(query));
    const { target: chosen } = await engine.backupSource(several('target_session_attrs=read-write&options=-c%20search_path%3Delse'));
    expect(chosen).toMatchObject({ host: '127.0.0.1', port, options: '-c search_path=else' });
    expect(chosen).not.toHaveProperty('otherHosts');
    expect(await ask(chosen, 'show search_path')).toEqual([{ search_path: 'else' }]);
    await expect(engine.backupSource(several('target_session_attrs=standby'))).rejects.toMatchObject({
      code: 'instance_unavailable',
      details: {
        forOperators: {
          reason: expect.stringMatching(
            new RegExp(`target_session_attrs=standby asks for: .*127.0.0.1:1 .*; 127.0.0.1:${port} is a primary`),
          ),
        },
      },
    });
  });

  it('can do nothing that needs a server of ours, and says what to do instead', () => {
    expect(capabilitiesOf(engine)).toEqual([]);
    for (const capability of ['power', 'staging', 'undo', 'pooled'] as const)
      expect(() => requireCapability(engine, capability, attached)).toThrow(
        expect.objectContaining({
          code: 'invalid_request',
          message: expect.stringMatching(/^shop is attached: Flux does not run its server and /),
          hint: expect.stringMatching(/./),
        }),
      );
  });

  it('is missing or failing when it does not answer', async () => {
    const uri = attached.secrets.attachedUri ?? '';
    expect(await engine.status(makeProject('v1_dedicated', 'shop', uri.replace('/shop?', '/gone?')))).toMatchObject({ state: 'missing' });
    const closed = makeProject('v1_dedicated', 'shop', 'postgresql://shop:secret@127.0.0.1:1/shop');
    expect(await engine.status(closed)).toMatchObject({ state: 'failing', postgresVersion: null });
    await expect(engine.provision(closed)).rejects.toMatchObject({ code: 'instance_unavailable' });
    await expect(engine.backupSource(closed)).rejects.toMatchObject({ code: 'instance_unavailable' });
    await expect(engine.provision(closed)).rejects.not.toThrow(/secret/);
  });
});

describe('a URI that begins with the server of another account', () => {
  let hostile: net.Server;
  const sockets = new Set<net.Socket>();
  let isSilent = false;

  afterAll(() => {
    for (const socket of sockets) socket.destroy();
    hostile?.close();
  });

  it('takes no places of that account, whatever the server does that it ends at', async () => {
    for (const id of ['victim', 'hostile']) await runtime.create({ id, major: place.major, network: 'loopback' });
    await ask(runtime.superuser('victim'), `create role shop login password 'theirs'`);
    await ask(runtime.superuser('hostile'), `create role shop login password 'mine'`);
    for (const id of ['victim', 'hostile']) await ask(runtime.superuser(id), 'create database shop owner shop');
    const victimPort = (await runtime.status('victim')).port ?? 0;
    const hostilePort = (await runtime.status('hostile')).port ?? 0;
    hostile = net.createServer((socket) => {
      const server = net.connect(hostilePort, '127.0.0.1');
      for (const end of [socket, server]) {
        sockets.add(end);
        end.on('error', () => end.destroy());
        end.on('close', () => [socket, server].forEach((each) => void each.destroy()));
      }
      socket.on('data', (data) => void (isSilent || server.write(data)));
      server.on('data', (data) => void (isSilent || socket.write(data)));
    });
    await new Promise<void>((resolve) => hostile.listen(0, '127.0.0.1', resolve));
    const { port: silentPort } = hostile.address() as net.AddressInfo;

    const foreign = { lookWithinMs: 8000, addresses: { resolve: async () => [] } };
    const both = createAttachedEngine({ toolbox: place.toolbox, foreign });
    const theirs = makeProject('v1_dedicated', 'theirs', `postgresql://shop:theirs@127.0.0.1:${victimPort}/shop?sslmode=disable`);
    const mine = makeProject(
      'v1_dedicated',
      'mine',
      `postgresql://shop:mine@127.0.0.1:${victimPort},127.0.0.1:${silentPort}/shop?sslmode=disable`,
    );
    const accesses = await Promise.all(Array.from({ length: 30 }, () => both.ownerAccess(mine)));
    isSilent = true;
    const lists = Promise.allSettled(accesses.map((access) => listApplied(access)));

    const within = AbortSignal.timeout(5000);
    const { target } = await both.backupSource(theirs, within);
    using reserved = await target.places?.reserve(SESSIONS_OF_A_DUMP, within);
    expect(reserved).toBeDefined();
    expect(await listApplied(await both.ownerAccess(theirs, within), within)).toEqual([]);

    // Those that only read end by themselves, although nobody leaves.
    const answer = { status: 'rejected', reason: expect.objectContaining({ code: 'instance_unavailable' }) };
    expect(await lists).toEqual(accesses.map(() => answer));
  }, 60_000);
});
