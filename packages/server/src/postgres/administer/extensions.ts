import type { PostgresSession } from '../connect.ts';
import { quoteIdentifier } from '../sql/quote.ts';
import { withoutEventTriggers } from './event-triggers.ts';

/** An extension of a server, as the database of a session has it. */
export interface ServerExtension {
  readonly name: string;
  /** What CREATE EXTENSION would install. */
  readonly version: string;
  readonly comment: string;
  /** Whether somebody who may create objects in the database may create it, or only a superuser. */
  readonly trusted: boolean;
  /** Extensions that it needs. */
  readonly requires: readonly string[];
  /** Null when it is not installed. */
  readonly installedVersion: string | null;
  /** Where it is installed. */
  readonly schema: string | null;
  /** The schema that it insists on. */
  readonly ownSchema: string | null;
  /** Installed by a superuser, in a schema in which only superusers create objects. */
  readonly isAdministrators: boolean;
}

/** Every extension that this server has, by name. */
export async function listServerExtensions(session: PostgresSession): Promise<ServerExtension[]> {
  return await session.query<ServerExtension>(
    `SELECT a.name, a.default_version AS version, coalesce(a.comment, '') AS comment, v.trusted OR NOT v.superuser AS trusted,
       coalesce(to_json(v.requires), '[]') AS requires, a.installed_version AS "installedVersion", n.nspname AS schema, v.schema AS "ownSchema",
       coalesce(o.rolsuper AND ${ONLY_SUPERUSERS_CREATE}, false) AS "isAdministrators"
     FROM pg_catalog.pg_available_extensions a
     JOIN pg_catalog.pg_available_extension_versions v ON v.name = a.name AND v.version = a.default_version
     LEFT JOIN pg_catalog.pg_extension e ON e.extname = a.name LEFT JOIN pg_catalog.pg_roles o ON o.oid = e.extowner
     LEFT JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace ORDER BY a.name`,
  );
}

/** SQL: whether only superusers own the schema `n` and may create objects in it. */
const ONLY_SUPERUSERS_CREATE = `NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE NOT r.rolsuper
  AND (r.oid = n.nspowner OR pg_catalog.has_schema_privilege(r.oid, n.oid, 'CREATE')))`;

/** The schema that extensions are created in, which everybody may use. */
const EXTENSIONS = 'extensions';
const LOCK_TIMEOUT = '10s';

/**
 * Creates an extension as the administrator, with those that it needs, in a schema that everybody may use; no event trigger fires.
 *
 * The script of an extension runs with its schema in the search_path. One that is not trusted may not be written for a schema in which
 * others create functions and operators, so it gets a schema of the administrator's: `extensions`, or `extensions_<name>`.
 *
 * @param session of a superuser
 * @returns false when no such schema can be had: others own both; nothing was created then
 * @throws DatabaseError of `pg`; nothing was created then
 */
export async function createServerExtension(session: PostgresSession, wanted: readonly ServerExtension[]): Promise<boolean> {
  const schemas = await Promise.all(wanted.map((extension) => chooseSchema(session, extension)));
  if (schemas.includes(undefined)) return false;
  await withoutEventTriggers(session, async () => {
    await session.run(`SET LOCAL lock_timeout = '${LOCK_TIMEOUT}'`);
    for (const [index, { name, ownSchema }] of wanted.entries()) {
      const schema = quoteIdentifier(schemas[index] ?? EXTENSIONS);
      if (ownSchema === null) await session.run(`CREATE SCHEMA IF NOT EXISTS ${schema}; GRANT USAGE ON SCHEMA ${schema} TO PUBLIC`);
      await session.run(`CREATE EXTENSION ${quoteIdentifier(name)}${ownSchema === null ? ` WITH SCHEMA ${schema}` : ''}`);
    }
  });
  return true;
}

/** Undefined when each schema that it could have is one in which others create objects. */
async function chooseSchema(
  session: PostgresSession,
  { name, trusted, ownSchema }: Pick<ServerExtension, 'name' | 'trusted' | 'ownSchema'>,
): Promise<string | undefined> {
  const candidates = ownSchema === null ? [EXTENSIONS, `${EXTENSIONS}_${name}`] : [ownSchema];
  const taken = await session.query<{ name: string; safe: boolean }>(
    `SELECT n.nspname AS name, ${ONLY_SUPERUSERS_CREATE} AS safe FROM pg_catalog.pg_namespace n WHERE n.nspname = ANY($1)`,
    [candidates],
  );
  return candidates.find((schema) => taken.every((other) => other.name !== schema || other.safe || trusted));
}
