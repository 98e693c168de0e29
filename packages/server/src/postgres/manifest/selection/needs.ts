import type { PostgresSession } from '../../connect.ts';
import { type OutsideObject, readOutside } from '../prerequisites/outside-objects.ts';
import { TENANT_OBJECTS } from '../prerequisites/tenant-objects.ts';
import { qualified, type Scope, scopeParameter } from '../scope.ts';

/** Something that is backed up needs something that is not, and that a restore cannot make without it. */
export interface Unmet {
  /** Kind and name of what needs it, as SQL; null when the catalogs do not tell. */
  readonly by: string | null;
  /** Kind and name of what is needed. */
  readonly what: string;
  /** The schema of what is needed, plain; null when it belongs to none. */
  readonly schema: string | null;
  /** What of it is not backed up. */
  readonly lacks: 'definition' | 'rows';
}

/** What the chosen part of a database needs of the rest. */
export interface Needs {
  /** Extensions that its objects use. */
  readonly extensions: readonly string[];
  /** Types, functions and the like, each with a statement that makes it. */
  readonly made: readonly OutsideObject[];
  readonly unmet: readonly Unmet[];
}

/** Finds what the scope needs of the rest of the database, by the dependencies that Postgres keeps. Reads catalogs only. */
export async function readNeeds(session: PostgresSession, scope: Scope, roles: readonly string[]): Promise<Needs> {
  // These statements are long and find little: to compile them takes many times as long as to run them.
  await session.run('SET jit = off');
  const outside = await readOutside(session, scope, roles, []);
  const own = outside.filter(({ extension, partOf, type }) => extension === null && !partOf && type !== 'extension');
  const lacking = own.filter(({ ddl }) => ddl === null);
  const users = await readUsers(session, scope, lacking, own);
  const unmet = lacking.map(({ classid, objid, type, identity, schema }) => ({
    by: users.get(`${classid} ${objid}`) ?? null,
    what: `${type} ${identity}`,
    schema,
    lacks: 'definition' as const,
  }));
  return {
    extensions: [...new Set(outside.flatMap(({ extension }) => (extension === null ? [] : [extension])))],
    made: own.filter(({ ddl }) => ddl !== null),
    unmet: [...unmet, ...(await readUnmetRows(session, scope))],
  };
}

/** What uses each of some objects outside, one for each: something that is chosen, or else something that this needs. */
async function readUsers(
  session: PostgresSession,
  scope: Scope,
  outside: readonly OutsideObject[],
  others: readonly OutsideObject[],
): Promise<ReadonlyMap<string, string>> {
  if (outside.length === 0) return new Map();
  const rows = await session.query<{ id: string; by: string }>(
    `WITH RECURSIVE ${TENANT_OBJECTS}
     SELECT DISTINCT ON (1) d.refclassid || ' ' || d.refobjid AS id, i.type || ' ' || i.identity AS by
     FROM (SELECT classid, objid, 1 AS place FROM tenant UNION ALL SELECT classid::oid, objid::oid, 2 FROM unnest($4::text[], $5::text[]) x(classid, objid)) t
     JOIN pg_depend d ON d.classid = t.classid AND d.objid = t.objid
     JOIN unnest($2::text[], $3::text[]) o(classid, objid) ON d.refclassid = o.classid::oid AND d.refobjid = o.objid::oid
     LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid AND r.rulename = '_RETURN'
     CROSS JOIN LATERAL pg_identify_object(CASE WHEN r.oid IS NULL THEN d.classid ELSE 'pg_class'::regclass END, coalesce(r.ev_class, d.objid),
       CASE WHEN r.oid IS NULL THEN d.objsubid ELSE 0 END) i
     WHERE i.identity IS NOT NULL ORDER BY 1, t.place, 2`,
    [scopeParameter(scope), ...idsOf(outside), ...idsOf(others)],
  );
  return new Map(rows.map(({ id, by }) => [id, by]));
}

function idsOf(objects: readonly OutsideObject[]): readonly [readonly string[], readonly string[]] {
  return [objects.map(({ classid }) => classid), objects.map(({ objid }) => objid)];
}

/** Foreign keys whose rows come back, to tables whose rows do not. One that is not valid is not checked by a restore. */
async function readUnmetRows(session: PostgresSession, scope: Scope): Promise<readonly Unmet[]> {
  const withoutRows = scope.selection?.withoutRows ?? [];
  if (withoutRows.length === 0) return [];
  const rows = await session.query<{ by: string; what: string; schema: string }>(
    `SELECT DISTINCT 'foreign key ' || quote_ident(k.conname) || ' of ' || ${qualified('n.nspname', 'c.relname')} AS by,
       ${qualified('fn.nspname', 'f.relname')} AS what, fn.nspname AS schema
     FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     JOIN pg_class f ON f.oid = k.confrelid JOIN pg_namespace fn ON fn.oid = f.relnamespace
     WHERE k.contype = 'f' AND k.convalidated AND c.relkind = 'r' AND n.nspname = ANY ($1::text[])
       AND ${qualified('n.nspname', 'c.relname')} <> ALL ($2::text[]) AND ${qualified('fn.nspname', 'f.relname')} = ANY ($2::text[]) ORDER BY 1, 2`,
    [scopeParameter(scope), withoutRows],
  );
  return rows.map(({ by, what, schema }) => ({ by, what: `table ${what}`, schema, lacks: 'rows' }));
}
