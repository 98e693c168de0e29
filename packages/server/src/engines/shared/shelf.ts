import { connectPostgres, type PostgresSession } from '../../postgres/connect.ts';
import { quoteIdentifier } from '../../postgres/sql/quote.ts';
import { dropEmptyShelves, shelfNameFor, type TableShelf } from '../shelf.ts';
import type { TenantPlace } from './side.ts';
import { grantToBackup } from './tenant.ts';
import { inTurn } from './turn.ts';

/**
 * Makes a schema of the tenant's owner, for tables that come back beside the live ones. Only the owner can look into it, that is
 * who pushes: what hides rows of the live tables from programs is not there.
 */
export async function openTenantShelf({ names, major, admin, owner, backup }: TenantPlace, signal?: AbortSignal): Promise<TableShelf> {
  const stem = names.schema.replace(/api$/, '');
  const schema = shelfNameFor(stem, new Date());
  const inTurnAsAdmin = async (work: (session: PostgresSession) => Promise<void>, until?: AbortSignal) => {
    await using session = await connectPostgres(admin, { signal: until });
    await inTurn(session, () => work(session));
  };
  await inTurnAsAdmin(async (session) => {
    await dropEmptyShelves(session, stem);
    await session.run(`CREATE SCHEMA ${quoteIdentifier(schema)} AUTHORIZATION ${quoteIdentifier(names.ddl)}`);
  }, signal);
  let isKept = false;
  return {
    schema,
    target: owner,
    inspector: backup,
    major,
    finish: () => inTurnAsAdmin((session) => grantToBackup(session, { ...names, schema }), signal),
    keep: () => {
      isKept = true;
    },
    [Symbol.asyncDispose]: async () => {
      if (!isKept) await inTurnAsAdmin((session) => session.run(`DROP SCHEMA IF EXISTS ${quoteIdentifier(schema)} CASCADE`));
    },
  };
}
