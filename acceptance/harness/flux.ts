import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from './port.ts';
import { findClient } from './postgres.ts';
import { signalAll } from './postmaster.ts';
import { type Ended, type RunOptions, run, until } from './process.ts';
import { sandboxSettings } from './sandbox.ts';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SERVER = join(ROOT, 'packages/server/bin/flux-server.js');
const CLI = join(ROOT, 'packages/cli/bin/flux.js');

/** A project and the flags that name it. */
export interface TestProject {
  readonly slug: string;
  readonly hash: string;
  /** `--project <slug> --hash <hash>` */
  readonly flags: readonly [string, string, string, string];
  /** What `flux project credentials` gives. */
  readonly uri: string;
}

/** The built server and the built CLI, with their own data folder and port. */
export interface Flux extends AsyncDisposable {
  readonly url: string;
  readonly folder: string;
  readonly dataFolder: string;
  /** The first admin token. */
  token(): string;
  pid(): number;
  /** The stderr of the server so far. */
  log(): string;
  /** Runs `flux` with the admin token. */
  flux(...args: string[]): Promise<Ended>;
  /** Runs `flux` with other options. */
  fluxWith(options: RunOptions, ...args: string[]): Promise<Ended>;
  /** Runs a line in a shell that finds `flux`, `psql` and `pg_restore`, with the admin token, in the folder. */
  shell(line: string, env?: Readonly<Record<string, string>>): Promise<Ended>;
  /** Creates a project. Throws when that fails. */
  createProject(slug: string, mode: 'v1_dedicated' | 'v2_shared'): Promise<TestProject>;
  /** Pushes SQL. Throws when that fails. */
  push(project: TestProject, sql: string): Promise<void>;
  /** Sends a request to the API. */
  api(path: string, init?: RequestInit): Promise<Response>;
  /** Sends SIGKILL only to the server, not to the processes that it started. */
  kill(): Promise<void>;
  stop(): Promise<number | null>;
  /** Runs `flux-server` with arguments and the settings of the server, until it ends. */
  server(...args: string[]): Promise<Ended>;
  start(env?: Readonly<Record<string, string>>): Promise<void>;
}

export interface FluxOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Parent of the temporary folder, for example on another file system. */
  readonly under?: string;
  /** Runs before the first start, with the temporary folder. */
  readonly prepare?: (folder: string) => void | Promise<void>;
  /** Wraps the command line of the server in that of another program. */
  readonly wrap?: (command: readonly string[], folder: string) => readonly string[];
}

