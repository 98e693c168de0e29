import type { PostgresSession } from '../../connect.ts';
import { unquoteIdentifier } from '../../sql/quote.ts';
import { type Scope, scopeParameter } from '../scope.ts';
import type { StatementPrerequisite } from './data.ts';
import type { ObjectId } from './outside-bodies.ts';
import { CREATE_OUTSIDE, DOMAIN_PARTS, OUTSIDE_JOINS, OUTSIDE_WORDS } from './outside-ddl.ts';
import { NEEDED_OBJECTS, TENANT_OBJECTS } from './tenant-objects.ts';

/** Something outside of a tenant's schema that comes with it. */
export interface OutsideObject extends ObjectId {
  readonly type: string;
  readonly identity: string;
  /** Its plain name. */
  readonly schema: string | null;
  /** The extension that it belongs to, which brings it. */
  readonly extension: string | null;
  /** A function of no extension, whose body may name more. */
  readonly isFunction: boolean;
  /** The statement that creates it; null where there is none. */
  readonly ddl: string | null;
  /** What completes it once all others exist. */
  readonly parts: readonly { readonly phase: StatementPrerequisite['phase']; readonly sql: string }[] | null;
  /** Comments and grants. */
  readonly words: readonly string[] | null;
  /** It comes into being together with something else that is listed. */
  readonly partOf: boolean;
  /** What has to exist before it. */
  readonly needs: readonly string[] | null;
}

/** Functions that every policy of the usual kind calls; the text of a function's body leaves no trace in pg_depend. */
const AUTH_FUNCTIONS = ['uid', 'role', 'email', 'jwt'];

/**
 * What objects of the schema use outside of it, by the dependencies that Postgres keeps and by the objects that bodies name; each after
 * what it needs.
 *
 * @param roles those that come with the tenant
 */
export async function readOutside(
  session: PostgresSession,
  scope: Scope,
  roles: readonly string[],
  named: readonly ObjectId[],
): Promise<readonly OutsideObject[]> {
  const objects = await session.query<OutsideObject>(
    `WITH RECURSIVE ${TENANT_OBJECTS}, ${NEEDED_OBJECTS},
     wanted AS (SELECT classid, objid FROM needed UNION
       SELECT 'pg_proc'::regclass, p.oid FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
       WHERE n.nspname = 'auth' AND p.proname = ANY ($2::text[]) AND p.prokind = 'f')
     SELECT w.classid::text AS classid, w.objid::text AS objid, i.type, i.identity, i.schema, x.extname AS extension,
       p.oid IS NOT NULL AND x.oid IS NULL AS "isFunction",
       CASE WHEN x.oid IS NULL THEN ${CREATE_OUTSIDE} END AS ddl, CASE WHEN x.oid IS NULL THEN ${DOMAIN_PARTS} END AS parts,
       CASE WHEN x.oid IS NULL THEN ${OUTSIDE_WORDS} END AS words,
       (w.classid = 'pg_type'::regclass AND (t.typtype = 'm' OR EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid)
           OR (t.typtype = 'c' AND c.relkind <> 'c')))
         OR (w.classid = 'pg_class'::regclass AND rel.relkind IN ('c', 'i', 'I'))
         -- The function that makes values of a range comes with it.
         OR (p.oid IS NOT NULL AND EXISTS (SELECT FROM pg_depend r WHERE r.classid = w.classid AND r.objid = w.objid AND r.deptype = 'i'))
         OR w.classid IN ('pg_constraint'::regclass, 'pg_namespace'::regclass) AS "partOf",
       -- A domain is created without its default, which may call a function that returns the domain.
       (SELECT json_agg(y.refclassid || ' ' || y.refobjid) FROM pg_depend y WHERE y.classid = w.classid AND y.objid = w.objid AND y.refobjid >= 16384
         AND NOT (t.typtype = 'd' AND y.refclassid = 'pg_proc'::regclass)) AS needs
     FROM wanted w ${OUTSIDE_JOINS}
     LEFT JOIN pg_depend d ON d.classid = w.classid AND d.objid = w.objid AND d.deptype = 'e'
     LEFT JOIN pg_extension x ON x.oid = d.refobjid
     ORDER BY w.objid`,
    [
      scopeParameter(scope),
      scope.schema === null ? [] : AUTH_FUNCTIONS,
      roles,
      named.map(({ classid }) => classid),
      named.map(({ objid }) => objid),
    ],
  );
  return inOrder(objects.map((object) => ({ ...object, schema: object.schema === null ? null : unquoteIdentifier(object.schema) })));
}

/** Each object after those that it needs; where they need each other, in the order of their numbers. */
function inOrder(objects: readonly OutsideObject[]): readonly OutsideObject[] {
  const byId = new Map(objects.map((object) => [`${object.classid} ${object.objid}`, object]));
  const ordered = new Set<OutsideObject>();
  const begun = new Set<OutsideObject>();
  const visit = (object: OutsideObject): void => {
    if (begun.has(object)) return;
    begun.add(object);
    for (const id of object.needs ?? []) {
      const needed = byId.get(id);
      if (needed !== undefined) visit(needed);
    }
    ordered.add(object);
  };
  for (const object of objects) visit(object);
  return [...ordered];
}
