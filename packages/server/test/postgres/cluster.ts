import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectPostgres, type PostgresSession } from '../../src/postgres/connect.ts';
import type { PostgresTarget, PostgresTools } from '../../src/postgres/target.ts';
import { type Account, type Daemon, runProcess, signalProcess, startDaemon } from '../../src/system/process.ts';

/** A Postgres for one run of one test file: Unix socket only, nothing durable, gone afterwards. */
export interface TestCluster extends AsyncDisposable {
  readonly tools: PostgresTools;
  readonly account: Account | undefined;
  readonly folder: string;
  /** The superuser's way into a database. */
  superuser(database?: string): PostgresTarget;
  /** Makes an empty database from template0. */
  createDatabase(name: string): Promise<PostgresTarget>;
  /** Makes a copy of a database that nobody is connected to. */
  cloneDatabase(name: string, template: string): Promise<PostgresTarget>;
  /** Runs SQL in a database as its superuser. */
  run(database: string, sql: string): Promise<void>;
}

const BIN = process.env.FLUX_TEST_PG_BIN ?? '/usr/lib/postgresql/15/bin';

/** Starts a cluster; everything that is in the folder belongs to the account `postgres` when we are root. */
export async function startCluster(settings: Record<string, string> = {}, superuserName = 'postgres'): Promise<TestCluster> {
  const account = process.getuid?.() === 0 ? accountNamed('postgres') : undefined;
  const folder = mkdtempSync(join(tmpdir(), 'flux-test-pg-'));
  chmodSync(folder, 0o755);
  if (account !== undefined) chownSync(folder, account.uid, account.gid);
  const data = join(folder, 'data');
  const version = execFileSync(join(BIN, 'postgres'), ['--version'], { encoding: 'utf8' }).match(/(\d+)\.(\d+)/) as RegExpMatchArray;
  const tools: PostgresTools = {
    major: Number(version[1]),
    version: version[0],
    binFolder: BIN,
    postgres: join(BIN, 'postgres'),
    initdb: join(BIN, 'initdb'),
    pgDump: join(BIN, 'pg_dump'),
    pgRestore: join(BIN, 'pg_restore'),
  };
  let daemon: Daemon | undefined;
  const dispose = async () => {
    if (daemon !== undefined && signalProcess(daemon.pid, 'SIGQUIT')) await daemon.exited;
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const init = await runProcess(
      tools.initdb as string,
      ['-D', data, '-U', superuserName, '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync'],
      {
        account,
      },
    );
    if (init.exitCode !== 0) throw new Error(init.stderr);
    const options = { fsync: 'off', full_page_writes: 'off', synchronous_commit: 'off', listen_addresses: '', ...settings };
    const args = Object.entries(options).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    daemon = await startDaemon(
      tools.postgres as string,
      ['-D', data, '-k', folder, '-c', 'logging_collector=on', '-c', 'max_connections=60', ...args],
      {
        account,
        logFd: 2,
        detached: false,
      },
    );
    const superuser = (database = 'postgres'): PostgresTarget => ({ host: folder, port: 5432, user: superuserName, database });
    await untilReady(superuser());
    const run = async (database: string, sql: string) => {
      await using session = await connectPostgres(superuser(database), { searchPath: 'role' });
      await session.run(sql);
    };
    return {
      tools,
      account,
      folder,
      superuser,
      async createDatabase(name) {
        await run('postgres', `CREATE DATABASE "${name}" TEMPLATE template0`);
        return superuser(name);
      },
      async cloneDatabase(name, template) {
        await run('postgres', `CREATE DATABASE "${name}" TEMPLATE "${template}"`);
        return superuser(name);
      },
      run,
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function untilReady(target: PostgresTarget): Promise<PostgresSession | undefined> {
  for (let attempt = 0; ; attempt++) {
    try {
      await (await connectPostgres(target, { searchPath: 'role' })).close();
      return undefined;
    } catch (error) {
      if (attempt > 600) throw error;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }
}

function accountNamed(name: string): Account {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith(`${name}:`));
  if (line === undefined) throw new Error(`there is no account ${name}`);
  const [, , uid, gid] = line.split(':');
  return { name, uid: Number(uid), gid: Number(gid) };
}