/** Starts a control plane on a fresh data folder. Disposing of it stops everything and throws when a process is left. */
export async function startFlux(options: FluxOptions = {}): Promise<Flux> {
  const folder = mkdtempSync(join(options.under ?? tmpdir(), 'flux-'));
  // As root, Postgres runs as another account, which must be able to traverse this folder.
  chmodSync(folder, 0o711);
  const dataFolder = join(folder, 'data');
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const settings = { ...compileCache(), FLUX_CHECK_ANSWERS: 'on', ...(await sandboxSettings()), ...chosenPostgres() };
  let child: ChildProcess | undefined;
  let log = '';

  /** Read at each start: what prepares the folder may have added to it. */
  const serverEnv = () => ({
    PATH: process.env.PATH ?? '',
    FLUX_DATA_DIR: dataFolder,
    FLUX_LISTEN: `127.0.0.1:${port}`,
    ...settings,
    ...options.env,
  });

  const start = async (env: Readonly<Record<string, string>> = {}) => {
    const [command = '', ...args] = options.wrap?.([process.execPath, SERVER], folder) ?? [process.execPath, SERVER];
    const started = spawn(command, args, {
      env: { ...serverEnv(), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child = started;
    let stdout = '';
    started.stdout?.setEncoding('utf8').on('data', (text) => {
      stdout += text;
    });
    started.stderr?.setEncoding('utf8').on('data', (text) => {
      log += text;
    });
    await until(
      'the server is ready',
      () => {
        if (started.exitCode !== null || started.signalCode !== null)
          throw new Error(`the server ended with ${started.exitCode ?? started.signalCode}:\n${log}`);
        return stdout.includes('Flux is ready at');
      },
      60_000,
    );
  };
  const ended = async () => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    await new Promise((resolve) => child?.once('exit', resolve));
  };
  const stop = async () => {
    child?.kill('SIGTERM');
    await ended();
    return child?.exitCode ?? null;
  };
  const token = () => readFileSync(join(dataFolder, 'admin-token'), 'utf8').trim();
  const fluxEnv = () => ({ ...compileCache(), HOME: folder, FLUX_API_BASE: `${url}/api`, FLUX_API_TOKEN: token() });
  const fluxWith = ({ env, ...rest }: RunOptions, ...args: string[]) =>
    run(process.execPath, [CLI, ...args], { cwd: folder, env: { ...fluxEnv(), ...env }, ...rest });
  const succeed = async (...args: string[]) => {
    const answer = await fluxWith({}, ...args);
    if (answer.exitCode === 0) return answer.stdout;
    throw new Error(`flux ${args.join(' ')} ended with ${answer.exitCode}\n${answer.stderr}`);
  };

  try {
    await options.prepare?.(folder);
    await start();
  } catch (error) {
    await killAll(folder);
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  return {
    url,
    folder,
    dataFolder,
    token,
    pid: () => child?.pid ?? 0,
    log: () => log,
    flux: (...args) => fluxWith({}, ...args),
    fluxWith,
    shell: (line, env) => {
      const bin = placeCommand(folder);
      const path = [bin, findClient(), process.env.PATH].join(':');
      return run('bash', ['-o', 'pipefail', '-c', line], { cwd: folder, env: { ...fluxEnv(), PATH: path, ...env } });
    },
    createProject: async (slug, mode) => {
      const made = JSON.parse(await succeed('create', slug, '--mode', mode, '--json')) as { summary: { hash: string } };
      const { hash } = made.summary;
      const uri = (await succeed('project', 'credentials', slug, '--hash', hash, '--field', 'postgres.url')).trim();
      return { slug, hash, uri, flags: ['--project', slug, '--hash', hash] };
    },
    push: async (project, sql) => {
      const path = join(folder, `pushed-${randomUUID()}.sql`);
      writeFileSync(path, sql);
      await succeed('push', path, ...project.flags);
    },
    api: (path, init = {}) =>
      fetch(`${url}/api/cli/v1${path}`, { ...init, headers: { authorization: `Bearer ${token()}`, ...init.headers } }),
    kill: async () => {
      child?.kill('SIGKILL');
      await ended();
    },
    stop,
    server: (...args) => run(process.execPath, [SERVER, ...args], { cwd: folder, env: serverEnv() }),
    start,
    [Symbol.asyncDispose]: async () => {
      await stop();
      const left = await killAll(folder);
      rmSync(folder, { recursive: true, force: true });
      if (left.length > 0) throw new Error(`processes were left behind: ${left.map(({ command }) => command).join('; ')}`);
    },
  };
}

/** The Postgres of the run (`run.ts`), or the one that it was told to test on. */
function chosenPostgres(): Readonly<Record<string, string>> {
  return inherited('FLUX_POSTGRES_BIN_DIRS', 'FLUX_POSTGRES_MAJOR');
}

/** Where the run keeps compiled code: a third of the processor time of starting the server is compiling. */
function compileCache(): Readonly<Record<string, string>> {
  return inherited('NODE_COMPILE_CACHE');
}

function inherited(...names: string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])));
}

/** Creates a folder with a `flux` in it, for a shell's PATH. */
function placeCommand(folder: string): string {
  const bin = join(folder, 'bin');
  if (existsSync(bin)) return bin;
  mkdirSync(bin);
  writeFileSync(join(bin, 'flux'), `#!/bin/sh\nexec "${process.execPath}" "${CLI}" "$@"\n`, { mode: 0o755 });
  return bin;
}

async function killAll(folder: string): Promise<{ pid: number; command: string }[]> {
  // What the kernel is just ending is not left behind.
  await until('they end', () => processesOf(folder).length === 0, 1000).catch(() => undefined);
  const left = processesOf(folder);
  signalAll(
    left.map(({ pid }) => pid),
    'SIGKILL',
  );
  await until('killed processes are gone', () => processesOf(folder).length === 0);
  return left;
}

/** Every process whose command line contains the path of a folder. */
export function processesOf(folder: string): { pid: number; command: string }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map((name) => ({ pid: Number(name), command: commandOf(name) }))
    .filter(({ command }) => command.includes(folder));
}

function commandOf(pid: string): string {
  const path = `/proc/${pid}/cmdline`;
  if (!existsSync(path)) return '';
  try {
    return readFileSync(path, 'utf8').replaceAll('\0', ' ');
  } catch {
    // It ended between the two checks.
    return '';
  }
}
