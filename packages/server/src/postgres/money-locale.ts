import { FluxError } from '@flux/contract/errors';
import { connectPostgres, type PostgresSession } from './connect.ts';
import { adviseOnLocale } from './database-locale.ts';
import type { PostgresTarget } from './target.ts';

/**
 * Makes sure that a server can read amounts of money as the dump wrote them: they are text in an archive, in the words of lc_monetary.
 * Nothing is changed.
 *
 * @param hint what helps, when it is not a locale for the host of the server
 * @throws FluxError `verification_inconclusive` when the server does not have that locale
 */
export async function requireMoneyLocale(
  session: PostgresSession,
  moneyLocale: string,
  hint = adviseOnLocale({ collate: moneyLocale, ctype: moneyLocale }),
): Promise<void> {
  await session.query(`select pg_catalog.set_config('lc_monetary', $1, true)`, [moneyLocale]).catch((error: Error) => {
    throw new FluxError(
      'verification_inconclusive',
      `The backup contains amounts of money as the locale ${moneyLocale} writes them, and Postgres does not have it here: ${error.message}`,
      { hint: `${hint} Then try again.`, cause: error },
    );
  });
}

/** The same in a session of its own. @throws FluxError `verification_inconclusive`, `instance_unavailable` */
export async function checkMoneyLocale(target: PostgresTarget, moneyLocale: string, signal?: AbortSignal): Promise<void> {
  await using session = await connectPostgres(target, { signal, withinMs: target.lookWithinMs });
  await requireMoneyLocale(session, moneyLocale);
}
