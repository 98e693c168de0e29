import type { PostgresSession } from '../../connect.ts';
import { quoteLiteral } from '../../sql/quote.ts';
import { grantedObjects, OWNED } from '../objects/rights.ts';
import { inScope, notOfExtension, type Scope } from '../scope.ts';

/** SQL that completes a restored tenant export: owners, grants, default privileges, the migration ledger. May be run again. */
export async function tenantAfter(session: PostgresSession, scope: Scope): Promise<string> {
  const parts = [
    await owners(session, scope),
    await grants(session, scope),
    await defaultPrivileges(session, scope),
    await ledger(session, scope),
  ];
  return parts.flat().join('\n');
}

async function statements(session: PostgresSession, sql: string, parameters: readonly unknown[]): Promise<string[]> {
  return (await session.query<{ sql: string }>(sql, parameters)).map((row) => row.sql);
}

async function owners(session: PostgresSession, scope: Scope): Promise<string[]> {
  // A sequence that belongs to a column follows its table, and says no to anything else.
  const sql = OWNED.filter(({ schema }) => schema !== null).map(
    ({ catalog, owner, schema, where }) =>
      `SELECT format('ALTER %s %s OWNER TO %I;', upper(replace(i.type, ' object', '')), i.identity, pg_get_userbyid(${owner})) AS sql
       FROM ${catalog} o JOIN pg_namespace n ON n.oid = ${schema}, pg_identify_object('${catalog}'::regclass, o.oid, 0) i
       WHERE ${where} AND ${inScope('n')} AND ${notOfExtension(catalog, 'o.oid')}
         AND NOT EXISTS (SELECT FROM pg_depend s WHERE i.type = 'sequence' AND s.classid = 'pg_class'::regclass AND s.objid = o.oid
           AND s.refclassid = 'pg_class'::regclass AND s.deptype IN ('a', 'i'))`,
  );
  return await statements(session, sql.join('\n UNION ALL '), [scope.schema]);
}

async function grants(session: PostgresSession, scope: Scope): Promise<string[]> {
  return await statements(
    session,
    `WITH objects AS (${grantedObjects()}),
     named AS (SELECT o.*, ' ON ' || CASE i.type WHEN 'schema' THEN 'SCHEMA ' WHEN 'sequence' THEN 'SEQUENCE ' WHEN 'type' THEN 'TYPE '
           WHEN 'function' THEN 'ROUTINE ' WHEN 'procedure' THEN 'ROUTINE ' WHEN 'aggregate' THEN 'ROUTINE ' ELSE 'TABLE ' END || i.identity AS target,
         (SELECT ' (' || quote_ident(a.attname) || ')' FROM pg_attribute a WHERE o.subid > 0 AND a.attrelid = o.objid AND a.attnum = o.subid) AS columns
       FROM objects o, pg_identify_object(o.classid, o.objid, 0) i WHERE o.acl IS DISTINCT FROM o.standard)
     SELECT sql FROM (
       SELECT 1 AS step, target, format('REVOKE ALL%s FROM PUBLIC%s;', target,
         CASE WHEN pg_get_userbyid(owner) <> ALL ($2::text[]) THEN format(', %I', pg_get_userbyid(owner)) END) AS sql FROM named WHERE subid = 0
       UNION ALL
       SELECT 2, target, format('GRANT %s%s TO %s%s;', string_agg(x.privilege_type || coalesce(columns, ''), ', ' ORDER BY x.privilege_type), target,
         CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(x.grantee)) END, CASE WHEN x.is_grantable THEN ' WITH GRANT OPTION' END)
       FROM named, aclexplode(acl) x WHERE pg_get_userbyid(x.grantee) <> ALL ($2::text[])
       GROUP BY target, columns, x.grantee, x.is_grantable) lines ORDER BY target, step, sql`,
    [scope.schema, scope.internalRoles],
  );
}

async function defaultPrivileges(session: PostgresSession, scope: Scope): Promise<string[]> {
  return await statements(
    session,
    `SELECT format('ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I GRANT %s ON %s TO %s%s;', pg_get_userbyid(a.defaclrole), n.nspname, x.privilege_type,
       CASE a.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS' ELSE 'TYPES' END,
       CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(x.grantee)) END, CASE WHEN x.is_grantable THEN ' WITH GRANT OPTION' END) AS sql
     FROM pg_default_acl a JOIN pg_namespace n ON n.oid = a.defaclnamespace, aclexplode(a.defaclacl) x
     WHERE n.nspname = $1 AND pg_get_userbyid(x.grantee) <> ALL ($2::text[]) ORDER BY 1`,
    [scope.schema, scope.internalRoles],
  );
}

async function ledger(session: PostgresSession, scope: Scope): Promise<string[]> {
  const source = await ledgerSource(session);
  if (source === undefined) return [];
  const rows = await session.query<Record<'version' | 'filename' | 'checksum' | 'at', string | null>>(
    `SELECT version, filename, checksum, applied_at::text AS at FROM ${source} ORDER BY version`,
    [scope.schema],
  );
  if (rows.length === 0) return [];
  const literal = (value: string | null) => (value === null ? 'NULL' : quoteLiteral(value));
  const schema = literal(scope.schema);
  return [
    'CREATE SCHEMA IF NOT EXISTS flux;',
    `CREATE TABLE IF NOT EXISTS flux.flux_migrations (tenant_schema text NOT NULL, version text NOT NULL, filename text NOT NULL, checksum text,
  applied_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (tenant_schema, version));`,
    ...rows.map(
      ({ version, filename, checksum, at }) =>
        `INSERT INTO flux.flux_migrations (tenant_schema, version, filename, checksum, applied_at) SELECT ${schema}, ${literal(version)}, ${literal(filename)}, ${literal(checksum)}, ${literal(at)}::timestamptz
  WHERE NOT EXISTS (SELECT FROM flux.flux_migrations WHERE tenant_schema = ${schema} AND version = ${literal(version)});`,
    ),
  ];
}

/** The dump role of a tenant may not touch the table, and asks the function that knows from the session whose lines are meant. */
async function ledgerSource(session: PostgresSession): Promise<string | undefined> {
  const [can] = await session.query<{ read: boolean; ask: boolean }>(
    `SELECT EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = n.oid AND c.relname = 'flux_migrations' AND has_table_privilege(c.oid, 'SELECT')) AS read,
       EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = n.oid AND p.proname = 'list_migrations' AND has_function_privilege(p.oid, 'EXECUTE')) AS ask
     FROM pg_namespace n WHERE n.nspname = 'flux' AND has_schema_privilege(n.oid, 'USAGE')`,
  );
  if (can?.read) return 'flux.flux_migrations WHERE tenant_schema = $1';
  return can?.ask ? 'flux.list_migrations() WHERE $1::text IS NOT NULL' : undefined;
}
