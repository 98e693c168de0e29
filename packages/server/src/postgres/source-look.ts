import type { PostgresSession } from './connect.ts';
import { readLeftOut } from './manifest/left-out.ts';
import { DATABASE_WIDE, hasExtension, inScope, notOfExtension, qualified, type Scope, scopeParameter } from './manifest/scope.ts';
import type { LeftOut } from './manifest.ts';

/** Something that pg_dump reads and the login may not read: no backup can be made. */
export interface Unreadable {
  readonly kind: 'schema' | 'table' | 'row_security' | 'sequence' | 'large_object';
  /** As SQL. */
  readonly name: string;
  /** The schema, as SQL; null for a large object. */
  readonly schema: string | null;
  /** Its owner, who can grant the right. */
  readonly owner: string;
}

/** What a database is like for the login that is going to dump it. */
export interface SourceLook {
  readonly login: string;
  /** The login, as SQL. */
  readonly role: string;
  readonly unreadable: readonly Unreadable[];
  /** What would be in no backup, or come back changed from every backup. */
  readonly leftOut: readonly LeftOut[];
  readonly extensions: readonly string[];
}

/** A configuration table of an extension is dumped like any other. */
const DUMPED = `(${notOfExtension('pg_class', 'c.oid')} OR EXISTS (SELECT FROM pg_extension x WHERE c.oid = ANY (x.extconfig)))`;

/** What pg_dump locks and reads. Of a parent of partitions it reads no rows, and needs the same right. */
const UNREADABLE = `
  SELECT 'schema' AS kind, quote_ident(n.nspname) AS name, quote_ident(n.nspname) AS schema, pg_get_userbyid(n.nspowner) AS owner
  FROM pg_namespace n WHERE ${inScope('n')} AND NOT has_schema_privilege(n.oid, 'USAGE')
    AND EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'S') AND ${DUMPED})
  UNION ALL
  SELECT CASE c.relkind WHEN 'S' THEN 'sequence' ELSE 'table' END, ${qualified('n.nspname', 'c.relname')}, quote_ident(n.nspname), pg_get_userbyid(c.relowner)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'S') AND c.relpersistence <> 't' AND ${inScope('n')} AND ${DUMPED}
    AND NOT CASE c.relkind WHEN 'S' THEN has_sequence_privilege(c.oid, 'SELECT') ELSE has_table_privilege(c.oid, 'SELECT') END
  UNION ALL
  SELECT 'row_security', ${qualified('n.nspname', 'c.relname')}, quote_ident(n.nspname), pg_get_userbyid(c.relowner)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'r' AND ${inScope('n')} AND ${DUMPED} AND row_security_active(c.oid)
  UNION ALL
  SELECT 'large_object', l.oid::text, NULL, pg_get_userbyid(l.lomowner)
  FROM pg_largeobject_metadata l
  WHERE ${DATABASE_WIDE} AND current_setting('lo_compat_privileges') = 'off' AND NOT pg_has_role(l.lomowner, 'USAGE')
    AND NOT (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user)
    AND NOT (current_setting('server_version_num')::int >= 180000
      AND EXISTS (SELECT FROM pg_roles r WHERE r.rolname = 'pg_read_all_data' AND pg_has_role(r.oid, 'USAGE')))
    AND NOT EXISTS (SELECT FROM aclexplode(l.lomacl) a WHERE a.privilege_type = 'SELECT' AND (a.grantee = 0 OR pg_has_role(a.grantee, 'USAGE')))
  ORDER BY 1, 2`;

/** The login of a session, and the extensions of its database. */
export async function readLogin(session: PostgresSession): Promise<Pick<SourceLook, 'login' | 'role' | 'extensions'>> {
  const [login] = await session.query<Pick<SourceLook, 'login' | 'role'> & { extensions: string[] }>(
    `SELECT current_user::text AS login, quote_ident(current_user) AS role,
       ARRAY(SELECT extname::text FROM pg_extension WHERE extname <> 'plpgsql' ORDER BY 1) AS extensions`,
  );
  if (login === undefined) throw new Error('a query without FROM returned no row');
  return login;
}

/** Looks at a database as the login that is going to dump it; reads catalogs only, and changes nothing. */
export async function lookAtSource(session: PostgresSession, scope: Scope): Promise<SourceLook> {
  const login = await readLogin(session);
  const unreadable = await session.query<Unreadable>(UNREADABLE, [scopeParameter(scope)]);
  const withoutRows = new Set(scope.selection?.withoutRows);
  return {
    ...login,
    // pg_dump locks a table whose rows it leaves out, which needs the same right, and reads none.
    unreadable: unreadable.filter(({ kind, name }) => kind !== 'row_security' || !withoutRows.has(name)),
    extensions: login.extensions.filter((name) => hasExtension(scope, name)),
    leftOut: await readLeftOut(session, scope),
  };
}
