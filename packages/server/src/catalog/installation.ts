import { type Selectable, sql } from 'kysely';
import type { Database, OpenedCatalog } from './open.ts';
import type { InstallationTable } from './tables.ts';
import { WORKER_LOCK_CLASS } from './worker-lease.ts';

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

/** The data folders of the servers that work on the catalog now. Each start of a server has left a row, so they are not asked about one by one. */
export async function listLiveHomes(catalog: OpenedCatalog): Promise<ReadonlySet<string>> {
  const { rows } = await catalog.executeSql(
    `select distinct w.home from workers w join pg_locks l on l.objid = w.lock_key::oid
     where l.locktype = 'advisory' and l.classid = $1 and l.objsubid = 2 and l.granted and w.home is not null
       and l.database = (select oid from pg_database where datname = current_database())`,
    [WORKER_LOCK_CLASS],
  );
  return new Set((rows as { home: string }[]).map(({ home }) => home));
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
