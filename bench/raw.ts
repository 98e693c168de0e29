import { execFileSync, spawn } from 'node:child_process';
import { closeSync, fsyncSync, mkdirSync, openSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** The raw tools that Flux is compared with, of the measured major version. */
export interface Postgres {
  readonly bin: string;
  readonly uri: string;
  sql(text: string): string;
}

/** @param bin folder of psql, pg_dump and pg_restore */
export function postgresAt(bin: string, uri: string): Postgres {
  return {
    bin,
    uri,
    sql: (text) =>
      execFileSync(join(bin, 'psql'), ['-X', '-A', '-t', '-q', '-v', 'ON_ERROR_STOP=1', uri], { encoding: 'utf8', input: text }).trim(),
  };
}

/** Measures how long some work takes, in milliseconds. */
export async function time(work: () => unknown): Promise<number> {
  const before = performance.now();
  await work();
  return performance.now() - before;
}

/** `pg_dump -Fc > file` and fsync, with further options. @returns milliseconds and bytes */
export async function rawDump(postgres: Postgres, file: string, options: readonly string[] = []): Promise<{ ms: number; bytes: number }> {
  const ms = await time(async () => {
    const fd = openSync(file, 'w');
    try {
      await runQuietly(join(postgres.bin, 'pg_dump'), ['-Fc', ...options, postgres.uri], fd);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  });
  return { ms, bytes: statSync(file).size };
}

/** How a raw server runs: with its own account when running as root, since Postgres refuses root. */
export interface RawServer {
  readonly folder: string;
  readonly run: (program: string, args: readonly string[]) => Promise<void>;
  readonly port: number;
}

/** Prepares to run a raw server in a folder; `account` is its uid and gid when running as root. */
export function rawServer(bin: string, folder: string, port: number, account: { uid: number; gid: number } | undefined): RawServer {
  const run = (program: string, args: readonly string[]) => runQuietly(join(bin, program), args, 'ignore', account);
  return { folder, run, port };
}

/** initdb and start with default settings. */
export async function rawStart({ folder, run, port }: RawServer): Promise<void> {
  await run('initdb', ['-D', join(folder, 'data'), '-U', 'postgres', '--auth=trust', '-E', 'UTF8', '--locale=C.UTF-8']);
  await run('pg_ctl', [
    '-D',
    join(folder, 'data'),
    '-w',
    '-l',
    join(folder, 'log'),
    '-o',
    `-p ${port} -k ${folder} -c listen_addresses=127.0.0.1`,
    'start',
  ]);
}

/** Stops and removes it. */
export async function rawStop({ folder, run }: RawServer): Promise<void> {
  await run('pg_ctl', ['-D', join(folder, 'data'), '-m', 'fast', '-w', 'stop']);
  rmSync(join(folder, 'data'), { recursive: true, force: true });
}

/** Recreates an empty folder. */
export function freshFolder(path: string): string {
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path, { recursive: true });
  return path;
}

/** Runs a program; its output goes to `stdout`, its errors are thrown. */
export function runQuietly(
  program: string,
  args: readonly string[],
  stdout: number | 'ignore' = 'ignore',
  account?: { uid: number; gid: number },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: '/',
      stdio: ['ignore', stdout, 'pipe'],
      env: { PATH: process.env.PATH, LANG: 'C.UTF-8' },
      ...account,
    });
    let stderr = '';
    child.stderr?.setEncoding('utf8').on('data', (text) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`${program} ended with ${code}: ${stderr.slice(-500)}`))));
  });
}
