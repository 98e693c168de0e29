import type { PostgresSession } from '../../postgres/connect.ts';
import { estimatedTotalBytes } from '../../postgres/estimated-size.ts';
import { findSameNames } from '../../postgres/manifest/prerequisites/same-names.ts';
import { tenantBefore } from '../../postgres/manifest/prerequisites/tenant-before.ts';
import type { LeftOut } from '../../postgres/manifest.ts';
import type { TenantSurvey } from '../pooled.ts';
import type { TenantNames } from './names.ts';

const API_ROLES = new Set(['anon', 'authenticated', 'service_role', 'authenticator']);

/**
 * Examines a tenant before it moves; nothing is changed and no row is read.
 *
 * @param session a superuser's, in the shared database
 */
export async function surveyTenant(session: PostgresSession, names: TenantNames): Promise<TenantSurvey> {
  const { schema } = names;
  const own = new Set<string>([names.ddl, names.role, names.login, names.backup]);
  const { prerequisites, made, leftOut, doubtful } = await tenantBefore(session, { schema, internalRoles: [names.backup] });
  const extensions = new Set(prerequisites.extensions.map(({ name }) => name));
  const same = (await findSameNames(session, schema)).filter(
    (found) =>
      extensions.has(found.extension ?? '') || made.some(({ classid, objid }) => classid === found.classid && objid === found.objid),
  );
  const [size] = await session.query<{ tables: number; rows: number; bytes: string }>(
    `select count(*) filter (where relkind in ('r', 'p'))::int as tables, coalesce(sum(greatest(reltuples, 0)) filter (where relkind = 'r'), 0)::float8 as rows,
       coalesce(sum(${estimatedTotalBytes('c')}) filter (where relkind in ('r', 'm', 'S')), 0)::bigint as bytes
     from pg_class c where relnamespace = (select oid from pg_namespace where nspname = $1)`,
    [schema],
  );
  const roles = prerequisites.roles.map(({ name }) => name);
  return {
    tables: size?.tables ?? 0,
    estimatedRows: Math.round(size?.rows ?? 0),
    sizeBytes: Number(size?.bytes ?? 0),
    needsOutside: leftOut.map(inWords),
    perhapsOutside: doubtful.map(inWords),
    sameNames: same.map(({ own, ofPublic }) => `${own} and ${ofPublic}`),
    // Every database of ours has its own functions of the schema auth.
    broughtAlong: made.map(({ name }) => name).filter((name) => !name.startsWith('function auth.')),
    otherRoles: roles.filter((name) => !own.has(name) && !API_ROLES.has(name)),
    functionsThatNameIt: await functionsThatName(session, schema),
    usedBy: await usersOf(session, schema),
    extensions: prerequisites.extensions.map(({ name, schema }) => `${schema}.${name}`),
    preparedTransactions: await preparedBy(session, [names.ddl, names.login]),
  };
}

const inWords = ({ kind, name, reason }: LeftOut) => `${kind.replaceAll('_', ' ')} ${name}: ${reason}`;

async function functionsThatName(session: PostgresSession, schema: string): Promise<string[]> {
  const rows = await session.query<{ name: string }>(
    `select p.oid::regprocedure::text as name from pg_proc p join pg_namespace n on n.oid = p.pronamespace
     where n.nspname = $1 and (strpos(p.prosrc, $1) > 0 or strpos(coalesce(p.proconfig::text, ''), $1) > 0) order by 1`,
    [schema],
  );
  return rows.map(({ name }) => name);
}

/** Objects outside of the schema that depend on a relation, type or function inside of it. */
async function usersOf(session: PostgresSession, schema: string): Promise<string[]> {
  const rows = await session.query<{ name: string }>(
    `with inside(classid, objid) as (
       select 'pg_class'::regclass::oid, oid from pg_class where relnamespace = (select oid from pg_namespace where nspname = $1)
       union all select 'pg_type'::regclass, oid from pg_type where typnamespace = (select oid from pg_namespace where nspname = $1)
       union all select 'pg_proc'::regclass, oid from pg_proc where pronamespace = (select oid from pg_namespace where nspname = $1)
     ), users as (
       select distinct case d.classid when 'pg_rewrite'::regclass then 'pg_class'::regclass::oid when 'pg_constraint'::regclass then 'pg_class'::regclass::oid else d.classid end as classid,
         case d.classid when 'pg_rewrite'::regclass then (select ev_class from pg_rewrite where oid = d.objid)
           when 'pg_constraint'::regclass then (select nullif(conrelid, 0) from pg_constraint where oid = d.objid) else d.objid end as objid
       from pg_depend d join inside i on i.classid = d.refclassid and i.objid = d.refobjid where d.deptype = 'n'
     )
     select distinct x.type || ' ' || x.identity as name from users u, pg_identify_object(u.classid, u.objid, 0) x
     where u.objid is not null and x.schema is not null and x.schema <> $1
       and x.schema !~ ('^' || regexp_replace($1, '_api$', '') || '_(next|before_[0-9]{14}|restored_[0-9]{17})$') order by 1`,
    [schema],
  );
  return rows.map(({ name }) => name);
}

async function preparedBy(session: PostgresSession, roles: readonly string[]): Promise<string[]> {
  const rows = await session.query<{ gid: string }>(
    'select gid from pg_prepared_xacts where database = current_database() and owner = any($1) order by 1',
    [roles],
  );
  return rows.map(({ gid }) => gid);
}
