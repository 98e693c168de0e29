import { randomBytes } from 'node:crypto';
import { chown, cp, mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FluxError } from '@flux/contract/errors';
import type { InstanceRuntime, InstanceSpec, InstanceStatus } from '../../src/instances/instance.ts';
import { connectPostgres } from '../../src/postgres/connect.ts';
import type { PostgresTarget, PostgresToolbox } from '../../src/postgres/target.ts';
import { findPostgresTools } from '../../src/postgres/tools.ts';
import { resolveAccount } from '../../src/system/account.ts';
import { type Daemon, runProcess, signalProcess, startDaemon } from '../../src/system/process.ts';

/** A runtime of throw-away servers, and what a test needs besides. */
export interface TestRuntime extends InstanceRuntime, AsyncDisposable {
  readonly toolbox: PostgresToolbox;
  readonly major: number;
  /** A folder that the account of Postgres may write to; goes with the runtime. */
  readonly folder: string;
}

interface TestInstance {
  readonly spec: InstanceSpec;
  readonly port: number;
  daemon: Daemon | undefined;
}

/** Opens a runtime whose servers live in one temporary folder; disposing of it ends and removes everything. */
export async function openTestRuntime(): Promise<TestRuntime> {
  const account = await resolveAccount(undefined);
  const toolbox = await findPostgresTools([], process.env.PATH);
  const major = toolbox.majors().at(-1);
  if (major === undefined) throw new Error('There is no Postgres on this machine.');
  const tools = toolbox.require(major, 'both');
  const folder = await mkdtemp(join(tmpdir(), 'flux-engines-'));
  if (account) await chown(folder, account.uid, account.gid);
  const password = randomBytes(12).toString('hex');
  const instances = new Map<string, TestInstance>();

  const run = async (program: string | undefined, args: readonly string[]) => {
    const result = await runProcess(program as string, args, { account });
    if (result.exitCode !== 0) throw new Error(`${result.command}: ${result.stderr}`);
  };
  const initialise = async (template: string) => {
    const passwordFile = join(folder, 'password');
    await writeFile(passwordFile, password, { mode: 0o644 });
    await run(tools.initdb, [
      '-D',
      template,
      '-U',
      'flux_admin',
      '-A',
      'scram-sha-256',
      '--pwfile',
      passwordFile,
      '-E',
      'UTF8',
      '-N',
      '--locale=C',
    ]);
  };
  const template = join(folder, 'template');
  await initialise(template);

  const known = (id: string) => {
    const instance = instances.get(id);
    if (!instance) throw new FluxError('not_found', `There is no instance ${id}.`);
    return instance;
  };
  const superuser = (id: string, database = 'postgres'): PostgresTarget => ({
    host: folder,
    port: known(id).port,
    user: 'flux_admin',
    password,
    database,
  });
  const start = async (id: string) => {
    const instance = known(id);
    if (instance.daemon) return;
    const log = await open(join(folder, `${id}.log`), 'a');
    const settings = Object.entries({ fsync: 'off', ...instance.spec.settings }).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const addresses = instance.spec.network === 'loopback' ? '127.0.0.1' : '';
    const args = ['-D', join(folder, id), '-k', folder, '-p', String(instance.port), '-h', addresses, ...settings];
    instance.daemon = await startDaemon(tools.postgres as string, args, { account, logFd: log.fd, detached: false });
    await log.close();
    for (let attempt = 0; ; attempt++) {
      const session = await connectPostgres(superuser(id)).catch((error) => {
        if (attempt > 300) throw error;
      });
      if (session) return session.close();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const stop = async (id: string) => {
    const instance = instances.get(id);
    if (!instance?.daemon) return;
    signalProcess(instance.daemon.pid, 'SIGINT');
    await instance.daemon.exited;
    instance.daemon = undefined;
  };
  const remove = async (id: string) => {
    await stop(id);
    instances.delete(id);
    await rm(join(folder, id), { recursive: true, force: true });
  };
  const status = async (id: string): Promise<InstanceStatus> => {
    const instance = instances.get(id);
    const state = instance === undefined ? 'missing' : instance.daemon ? 'running' : 'stopped';
    return { id, state, major, port: instance?.port ?? null, restarts: 0, lastRestartAt: null, problem: null };
  };
  const close = async () => {
    for (const id of [...instances.keys()]) await remove(id);
    await rm(folder, { recursive: true, force: true });
  };
  return {
    kind: 'local',
    toolbox,
    major,
    folder,
    open: async () => undefined,
    create: async (spec) => {
      if (!instances.has(spec.id)) {
        const data = join(folder, spec.id);
        if (account) await run('/bin/cp', ['-a', template, data]);
        else await cp(template, data, { recursive: true });
        instances.set(spec.id, { spec, port: await freePort(), daemon: undefined });
      }
      await start(spec.id);
    },
    start,
    stop,
    remove,
    status,
    list: () => Promise.all([...instances.keys()].map(status)),
    superuser,
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** A folder below the temporary one of a runtime is made by us and may be written by Postgres programs. */
export async function makeFolder(runtime: TestRuntime, name: string): Promise<string> {
  const path = join(runtime.folder, name);
  await mkdir(path, { recursive: true });
  return path;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
