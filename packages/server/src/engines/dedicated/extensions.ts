import { FluxError } from '@flux/contract/errors';
import { type PostgresSession, serverErrorOf } from '../../postgres/connect.ts';
import { packageOf } from '../../postgres/packages.ts';
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
 * Creates extensions in an empty database, and those that they need. What the owner may create itself belongs to the owner.
 *
 * @param which `of superusers` where the archive creates the others itself; the one of a tenant has none
 * @param lacking `refused`: what this host does not have is an error, before anything is created; `accepted`: it is left out
 * @throws FluxError `not_ready` with what the host lacks, or why an extension cannot be created
 */
export async function createExtensions(
  session: PostgresSession,
  owner: string,
  wanted: readonly Wanted[],
  which: 'all' | 'of superusers',
  lacking: 'refused' | 'accepted',
): Promise<CreatedExtensions> {
  const available = await availableExtensions(session);
  if (lacking === 'refused') await refuseLacking(session, available, wanted);
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
    const problem = await session.run(`CREATE EXTENSION IF NOT EXISTS ${quoteIdentifier(name)}${place} CASCADE`).catch(refusal);
    await session.run('RESET ROLE');
    if (problem !== undefined && lacking === 'refused')
      throw new FluxError('not_ready', `The extension ${name} cannot be created on this server: ${problem}. Nothing was changed.`, {
        hint: 'Restore into a new project with --into, whose server loads what the extension needs; or see to it that the extension works on this host.',
      });
  };
  const chosen = wanted.filter(({ name }) => which === 'all' || available.get(name)?.superuserOnly === true);
  for (const { name, possibly } of chosen) {
    if (possibly !== true) await create(name);
    else if (!(await succeeds(() => create(name)))) await session.run('RESET ROLE');
  }
  const there = await session.query<{ name: string }>(`select extname as name from pg_catalog.pg_extension where extname <> 'plpgsql'`);
  return { extensions: new Set(there.map(({ name }) => name)), schemas };
}

async function succeeds(work: () => Promise<void>): Promise<boolean> {
  return await work().then(
    () => true,
    () => false,
  );
}

/** What Postgres says about an extension that it does not create. @throws anything else, such as a broken connection */
function refusal(error: unknown): string {
  const problem = serverErrorOf(error);
  if (problem === undefined || /^(08|57)/.test(problem.code ?? '')) throw error;
  return problem.message;
}

async function refuseLacking(
  session: PostgresSession,
  available: ReadonlyMap<string, Available>,
  wanted: readonly Wanted[],
): Promise<void> {
  const there = await session.query<{ name: string }>('select extname as name from pg_catalog.pg_extension');
  const isMissing = ({ name, possibly }: Wanted) =>
    possibly !== true && !available.has(name) && there.every((other) => other.name !== name);
  const missing = [...new Set(wanted.filter(isMissing).map(({ name }) => name))];
  if (missing.length === 0) return;
  const [row] = await session.query<{ major: number }>(`select pg_catalog.current_setting('server_version_num')::int / 10000 as major`);
  const packages = [...new Set(missing.map((name) => packageOf(name, row?.major ?? 0)))];
  throw new FluxError(
    'not_ready',
    `This host does not have what the backup needs: the extensions ${missing.join(', ')}. Nothing was changed.`,
    {
      hint: `The operator installs them on the host of the control plane, for example with \`apt-get install ${packages.join(' ')}\`; then restore again.`,
      details: { lacks: missing },
    },
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
