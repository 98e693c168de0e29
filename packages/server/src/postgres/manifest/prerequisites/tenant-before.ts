import type { PostgresSession } from '../../connect.ts';
import type { LeftOut } from '../../manifest.ts';
import { quoteIdentifier, quoteLiteral } from '../../sql/quote.ts';
import type { Scope } from '../scope.ts';
import type { ExtensionPrerequisite, Prerequisites, StatementPrerequisite } from './data.ts';
import { findNamedInBodies, type NamedInBodies, type ObjectId } from './outside-bodies.ts';
import { type OutsideObject, readOutside } from './outside-objects.ts';
import { tenantRoles } from './roles.ts';
import { tenantCasts } from './tenant-casts.ts';

/** The prerequisites of a tenant export, and those that cannot be recorded. */
export interface TenantPrerequisites {
  readonly prerequisites: Pick<Prerequisites, 'roles' | 'schemas' | 'extensions' | 'settings' | 'statements'>;
  /** What the statements create. */
  readonly made: readonly (ObjectId & { readonly name: string })[];
  /** What its objects use and an export of it cannot contain. */
  readonly leftOut: readonly LeftOut[];
  /** What only its functions use or might use, and casts. */
  readonly doubtful: readonly LeftOut[];
}

/**
 * Finds what a schema uses outside of it, by the dependencies that Postgres keeps and by what the bodies of its functions name: roles,
 * schemas, extensions, types, functions, operators, collations, text search. What holds data of its own (a table of another schema) or has
 * no simple statement is left out, and named.
 */
export async function tenantBefore(session: PostgresSession, scope: Scope): Promise<TenantPrerequisites> {
  // These statements are long and find little: to compile them takes many times as long as to run them.
  await session.run('SET jit = off');
  const roles = await tenantRoles(session, scope);
  const roleNames = roles.map(({ name }) => name);
  const { outside, named } = await followBodies(session, scope, roleNames);
  const extensions = await readExtensions(session, outside, named);
  const casts = await tenantCasts(session, scope);
  const made = outside.filter(({ extension, ddl, partOf }) => extension === null && ddl !== null && !partOf);
  const schemas = new Set([...extensions.map(({ schema }) => schema), ...made.map(({ schema }) => schema ?? 'public')]);
  schemas.delete('pg_catalog');
  schemas.delete(scope.schema ?? '');
  return {
    prerequisites: {
      roles,
      schemas: [...schemas],
      extensions,
      // A function may call one that is created after it.
      settings: [{ name: 'check_function_bodies', value: 'off' }],
      statements: [...(await readSchemaGrants(session, [...schemas], roleNames)), ...makeStatements(made), ...casts.statements],
    },
    made: made.map(({ classid, objid, type, identity }) => ({ classid, objid, name: `${type} ${identity}` })),
    leftOut: [
      ...extensions
        .filter(({ schema }) => schema === scope.schema)
        .map(({ name }) => leftOut('extension', quoteIdentifier(name), OF_OWN_SCHEMA)),
      ...outside
        .filter(({ extension, ddl, partOf, type }) => extension === null && ddl === null && !partOf && type !== 'extension')
        .map(({ type, identity }) => leftOut(type.replaceAll(' ', '_'), identity, IS_USED)),
    ],
    doubtful: [...named.leftOut, ...casts.leftOut],
  };
}

const OF_OWN_SCHEMA = "It is installed in the tenant's own schema, and a tenant export cannot contain it.";
const IS_USED = 'The tenant uses it, and a tenant export does not contain it.';

const leftOut = (kind: string, name: string, reason: string): LeftOut => ({ kind, name, reason });
const before = (sql: string, unlessType: string | null = null): StatementPrerequisite => ({ phase: 'before', unlessType, sql });

/** The constraints of domains. */
const CAN_BE_REPEATED = /^DO /;

/**
 * A domain that a function uses by now takes no more constraints, so they are added at once where they do not call a function that is made
 * later; those come with the others.
 */
