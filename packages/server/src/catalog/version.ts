import { FluxError } from '@flux/contract/errors';
import type { Client } from 'pg';

/**
 * The version of the catalog's tables: the number of the newest migration. `readableBy` is the oldest version whose servers can still read
 * them; a migration that changes what they read raises it.
 */
export const SCHEMA_VERSION = { version: 30, readableBy: 30 };

/** What opening a catalog means: who may change it, and which of this server's migrations it lacks. */
export interface CatalogVersion {
  readonly mode: 'read-write' | 'read-only';
  readonly missing: readonly string[];
}

/**
 * Tells whether the catalog is this server's to change. A newer one has migrations that this server does not know: it can be read where
 * the newer server says so.
 *
 * @param known the names of this server's migrations
 * @throws FluxError `catalog_newer` when it cannot be read either
 */
export async function readCatalogVersion(client: Client, known: readonly string[]): Promise<CatalogVersion> {
  const done = await rowsOf<{ name: string }>(client, 'catalog_migrations', 'select name from catalog_migrations order by name');
  const names = done.map(({ name }) => name);
  const later = names.filter((name) => !known.includes(name));
  const missing = known.filter((name) => !names.includes(name));
  if (later.length === 0) return { mode: 'read-write', missing };
  const [schema] = await rowsOf<{ readable_by: number }>(client, 'schema_version', 'select readable_by from schema_version');
  if (schema !== undefined && schema.readable_by <= SCHEMA_VERSION.version) return { mode: 'read-only', missing };
  throw new FluxError('catalog_newer', `A newer Flux has written the catalog: this version does not know ${later.join(', ')}.`, {
    hint: 'Start the newer version again, or put back a copy of the catalog from before the upgrade; see docs/operating/upgrade.md.',
  });
}

async function rowsOf<Row>(client: Client, table: string, query: string): Promise<readonly Row[]> {
  const { rows } = await client.query<{ there: boolean }>('select to_regclass($1) is not null as there', [table]);
  return rows[0]?.there ? ((await client.query(query)).rows as Row[]) : [];
}

/** The error for everything that would change a catalog that a newer Flux has written. */
export function readOnlyError(cause?: unknown): FluxError {
  return new FluxError('catalog_newer', 'A newer Flux has written the catalog, so this version only reads it: nothing can be changed.', {
    hint: 'Start the newer version again; see docs/operating/upgrade.md.',
    cause,
  });
}

/** @throws FluxError `catalog_outdated` for a catalog that would have to be changed before it can be read */
export function requireNothingMissing({ missing }: CatalogVersion): void {
  if (missing.length === 0) return;
  throw new FluxError(
    'catalog_outdated',
    'The tables of the catalog are of an earlier version of Flux, and nothing is to be changed now.',
    {
      hint: 'Copy the catalog, bring its tables up to date with `flux-server migrate`, and run this again.',
      details: { missing },
    },
  );
}
