import { type Selectable, sql } from 'kysely';
import type { Database, OpenedCatalog } from './open.ts';
import type { InstallationTable } from './tables.ts';
import { isWorkerAlive } from './worker-lease.ts';

/** Which installation a catalog belongs to. */
export type Installation = Selectable<InstallationTable>;

/** What the catalog says that it belongs to. Undefined when it says nothing, or its tables are of a release that recorded nothing. */
export async function findInstallation(db: Database): Promise<Installation | undefined> {
  return (await hasTable(db, 'installation')) ? await db.selectFrom('installation').selectAll().executeTakeFirst() : undefined;
}

/** Some of the newest secrets that are sealed in the catalog. */
export async function sampleSealed(db: Database): Promise<readonly Buffer[]> {
  const keys = (await hasTable(db, 'signing_keys'))
    ? await db.selectFrom('signing_keys').select('sealed_private_key as sealed').orderBy('created_at', 'desc').limit(SAMPLE).execute()
    : [];
  const projects = (await hasTable(db, 'projects'))
    ? await db.selectFrom('projects').select('sealed_secrets as sealed').orderBy('created_at', 'desc').limit(SAMPLE).execute()
    : [];
  return [...keys, ...projects].map(({ sealed }) => sealed);
}

const SAMPLE = 5;

async function hasTable(db: Database, name: string): Promise<boolean> {
  const { rows } = await sql<{ there: boolean }>`select to_regclass(${name}) is not null as there`.execute(db);
  return rows[0]?.there === true;
}

/** What the catalog says that it belongs to; recorded now when it says nothing yet. */
export async function ensureInstallation(
  db: Database,
  ours: Pick<Installation, 'key_fingerprint' | 'home' | 'volume'>,
): Promise<Installation> {
  await db
    .insertInto('installation')
    .values(ours)
    .onConflict((conflict) => conflict.column('single').doNothing())
    .execute();
  return db.selectFrom('installation').selectAll().executeTakeFirstOrThrow();
}

/** Records the backup volume, or the data folder, that belongs to the catalog from now on. */
export async function updateInstallation(db: Database, change: Partial<Pick<Installation, 'home' | 'volume'>>): Promise<void> {
  await db.updateTable('installation').set(change).execute();
}

/** The data folders of the servers that work on the catalog now. */
export async function listLiveHomes(catalog: OpenedCatalog): Promise<ReadonlySet<string>> {
  const workers = await catalog.db.selectFrom('workers').select(['lock_key', 'home']).where('home', 'is not', null).execute();
  const homes = new Set<string>();
  for (const { lock_key, home } of workers)
    if (home !== null && !homes.has(home) && (await isWorkerAlive(catalog, lock_key))) homes.add(home);
  return homes;
}

/** How many projects have a server of their own that Flux runs. */
export async function countDedicated(db: Database): Promise<number> {
  const row = await db
    .selectFrom('projects')
    .select((columns) => columns.fn.countAll<number>().as('count'))
    .where('engine', '=', 'v1_dedicated')
    .where('attached', '=', false)
    .where('lifecycle', '<>', 'removed')
    .executeTakeFirstOrThrow();
  return Number(row.count);
}
