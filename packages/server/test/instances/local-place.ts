import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chooseWall, type Wall, type WallOptions } from '../../src/instances/local/wall.ts';
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
  readonly wall: Wall;
  readonly major: number;
  release(): Promise<void>;
}

export async function prepareLocalPlace(wanted: WallOptions['wanted'] = 'auto'): Promise<LocalPlace> {
  // The installation of the run (acceptance/harness/run.ts), whose initdb is quick.
  const toolbox = await findPostgresTools((process.env.FLUX_POSTGRES_BIN_DIRS ?? '').split(':').filter((folder) => folder !== ''));
  const major = toolbox.majors().at(-1);
  if (major === undefined) throw new Error('these tests need PostgreSQL on this host: apt-get install postgresql-15');
  const folder = await mkdtemp(join(tmpdir(), 'flux-local-'));
  await chmod(folder, 0o711);
  const [dataFolder, runFolder] = [join(folder, 'data'), join(folder, 'run')];
  const account = await resolveAccount(undefined);
  return {
    dataFolder,
    runFolder,
    toolbox,
    account,
    wall: await chooseWall({ wanted, dataFolder, runFolder, hidden: [], account }),
    major,
    release: () => rm(folder, { recursive: true, force: true }),
  };
}
