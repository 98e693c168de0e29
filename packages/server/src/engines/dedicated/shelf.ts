import { connectPostgres, type PostgresSession } from '../../postgres/connect.ts';
import { quoteIdentifier } from '../../postgres/sql/quote.ts';
import type { PostgresTarget } from '../../postgres/target.ts';
import { dropEmptyShelves, shelfNameFor, type TableShelf } from '../shelf.ts';

/** Makes a schema of the owner's in the live database, for tables that come back beside the live ones. */
export async function openDedicatedShelf(
  place: { readonly major: number; readonly admin: PostgresTarget; readonly owner: PostgresTarget },
  signal?: AbortSignal,
): Promise<TableShelf> {
  const schema = shelfNameFor('', new Date());
  const withOwner = async (until: AbortSignal | undefined, work: (session: PostgresSession) => Promise<void>) => {
    await using session = await connectPostgres(place.owner, { signal: until });
    await work(session);
  };
  await withOwner(signal, async (session) => {
    await dropEmptyShelves(session, '');
    await session.run(`CREATE SCHEMA ${quoteIdentifier(schema)}`);
  });
  let isKept = false;
  return {
    schema,
    target: place.owner,
    inspector: place.admin,
    major: place.major,
    finish: async () => undefined,
    keep: () => {
      isKept = true;
    },
    [Symbol.asyncDispose]: async () => {
      if (!isKept) await withOwner(undefined, (session) => session.run(`DROP SCHEMA IF EXISTS ${quoteIdentifier(schema)} CASCADE`));
    },
  };
}
