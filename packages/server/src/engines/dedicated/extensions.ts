import type { PostgresSession } from '../../postgres/connect.ts';
import { quoteIdentifier } from '../../postgres/sql/quote.ts';

/** What was created in a database before its archive is restored, so that the archive must not. Plain names. */
export interface CreatedExtensions {
  /** All extensions that are there now, also those that others needed. */
  readonly extensions: ReadonlySet<string>;
  readonly schemas: ReadonlySet<string>;
}

interface Available {
  readonly name: string;
  /** Whether only a superuser may create it. */
  readonly superuserOnly: boolean;
  readonly requires: readonly string[];
}

/**
 * Creates the extensions that only a superuser may create, in an empty database, and those that they need. What the owner may create itself
 * belongs to the owner. Extensions that this host does not have are left out.
 */
export async function createExtensions(
  session: PostgresSession,
  owner: string,
  wanted: readonly { readonly name: string; readonly schema: string }[],
): Promise<CreatedExtensions> {
  const available = await availableExtensions(session);
  const schemaOf = new Map(wanted.map(({ name, schema }) => [name, schema]));
  const schemas = new Set<string>();
  const done = new Set<string>();
  const create = async (name: string): Promise<void> => {
    const extension = available.get(name);
    if (extension === undefined || done.has(name)) return;
    done.add(name);
    for (const other of extension.requires) await create(other);
    const schema = schemaOf.get(name);
    if (schema !== undefined && (await session.query('select from pg_catalog.pg_namespace where nspname = $1', [schema])).length === 0) {
      await session.run(`CREATE SCHEMA ${quoteIdentifier(schema)} AUTHORIZATION ${quoteIdentifier(owner)}`);
      schemas.add(schema);
    }
    const place = schema === undefined ? '' : ` WITH SCHEMA ${quoteIdentifier(schema)}`;
    // Nothing of the owner's is in the database yet, so that its rights are enough of a limit here.
    if (!extension.superuserOnly) await session.run(`SET ROLE ${quoteIdentifier(owner)}`);
    await session.run(`CREATE EXTENSION IF NOT EXISTS ${quoteIdentifier(name)}${place} CASCADE`);
    await session.run('RESET ROLE');
  };
  for (const { name } of wanted) if (available.get(name)?.superuserOnly === true) await create(name);
  const there = await session.query<{ name: string }>(`select extname as name from pg_catalog.pg_extension where extname <> 'plpgsql'`);
  return { extensions: new Set(there.map(({ name }) => name)), schemas };
}

async function availableExtensions(session: PostgresSession): Promise<ReadonlyMap<string, Available>> {
  const rows = await session.query<Available & object>(
    `select a.name, v.superuser and not v.trusted as "superuserOnly", coalesce(to_json(v.requires), '[]') as requires
     from pg_catalog.pg_available_extensions a
     join pg_catalog.pg_available_extension_versions v on v.name = a.name and v.version = a.default_version where a.installed_version is null`,
  );
  return new Map(rows.map((row) => [row.name, row]));
}
