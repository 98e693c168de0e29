import { FluxError } from '@flux/contract/errors';
import { connectPostgres, type PostgresSession } from '../postgres/connect.ts';
import type { ServerSettings } from '../postgres/server-settings.ts';
import type { PostgresTarget } from '../postgres/target.ts';
import { checkHost, type HostCheck } from './host-check.ts';
import type { DisposableRequest } from './provider.ts';
import { RESTORE_DATABASE, type ServerWords } from './restore-database.ts';

/** The server has to be started again with these settings: libraries of extensions must be loaded at its start. */
export class PreloadNeeded extends Error {
  override readonly name = 'PreloadNeeded';
  readonly settings: ServerSettings;

  constructor(settings: ServerSettings) {
    super('libraries have to be loaded when the server starts');
    this.settings = settings;
  }
}

/** Names that a file of a library can have without a folder. */
const LIBRARY = /^[A-Za-z0-9_][A-Za-z0-9_.+-]*$/;
const SETTING = /^[a-z_][a-z0-9_]*\.[a-z0-9_]+$/i;

/**
 * Makes sure, before anything of the backup runs, that the server has what the backup needs.
 *
 * @param restore the superuser in the empty restore database
 * @param preloaded whether the server was started with the settings of an earlier `PreloadNeeded`
 * @throws PreloadNeeded; FluxError `verification_inconclusive`, which names everything that is missing and what to install
 */
export async function requireHost(
  restore: PostgresTarget,
  request: DisposableRequest,
  preloaded: boolean,
  { name, hint }: ServerWords,
): Promise<void> {
  const { extensions, needs } = request;
  const nothing =
    extensions.length === 0 && (needs === undefined || [needs.dictionaries, needs.libraries, needs.collations].every(isEmpty));
  if (nothing) return;
  await using session = await connectPostgres(restore, { signal: request.signal });
  if (!preloaded) await askForPreload(session, needs?.preload ?? [], needs);
  const check = await checkHost(session, request);
  // Which libraries the source loads at its start is a setting that not every login may read: those of what does not start are tried.
  if (!preloaded && check.failedExtensions.length > 0 && needs?.preload === null)
    await askForPreload(session, needs.extensionLibraries, needs);
  if (check.lacks.length > 0) throw lacking(check, name, hint);
}

async function askForPreload(session: PostgresSession, libraries: readonly string[], needs: DisposableRequest['needs']): Promise<void> {
  const there: string[] = [];
  for (const library of libraries.filter((name) => LIBRARY.test(name))) if (await hasLibrary(session, library)) there.push(library);
  if (there.length === 0) return;
  const named = (needs?.settingsWithDatabase ?? []).filter((name) => SETTING.test(name));
  throw new PreloadNeeded({
    shared_preload_libraries: there.join(','),
    // Their background workers would work on the restored data: run its jobs, for example.
    max_worker_processes: '0',
    ...Object.fromEntries(named.map((name) => [name, RESTORE_DATABASE])),
  });
}

async function hasLibrary(session: PostgresSession, library: string): Promise<boolean> {
  const [found] = await session.query<{ there: boolean }>(
    `select (pg_catalog.pg_stat_file(setting || '/' || $1 || '.so', true)).size is not null as there from pg_catalog.pg_config() where name = 'PKGLIBDIR'`,
    [library],
  );
  return found?.there === true;
}

function lacking({ lacks }: HostCheck, name: string, hint: string | undefined): FluxError {
  const cures = [...new Set(lacks.map(({ cure }) => cure))];
  const [first = '', ...rest] = cures;
  const cure = hint ?? `${[first.charAt(0).toUpperCase() + first.slice(1), ...rest].join('; ')}.`;
  return new FluxError(
    'verification_inconclusive',
    `${name} lacks what the backup needs: ${lacks.map(({ what }) => what).join('; ')}. This says nothing about the backup.`,
    { hint: `${cure} Then try again.`, details: { lacks: lacks.map(({ what }) => what) } },
  );
}

function isEmpty(list: readonly unknown[]): boolean {
  return list.length === 0;
}
