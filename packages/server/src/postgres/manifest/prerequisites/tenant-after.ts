import type { PostgresSession } from '../../connect.ts';
import { TENANT_LEDGER_BOUND } from '../../ledger-table.ts';
import { grantedObjects, OF_ALL_SCHEMAS, OWNED } from '../objects/rights.ts';
import { inScope, notOfExtension, type Scope, scopeParameter } from '../scope.ts';
import type {
  DefaultPrivilegePrerequisite,
  DefaultRevocationPrerequisite,
  GrantPrerequisite,
  LedgerRow,
  OwnerPrerequisite,
  Prerequisites,
  RevocationPrerequisite,
} from './data.ts';

/** What completes a restored tenant export: owners, grants, default privileges, the migration ledger. */
export type TenantCompletion = Pick<
  Prerequisites,
  'owners' | 'revocations' | 'grants' | 'defaultRevocations' | 'defaultPrivileges' | 'ledger'
>;

/** Reads what completes a restored tenant export. @throws DatabaseError of `pg` when something may not be read; FluxError `not_ready` for a ledger that is too large */
export async function tenantAfter(session: PostgresSession, scope: Scope): Promise<TenantCompletion> {
  return {
    owners: await readOwners(session, scope),
    revocations: await readRevocations(session, scope),
    grants: await readGrants(session, scope),
    defaultRevocations: await readDefaultRevocations(session, scope),
    defaultPrivileges: await readDefaultPrivileges(session, scope),
    ledger: await readLedger(session, scope),
  };
}

async function readOwners(session: PostgresSession, scope: Scope): Promise<readonly OwnerPrerequisite[]> {
  // A sequence that belongs to a column follows its table, and its owner cannot be set on its own.
  const sql = OWNED.filter(({ schema }) => schema !== null).map(
    ({ catalog, owner, schema, where }) =>
      `SELECT upper(replace(i.type, ' object', '')) AS kind, i.identity, pg_get_userbyid(${owner}) AS owner
       FROM ${catalog} o JOIN pg_namespace n ON n.oid = ${schema}, pg_identify_object('${catalog}'::regclass, o.oid, 0) i
       WHERE ${where} AND ${inScope('n')} AND ${notOfExtension(catalog, 'o.oid')}
         AND NOT EXISTS (SELECT FROM pg_depend s WHERE i.type = 'sequence' AND s.classid = 'pg_class'::regclass AND s.objid = o.oid
           AND s.refclassid = 'pg_class'::regclass AND s.deptype IN ('a', 'i'))`,
  );
  return await session.query<OwnerPrerequisite>(sql.join('\n UNION ALL '), [scopeParameter(scope)]);
}

/** SQL common table expressions, the last of them `named`: objects whose grants are not the default, with their kind as GRANT wants it. */
export const CHANGED_RIGHTS = `objects AS (${grantedObjects()}),
  named AS (SELECT o.*, i.identity, CASE i.type WHEN 'schema' THEN 'SCHEMA' WHEN 'sequence' THEN 'SEQUENCE' WHEN 'type' THEN 'TYPE'
      WHEN 'function' THEN 'ROUTINE' WHEN 'procedure' THEN 'ROUTINE' WHEN 'aggregate' THEN 'ROUTINE' ELSE 'TABLE' END AS kind,
    (SELECT a.attname FROM pg_attribute a WHERE o.subid > 0 AND a.attrelid = o.objid AND a.attnum = o.subid) AS "column"
  FROM objects o, pg_identify_object(o.classid, o.objid, 0) i WHERE o.acl IS DISTINCT FROM o.standard)`;

async function readRevocations(session: PostgresSession, scope: Scope): Promise<readonly RevocationPrerequisite[]> {
  return await session.query<RevocationPrerequisite>(
    `WITH ${CHANGED_RIGHTS}
     SELECT kind, identity, CASE WHEN pg_get_userbyid(owner) <> ALL ($2::text[]) THEN pg_get_userbyid(owner) END AS owner
     FROM named WHERE subid = 0 ORDER BY kind, identity`,
    [scopeParameter(scope), scope.internalRoles],
  );
}

