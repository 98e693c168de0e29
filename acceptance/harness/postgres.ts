import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { freePort } from './port.ts';
import { run, runWell } from './process.ts';

const DEBIAN = '/usr/lib/postgresql';

/** The folder with psql and pg_restore of the newest major version whose server is installed too: the one of new instances. */
export function findClient(): string {
  const debian = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a)) : [];
  const named = (process.env.FLUX_POSTGRES_BIN_DIRS ?? '').split(delimiter).filter((folder) => folder !== '');
  const candidates = [...named, ...debian.map((major) => join(DEBIAN, major, 'bin')), ...(process.env.PATH ?? '').split(delimiter)];
  const found = candidates.find((folder) => ['psql', 'pg_restore', 'postgres'].every((program) => existsSync(join(folder, program))));
  if (found === undefined) throw new Error(`no folder has psql, pg_restore and postgres: ${candidates.join(', ')}`);
  return found;
}

/** Runs SQL with psql, each statement separately, and returns its output: rows as lines, columns separated by `|`. */
export function psql(uri: string, sql: string): Promise<string> {
  const psqlArgs = ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-d', uri, '-f', '-'];
  return runWell(join(findClient(), 'psql'), psqlArgs, { input: sql, env: { PGCLIENTENCODING: 'UTF8' } });
}

/** Every row of every table of a schema: the COPY text of each table, ordered, under its name. */
export async function readRows(uri: string, schema: string): Promise<Map<string, string>> {
  const tables = (
    await psql(uri, `select quote_ident(relname) from pg_class where relkind = 'r' and relnamespace = '${schema}'::regnamespace order by 1`)
  )
    .split('\n')
    .filter((name) => name !== '');
  const separator = `--${randomBytes(8).toString('hex')}`;
  const copies = tables.map(
    (name) => `copy (select * from ${schema}.${name} t order by t::text collate "C") to stdout;\n\\echo ${separator}\n`,
  );
  const texts = (await psql(uri, copies.join(''))).split(`${separator}\n`);
  return new Map(tables.map((name, index) => [name, texts[index] ?? '']));
}

/** A Postgres that Flux does not manage. */
export interface ThrowAwayCluster extends AsyncDisposable {
  /** URI of the superuser, who has a password. */
  uri(database: string): string;
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Stops it, as `pg_ctl` does in that mode, and starts it at once. */
  restart(mode: 'fast' | 'immediate'): Promise<void>;
  /** A folder that the server may write to, and that goes with it. */
  readonly folder: string;
}

/** How a throw-away cluster differs from the usual one. */
export interface ClusterOptions {
  /** Environment of the server, for example LOCPATH with locales that this host lacks. */
  readonly env?: Readonly<Record<string, string>>;
  readonly settings?: Readonly<Record<string, string>>;
  /** Folder with its programs. */
  readonly bin?: string;
}

/** Starts a cluster on a loopback port, as the account `postgres` when running as root. */
export async function startThrowAwayCluster({
  env = {},
  settings = {},
  bin = findClient(),
}: ClusterOptions = {}): Promise<ThrowAwayCluster> {
  const folder = mkdtempSync(join(tmpdir(), 'flux-elsewhere-'));
  chmodSync(folder, 0o711);
  const password = randomBytes(12).toString('hex');
  const passwordFile = join(folder, 'password');
  writeFileSync(passwordFile, password, { mode: 0o644 });
  const account = process.getuid?.() === 0 ? accountNamed('postgres') : undefined;
  if (account !== undefined) chownSync(folder, account.uid, account.gid);
  const data = join(folder, 'data');
  const port = await freePort();
  // setpriv(1) keeps the environment and the working folder, and needs no shell of that account.
  const asAccount = (command: string, args: string[]): [string, string[]] =>
    account === undefined
      ? [command, args]
      : ['setpriv', [`--reuid=${account.uid}`, `--regid=${account.gid}`, '--clear-groups', command, ...args]];
  const within = { cwd: folder, env };
  const control = (...args: string[]) => run(...asAccount(join(bin, 'pg_ctl'), ['-D', data, '-s', '-w', ...args]), within);
  const initdb = ['-D', data, '-U', 'elsewhere', `--pwfile=${passwordFile}`, '-A', 'scram-sha-256', '-E', 'UTF8', '--locale=C.UTF-8', '-N'];
  await runWell(...asAccount(join(bin, 'initdb'), initdb), within);
  const more = Object.entries(settings).map(([name, value]) => ` -c ${name}=${value}`);
  const options = `-c port=${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off${more.join('')}`;
  const start = async () => {
    const started = await control('-l', join(folder, 'log'), '-o', options, 'start');
    if (started.exitCode !== 0) throw new Error(`the throw-away cluster did not start: ${started.stderr}`);
  };
  await start();
  return {
    folder,
    start,
    restart: async (mode) => {
      const restarted = await control('-m', mode, '-l', join(folder, 'log'), '-o', options, 'restart');
      if (restarted.exitCode !== 0) throw new Error(`the throw-away cluster did not start again: ${restarted.stderr}`);
    },
    stop: async () => void (await control('-m', 'immediate', 'stop')),
    uri: (database) => `postgresql://elsewhere:${password}@127.0.0.1:${port}/${database}`,
    [Symbol.asyncDispose]: async () => {
      // A test may have stopped it already.
      if (!existsSync(folder)) return;
      const stopped = await control('-m', 'immediate', 'stop');
      rmSync(folder, { recursive: true, force: true });
      if (stopped.exitCode !== 0) throw new Error(`the throw-away cluster did not stop: ${stopped.stderr}`);
    },
  };
}

function accountNamed(name: string): { uid: number; gid: number } {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith(`${name}:`));
  if (line === undefined) throw new Error(`there is no account ${name}`);
  const [, , uid, gid] = line.split(':');
  return { uid: Number(uid), gid: Number(gid) };
}
