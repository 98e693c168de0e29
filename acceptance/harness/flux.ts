import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Ended, type RunOptions, run, until } from './process.ts';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SERVER = join(ROOT, 'packages/server/bin/flux-server.js');
const CLI = join(ROOT, 'packages/cli/bin/flux.js');

/** The built server and the built CLI, on a data folder and a port of their own. */
export interface Flux extends AsyncDisposable {
  readonly url: string;
  readonly folder: string;
  readonly dataFolder: string;
  /** The first admin token. */
  token(): string;
  pid(): number;
  /** What the server wrote on stderr so far. */
  log(): string;
  /** Runs `flux` with the admin token. */
  flux(...args: string[]): Promise<Ended>;
  /** Runs `flux` with other options. */
  fluxWith(options: RunOptions, ...args: string[]): Promise<Ended>;
  /** Speaks to the API directly. */
  api(path: string, init?: RequestInit): Promise<Response>;
  /** SIGKILL to the server alone; what it started is left to itself. */
  kill(): Promise<void>;
  stop(): Promise<number | null>;
  start(env?: Readonly<Record<string, string>>): Promise<void>;
}

export interface FluxOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Where temporary folders go; another file system, for instance. */
  readonly under?: string;
}

/** Starts a control plane on a fresh data folder. Disposing of it stops everything and fails when anything is left. */
export async function startFlux(options: FluxOptions = {}): Promise<Flux> {
  const folder = mkdtempSync(join(options.under ?? tmpdir(), 'flux-'));
  // Postgres runs as another account when we are root, and must be able to walk here.
  chmodSync(folder, 0o711);
  const dataFolder = join(folder, 'data');
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  let child: ChildProcess | undefined;
  let log = '';

  const start = async (env: Readonly<Record<string, string>> = {}) => {
    const started = spawn(process.execPath, [SERVER], {
      env: { PATH: process.env.PATH, FLUX_DATA_DIR: dataFolder, FLUX_LISTEN: `127.0.0.1:${port}`, ...options.env, ...env },
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
  const fluxWith = ({ env, ...rest }: RunOptions, ...args: string[]) =>
    run(process.execPath, [CLI, ...args], {
      cwd: folder,
      env: { HOME: folder, FLUX_API_BASE: `${url}/api`, FLUX_API_TOKEN: token(), ...env },
      ...rest,
    });

  try {
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
    api: (path, init = {}) =>
      fetch(`${url}/api/cli/v1${path}`, { ...init, headers: { authorization: `Bearer ${token()}`, ...init.headers } }),
    kill: async () => {
      child?.kill('SIGKILL');
      await ended();
    },
    stop,
    start,
    [Symbol.asyncDispose]: async () => {
      await stop();
      const left = await killAll(folder);
      rmSync(folder, { recursive: true, force: true });
      if (left.length > 0) throw new Error(`processes were left behind: ${left.map(({ command }) => command).join('; ')}`);
    },
  };
}

async function killAll(folder: string): Promise<{ pid: number; command: string }[]> {
  const left = processesOf(folder);
  for (const { pid } of left) process.kill(pid, 'SIGKILL');
  await until('killed processes are gone', () => processesOf(folder).length === 0);
  return left;
}

/** Every process whose command line names a folder. */
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
    // It ended between the two looks.
    return '';
  }
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
