import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PostgresToolbox } from '../../src/postgres/target.ts';
import { findPostgresTools } from '../../src/postgres/tools.ts';
import { resolveAccount } from '../../src/system/account.ts';
import type { Account } from '../../src/system/process.ts';

/** Folders, programs and account for local servers of one test file. */
export interface LocalPlace {
  readonly dataFolder: string;
  readonly runFolder: string;
  readonly toolbox: PostgresToolbox;
  readonly account: Account | undefined;
  readonly major: number;
  release(): Promise<void>;
}

export async function prepareLocalPlace(): Promise<LocalPlace> {
  // The installation of the run (acceptance/harness/run.ts), whose initdb is quick.
  const toolbox = await findPostgresTools((process.env.FLUX_POSTGRES_BIN_DIRS ?? '').split(':').filter((folder) => folder !== ''));
  const major = toolbox.majors().at(-1);
  if (major === undefined) throw new Error('these tests need PostgreSQL on this host: apt-get install postgresql-15');
  const folder = await mkdtemp(join(tmpdir(), 'flux-local-'));
  await chmod(folder, 0o711);
  return {
    dataFolder: join(folder, 'data'),
    runFolder: join(folder, 'run'),
    toolbox,
    account: await resolveAccount(undefined),
    major,
    release: () => rm(folder, { recursive: true, force: true }),
  };
}

/** Pid of the server on a data folder, as it wrote it down itself. */
export async function postmasterPid(dataFolder: string): Promise<number> {
  return Number((await readFile(join(dataFolder, 'postmaster.pid'), 'utf8')).split('\n')[0]);
}
