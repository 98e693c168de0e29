import type { PostgresSession } from '../../postgres/connect.ts';
import { withLockReport } from '../../postgres/lock-watch.ts';
import { quoteIdentifier } from '../../postgres/sql/quote.ts';
import type { Log } from '../../system/log.ts';
import { dropEmptyTableStagings, type TableStaging, tableStagingNameFor } from '../table-staging.ts';
import { dropSchemas } from './drop-schemas.ts';
import type { TenantPlace } from './staging.ts';
import { grantToBackup } from './tenant.ts';
import { inTransaction } from './tenant-lock.ts';

/**
 * Creates a schema that belongs to the tenant's owner, for tables that are restored next to the live ones. Only the owner, the
 * role that pushes, can read it: the policies of the live tables do not exist there.
 */
export async function openTenantTables(
  { names, major, admin, owner, ownerLogin, backup }: TenantPlace,
  log: Log,
  signal?: AbortSignal,
): Promise<TableStaging> {
  const stem = names.schema.replace(/api$/, '');
  const schema = tableStagingNameFor(stem, new Date());
  const asAdmin = (work: (session: PostgresSession) => Promise<void>) =>
    withLockReport(admin, (session) => inTransaction(session, () => work(session)), signal);
  await asAdmin(async (session) => {
    await dropEmptyTableStagings(session, stem);
    await session.run(`CREATE SCHEMA ${quoteIdentifier(schema)} AUTHORIZATION ${quoteIdentifier(names.ddl)}`);
  });
  let isHandedOver = false;
  return {
    schema,
    load: (work) => ownerLogin.during(owner, () => work(owner)),
    inspector: backup,
    major,
    finish: () => asAdmin((session) => grantToBackup(session, { ...names, schema })),
    handOver: () => {
      isHandedOver = true;
    },
    [Symbol.asyncDispose]: async () => {
      if (isHandedOver) return;
      // Also after an abort. Why it is not handed over is what the user has to know, so a failure of this is not thrown over it.
      await withLockReport(admin, (session) => dropSchemas(admin, session, [schema])).catch((error) =>
        log.warn({ err: error, schema }, 'a schema that tables were being restored into was left behind'),
      );
    },
  };
}
