import { FluxError } from '@flux/contract/errors';
import type { PostgresSession } from '../postgres/connect.ts';
import { quoteLiteral } from '../postgres/sql/quote.ts';
import type { DisposableRequest } from './provider.ts';

/** The database of a disposable instance that restores go into; empty, and created from template0. */
export const RESTORE_DATABASE = 'flux_restore';

/** Encoding and locale of a database, with the names of Postgres. */
export type DatabaseLocale = Pick<DisposableRequest, 'encoding' | 'collate' | 'ctype'>;

/** Describes a server that may lack a locale: its name, and how to add the locale. */
export interface LocaleSource {
  readonly name: string;
  readonly hint: string;
}

/**
 * Creates the restore database with the encoding and locale of the source, so that indexes and comparisons sort the same way.
 *
 * @throws FluxError `verification_inconclusive` when the server does not have that locale
 */
export async function createRestoreDatabase(
  session: PostgresSession,
  { encoding, collate, ctype }: DatabaseLocale,
  source: LocaleSource,
): Promise<void> {
  const options = `encoding ${quoteLiteral(encoding)} lc_collate ${quoteLiteral(collate)} lc_ctype ${quoteLiteral(ctype)}`;
  await session.run(`create database ${RESTORE_DATABASE} template template0 ${options}`).catch((error: Error) => {
    throw new FluxError(
      'verification_inconclusive',
      `${source.name} cannot create a database with encoding ${encoding} and locale ${collate}: ${error.message}`,
      { hint: source.hint, cause: error },
    );
  });
}

/** Whether a database with the template's UTF8 encoding and this locale already matches the request. */
export function hasLocale(templateLocale: string, { encoding, collate, ctype }: DatabaseLocale): boolean {
  return encoding.toUpperCase() === 'UTF8' && isSameLocale(collate, templateLocale) && isSameLocale(ctype, templateLocale);
}

/** `C.UTF-8` and `C.utf8` are the same locale under two names. */
function isSameLocale(a: string, b: string): boolean {
  const normalize = (name: string) => name.toLowerCase().replaceAll('-', '');
  return normalize(a) === normalize(b);
}

/** The server's version without the suffix of its distributor, such as `15.14`. */
export async function readServerVersion(session: PostgresSession): Promise<string> {
  const [row] = await session.query<{ version: string }>(`select current_setting('server_version') as version`);
  return row?.version.split(' ')[0] ?? '';
}
