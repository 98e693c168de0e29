import { connectPostgres, type PostgresSession } from '../../postgres/connect.ts';
import { quoteIdentifier } from '../../postgres/sql/quote.ts';
import type { PostgresTarget } from '../../postgres/target.ts';
import type { Log } from '../../system/log.ts';
import { dropEmptyTableStagings, type TableStaging, tableStagingNameFor } from '../table-staging.ts';

/** Creates a schema in the live database, owned by its owner, for tables that are restored next to the live ones. */
export async function openDedicatedTables(
  place: { readonly major: number; readonly admin: PostgresTarget; readonly owner: PostgresTarget },
  log: Log,
  signal?: AbortSignal,
): Promise<TableStaging> {
  const schema = tableStagingNameFor('', new Date());
  const withOwner = async (until: AbortSignal | undefined, work: (session: PostgresSession) => Promise<void>) => {
    await using session = await connectPostgres(place.owner, { signal: until });
    await work(session);
  };
  await withOwner(signal, async (session) => {
    await dropEmptyTableStagings(session, '');
    await session.run(`CREATE SCHEMA ${quoteIdentifier(schema)}`);
  });
  let isHandedOver = false;
  return {
    schema,
    load: (work) => work(place.owner),
    inspector: place.admin,
    major: place.major,
    finish: async () => undefined,
    handOver: () => {
      isHandedOver = true;
    },
    [Symbol.asyncDispose]: async () => {
      if (isHandedOver) return;
      // Why it is not handed over is what the user has to know, so a failure of this is not thrown over it.
      await withOwner(undefined, (session) => session.run(`DROP SCHEMA IF EXISTS ${quoteIdentifier(schema)} CASCADE`)).catch((error) =>
        log.warn({ err: error, schema }, 'a schema that tables were being restored into was left behind'),
      );
    },
  };
}
