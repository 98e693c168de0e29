import { FluxError } from '@flux/contract/errors';
import type { PostgresSession } from '../postgres/connect.ts';
import { adviseOnLocale, describeDatabaseLocale, renderDatabaseLocale } from '../postgres/database-locale.ts';
import { requireMoneyLocale } from '../postgres/money-locale.ts';
import { quoteLiteral } from '../postgres/sql/quote.ts';
import type { DisposableRequest } from './provider.ts';

/** The database of a disposable instance that restores go into; empty, and created from template0. */
export const RESTORE_DATABASE = 'flux_restore';

/** Describes a server that may lack something: its name, and what helps. Without a hint, what it lacks has to be installed on the host. */
export interface ServerWords {
  readonly name: string;
  readonly hint?: string;
}

/**
 * Creates the restore database with the encoding and locale of the source, so that indexes and comparisons sort the same way.
 *
 * @throws FluxError `verification_inconclusive` when the server does not have that locale
 */
export async function createRestoreDatabase(
  session: PostgresSession,
  { locale, major }: Pick<DisposableRequest, 'locale' | 'major'>,
  { name, hint }: ServerWords,
): Promise<void> {
  await session
    .run(`create database ${RESTORE_DATABASE} template template0 ${renderDatabaseLocale(locale, major)}`)
    .catch((error: Error) => {
      throw new FluxError(
        'verification_inconclusive',
        `${name} cannot create a database with ${describeDatabaseLocale(locale)}: ${error.message}`,
        { hint: `${hint ?? adviseOnLocale(locale)} Then verify again.`, cause: error },
      );
    });
}

/**
 * Gives the sessions of the restore the lc_monetary of the dump.
 *
 * @throws FluxError `verification_inconclusive` when the server does not have that locale
 */
export async function setMoneyLocale(session: PostgresSession, moneyLocale: string, { hint }: ServerWords): Promise<void> {
  await requireMoneyLocale(session, moneyLocale, hint);
  await session.run(`alter database ${RESTORE_DATABASE} set lc_monetary = ${quoteLiteral(moneyLocale)}`);
}

/** The server's version without the suffix of its distributor, such as `15.14`. */
export async function readServerVersion(session: PostgresSession): Promise<string> {
  const [row] = await session.query<{ version: string }>(`select current_setting('server_version') as version`);
  return row?.version.split(' ')[0] ?? '';
}