function ifItCan(statement: string): string {
  return `DO ${quoteLiteral(`BEGIN EXECUTE ${quoteLiteral(statement)}; EXCEPTION WHEN undefined_function OR undefined_object THEN NULL; END`)}`;
}

/** The statements that make objects outside of the scope before a restore of what needs them. */
export function makeStatements(made: readonly OutsideObject[]): readonly StatementPrerequisite[] {
  return [
    ...made.flatMap(({ type, identity, ddl, parts }) => [
      before(ddl as string, type === 'type' ? identity : null),
      ...(parts ?? []).filter(({ phase, sql }) => phase === 'before' && CAN_BE_REPEATED.test(sql)).map(({ sql }) => before(ifItCan(sql))),
    ]),
    ...made.flatMap(({ parts }) => (parts ?? []).map(({ phase, sql }) => ({ phase, unlessType: null, sql }))),
    ...made.flatMap(({ words }) => (words ?? []).map((sql) => before(sql))),
  ];
}

/** Functions outside that come with the tenant have bodies, too. */
async function followBodies(session: PostgresSession, scope: Scope, roles: readonly string[]) {
  let named: NamedInBodies = { objects: [], possibly: [], leftOut: [] };
  let outside = await readOutside(session, scope, roles, []);
  for (let known = -1; ; ) {
    const functions = outside.filter(({ isFunction }) => isFunction).map(({ objid }) => objid);
    if (functions.length === known) return { outside, named };
    known = functions.length;
    named = await findNamedInBodies(session, scope, functions);
    outside = await readOutside(session, scope, roles, named.objects);
  }
}

/** Extensions with those that they need, in the order in which they were created. */
async function readExtensions(
  session: PostgresSession,
  outside: readonly OutsideObject[],
  { possibly }: NamedInBodies,
): Promise<readonly ExtensionPrerequisite[]> {
  const certain = [...new Set(outside.flatMap(({ extension }) => (extension === null ? [] : [extension])))];
  const rows = await session.query<{ name: string; schema: string; version: string; certain: boolean }>(
    `WITH RECURSIVE used(oid, certain) AS (
       SELECT oid, extname = ANY ($1::name[]) FROM pg_extension WHERE extname = ANY ($1::name[]) OR extname = ANY ($2::name[])
       UNION SELECT d.refobjid, u.certain FROM used u JOIN pg_depend d ON d.classid = 'pg_extension'::regclass AND d.objid = u.oid
         AND d.refclassid = 'pg_extension'::regclass)
     SELECT e.extname AS name, n.nspname AS schema, e.extversion AS version, bool_or(u.certain) AS certain
     FROM used u JOIN pg_extension e ON e.oid = u.oid JOIN pg_namespace n ON n.oid = e.extnamespace
     WHERE e.extname <> 'plpgsql' GROUP BY e.oid, e.extname, n.nspname, e.extversion ORDER BY e.oid`,
    [certain, possibly],
  );
  return rows.map(({ certain: isCertain, ...extension }) => (isCertain ? extension : { ...extension, possibly: true }));
}

/** Who of `roles` may use the schemas; `public` and `auth` have theirs in every database. */
export async function readSchemaGrants(
  session: PostgresSession,
  schemas: readonly string[],
  roles: readonly string[],
): Promise<readonly StatementPrerequisite[]> {
  const rows = await session.query<{ sql: string }>(
    `SELECT 'DO ' || quote_literal(format('BEGIN GRANT USAGE ON SCHEMA %I TO %s; EXCEPTION WHEN insufficient_privilege THEN NULL; END', n.nspname,
         CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END)) AS sql
     FROM pg_namespace n, aclexplode(n.nspacl) a
     WHERE n.nspname = ANY ($1::text[]) AND n.nspname NOT IN ('public', 'auth') AND a.privilege_type = 'USAGE'
       AND (a.grantee = 0 OR pg_get_userbyid(a.grantee) = ANY ($2::text[])) ORDER BY 1`,
    [schemas, roles],
  );
  return rows.map(({ sql }) => before(sql));
}
