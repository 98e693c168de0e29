import { FluxError } from '@flux/contract/errors';
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

interface Wanted {
  readonly name: string;
  readonly schema: string;
  /** It is created where it can be; nothing is known to need it. */
  readonly possibly?: boolean | undefined;
}

/**
 * Creates extensions in an empty database, and those that they need. What the owner may create itself belongs to the owner. Extensions that
 * this host does not have are left out, where the archive decides what that means.
 *
 * @param which `of superusers` where the archive creates the others itself; the one of a tenant has none
 * @throws FluxError `verification_inconclusive` when the host lacks one that a tenant needs
 */
export async function createExtensions(
  session: PostgresSession,
  owner: string,
  wanted: readonly Wanted[],
  which: 'all' | 'of superusers',
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
  const chosen = wanted.filter(({ name }) => which === 'all' || available.get(name)?.superuserOnly === true);
  for (const { name, possibly } of chosen) {
    if (possibly !== true) await create(name);
    else if (!(await succeeds(() => create(name)))) await session.run('RESET ROLE');
  }
  const there = await session.query<{ name: string }>(`select extname as name from pg_catalog.pg_extension where extname <> 'plpgsql'`);
  const extensions = new Set(there.map(({ name }) => name));
  const lacking = which === 'all' ? wanted.filter(({ name, possibly }) => possibly !== true && !extensions.has(name)) : [];
  if (lacking.length > 0) throw isLacking([...new Set(lacking.map(({ name }) => name))]);
  return { extensions, schemas };
}

function isLacking(names: readonly string[]): FluxError {
  return new FluxError(
    'verification_inconclusive',
    `This host does not have ${names.length === 1 ? 'an extension' : 'extensions'} that the backup needs: ${names.join(', ')}. Nothing was changed.`,
    { hint: 'Install the packages that contain them for this major of Postgres, then run the command again.' },
  );
}

async function succeeds(work: () => Promise<void>): Promise<boolean> {
  return await work().then(
    () => true,
    () => false,
  );
}

async function availableExtensions(session: PostgresSession): Promise<ReadonlyMap<string, Available>> {
  const rows = await session.query<Available & object>(
    `select a.name, v.superuser and not v.trusted as "superuserOnly", coalesce(to_json(v.requires), '[]') as requires
     from pg_catalog.pg_available_extensions a
     join pg_catalog.pg_available_extension_versions v on v.name = a.name and v.version = a.default_version where a.installed_version is null`,
  );
  return new Map(rows.map((row) => [row.name, row]));
}
