import { connectPostgres, type PostgresSession } from '../../postgres/connect.ts';
import { quoteIdentifier } from '../../postgres/sql/quote.ts';
import { dropEmptyTableStagings, type TableStaging, tableStagingNameFor } from '../table-staging.ts';
import type { TenantPlace } from './staging.ts';
import { grantToBackup } from './tenant.ts';
import { withTenantLock } from './tenant-lock.ts';

/**
 * Creates a schema that belongs to the tenant's owner, for tables that are restored next to the live ones. Only the owner, the
 * role that pushes, can read it: the policies of the live tables do not exist there.
 */
export async function openTenantTables({ names, major, admin, owner, backup }: TenantPlace, signal?: AbortSignal): Promise<TableStaging> {
  const stem = names.schema.replace(/api$/, '');
  const schema = tableStagingNameFor(stem, new Date());
  const asAdmin = async (work: (session: PostgresSession) => Promise<void>, until?: AbortSignal) => {
    await using session = await connectPostgres(admin, { signal: until });
    await withTenantLock(session, () => work(session));
  };
  await asAdmin(async (session) => {
    await dropEmptyTableStagings(session, stem);
    await session.run(`CREATE SCHEMA ${quoteIdentifier(schema)} AUTHORIZATION ${quoteIdentifier(names.ddl)}`);
  }, signal);
  let isHandedOver = false;
  return {
    schema,
    target: owner,
    inspector: backup,
    major,
    finish: () => asAdmin((session) => grantToBackup(session, { ...names, schema }), signal),
    handOver: () => {
      isHandedOver = true;
    },
    [Symbol.asyncDispose]: async () => {
      if (!isHandedOver) await asAdmin((session) => session.run(`DROP SCHEMA IF EXISTS ${quoteIdentifier(schema)} CASCADE`));
    },
  };
}
