import { FluxError } from '@flux/contract/errors';
import { type PostgresSession, sqlStateOf } from '../../postgres/connect.ts';
import { adviseOnLocale, type DatabaseLocale, describeDatabaseLocale, renderDatabaseLocale } from '../../postgres/database-locale.ts';
import { requireMoneyLocale } from '../../postgres/money-locale.ts';
import { quoteIdentifier, quoteLiteral } from '../../postgres/sql/quote.ts';

/** A database to create on a dedicated project's server. */
export interface NewDatabase {
  readonly name: string;
  readonly owner: string;
  /** Null for the encoding and locale of the server. */
  readonly locale: DatabaseLocale | null;
  /** lc_monetary for its sessions; null for that of the server. */
  readonly moneyLocale: string | null;
  /** Of the server. */
  readonly major: number;
}

/**
 * Creates an empty database from template0.
 *
 * @throws FluxError `verification_inconclusive` when the server does not have that locale: nothing is said about the backup
 */
export async function createDatabase(session: PostgresSession, { name, owner, locale, moneyLocale, major }: NewDatabase): Promise<void> {
  if (moneyLocale !== null) await requireMoneyLocale(session, moneyLocale);
  const options = locale === null ? '' : renderDatabaseLocale(locale, major);
  const sql = `CREATE DATABASE ${quoteIdentifier(name)} OWNER ${quoteIdentifier(owner)} TEMPLATE template0 ${options}`;
  await session.run(sql).catch((error: unknown) => {
    const state = sqlStateOf(error);
    if (locale === null || state === undefined || !REFUSED_OPTION.has(state)) throw error;
    throw new FluxError(
      'verification_inconclusive',
      `The backup was not restored: its database has ${describeDatabaseLocale(locale)}, and this server cannot create such a database: ${(error as Error).message}`,
      { hint: `${adviseOnLocale(locale)} Then restore again. Nothing was changed.`, cause: error },
    );
  });
  if (moneyLocale !== null) await session.run(`ALTER DATABASE ${quoteIdentifier(name)} SET lc_monetary = ${quoteLiteral(moneyLocale)}`);
}

/** What CREATE DATABASE says of an encoding, a locale or a provider that it does not know. Source: the manual, appendix A. */
const REFUSED_OPTION = new Set(['22023', '42809', '0A000', '42601', '42704']);
