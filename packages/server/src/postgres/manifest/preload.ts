import type { Manifest } from '../manifest.ts';
import { extensionsOf } from './facts.ts';

/** Extensions that a server has to load at its start, and settings of theirs that name the database they work in. Plain names. */
export interface PreloadWish {
  readonly extensions: readonly string[];
  readonly settingsWithDatabase: readonly string[];
}

/** Extensions that cannot be created, or do nothing, unless the server loads them at its start, for sources whose login may not tell. */
const LOADED_AT_START = new Set(['citus', 'pg_cron', 'pg_squeeze', 'pg_stat_statements', 'pgaudit', 'pgsodium', 'timescaledb']);
const NAME = /^[a-z_][a-z0-9_]*$/;

/**
 * What a server of its own for this backup loads at its start. Only a library with the name of an extension of the backup: what else
 * the source loads is its operator's affair, and a name alone must not choose code.
 */
export function preloadOf({ backupKind, server: { needs }, objects }: Manifest): PreloadWish {
  if (backupKind === 'tenant_export') return { extensions: [], settingsWithDatabase: [] };
  const preloaded = new Set(needs?.preload ?? []);
  const extensions = extensionsOf(objects)
    .map(({ name }) => name)
    .filter((name) => NAME.test(name) && (preloaded.has(name) || LOADED_AT_START.has(name)));
  const isTheirs = (setting: string) =>
    extensions.some((name) => setting.startsWith(`${name.replace(/^pg_/, '')}.`) || setting.startsWith(`${name}.`));
  // pg_cron works in the database `postgres` unless told otherwise, and a login may not see where.
  const own = extensions.includes('pg_cron') ? ['cron.database_name'] : [];
  return { extensions, settingsWithDatabase: [...new Set([...own, ...(needs?.settingsWithDatabase ?? []).filter(isTheirs)])] };
}
