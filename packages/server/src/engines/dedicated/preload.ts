import { connectPostgres, type PostgresSession } from '../../postgres/connect.ts';
import type { PreloadWish } from '../../postgres/manifest/preload.ts';
import type { ServerSettings } from '../../postgres/server-settings.ts';
import type { PostgresTarget } from '../../postgres/target.ts';

/**
 * The settings that make a server load extensions at its start: those that this host has. Undefined when it has none of them.
 *
 * @param workers `off` while data is being restored: their background workers would run its jobs
 */
export async function preloadSettings(
  admin: PostgresTarget,
  { extensions, settingsWithDatabase }: PreloadWish,
  { database, workers }: { readonly database: string; readonly workers: 'on' | 'off' },
  signal?: AbortSignal,
): Promise<ServerSettings | undefined> {
  await using session = await connectPostgres(admin, { signal });
  const there: string[] = [];
  for (const extension of extensions) if (await isHere(session, extension)) there.push(extension);
  if (there.length === 0) return undefined;
  return {
    shared_preload_libraries: there.join(','),
    ...(workers === 'off' ? { max_worker_processes: '0' } : {}),
    ...(there.includes('pg_cron') ? NO_JOBS : {}),
    ...Object.fromEntries(settingsWithDatabase.map((name) => [name, database])),
  };
}

/** A job runs as the role that its row names, which the owner of a backup may have written: any, also the administrator. */
const NO_JOBS = { 'cron.use_background_workers': 'off', 'cron.max_running_jobs': '0' };

/** Whether the host has the extension, and a library with its name. */
async function isHere(session: PostgresSession, extension: string): Promise<boolean> {
  const rows = await session.query(
    `SELECT FROM pg_catalog.pg_available_extensions a, pg_catalog.pg_config() c
     WHERE a.name = $1 AND c.name = 'PKGLIBDIR' AND (pg_catalog.pg_stat_file(c.setting || '/' || $1 || '.so', true)).size IS NOT NULL`,
    [extension],
  );
  return rows.length > 0;
}