async function readGrants(session: PostgresSession, scope: Scope): Promise<readonly GrantPrerequisite[]> {
  return await session.query<GrantPrerequisite>(
    `WITH ${CHANGED_RIGHTS}
     SELECT kind, identity, "column", json_agg(x.privilege_type ORDER BY x.privilege_type) AS privileges,
       CASE x.grantee WHEN 0 THEN NULL ELSE pg_get_userbyid(x.grantee) END AS grantee, x.is_grantable AS grantable
     FROM named, aclexplode(acl) x WHERE pg_get_userbyid(x.grantee) <> ALL ($2::text[])
     GROUP BY kind, identity, "column", x.grantee, x.is_grantable ORDER BY kind, identity, "column" NULLS FIRST, grantee NULLS FIRST, grantable`,
    [scopeParameter(scope), scope.internalRoles],
  );
}

/** SQL: what default privileges are about. */
const DEFAULT_OBJECTS = `CASE a.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS' WHEN 'T' THEN 'TYPES'
  WHEN 'n' THEN 'SCHEMAS' ELSE 'LARGE OBJECTS' END`;

async function readDefaultRevocations(session: PostgresSession, scope: Scope): Promise<readonly DefaultRevocationPrerequisite[]> {
  return await session.query<DefaultRevocationPrerequisite>(
    `SELECT pg_get_userbyid(a.defaclrole) AS owner, ${DEFAULT_OBJECTS} AS objects
     FROM pg_default_acl a WHERE ${OF_ALL_SCHEMAS} ORDER BY 1, 2`,
    [scopeParameter(scope)],
  );
}

async function readDefaultPrivileges(session: PostgresSession, scope: Scope): Promise<readonly DefaultPrivilegePrerequisite[]> {
  return await session.query<DefaultPrivilegePrerequisite>(
    `SELECT pg_get_userbyid(a.defaclrole) AS owner, n.nspname AS schema, x.privilege_type AS privilege, ${DEFAULT_OBJECTS} AS objects,
       CASE x.grantee WHEN 0 THEN NULL ELSE pg_get_userbyid(x.grantee) END AS grantee, x.is_grantable AS grantable
     FROM pg_default_acl a LEFT JOIN pg_namespace n ON n.oid = a.defaclnamespace, aclexplode(a.defaclacl) x
     WHERE (n.nspname = ANY ($1::text[]) OR ${OF_ALL_SCHEMAS}) AND pg_get_userbyid(x.grantee) <> ALL ($2::text[]) ORDER BY 1, 2 NULLS FIRST, 4, 3, 5`,
    [scopeParameter(scope), scope.internalRoles],
  );
}

async function readLedger(session: PostgresSession, scope: Scope): Promise<readonly LedgerRow[]> {
  const source = await ledgerSource(session);
  if (source === undefined) return [];
  return await session.query<LedgerRow>(
    `SELECT version, filename, checksum, applied_at::text AS "appliedAt" FROM ${source} ORDER BY version`,
    [scope.schema],
    TENANT_LEDGER_BOUND,
  );
}

/** The dump role of a tenant has no access to the table; it calls the function that returns the rows of the session's tenant. */
async function ledgerSource(session: PostgresSession): Promise<string | undefined> {
  const [can] = await session.query<{ read: boolean; ask: boolean }>(
    `SELECT EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = n.oid AND c.relname = 'flux_migrations' AND has_table_privilege(c.oid, 'SELECT')) AS read,
       EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = n.oid AND p.proname = 'list_migrations' AND has_function_privilege(p.oid, 'EXECUTE')) AS ask
     FROM pg_namespace n WHERE n.nspname = 'flux' AND has_schema_privilege(n.oid, 'USAGE')`,
  );
  if (can?.read) return 'flux.flux_migrations WHERE tenant_schema = $1';
  return can?.ask ? 'flux.list_migrations() WHERE $1::text IS NOT NULL' : undefined;
}
