import type { PostgresSession } from '../../connect.ts';
import type { LeftOut } from '../../manifest.ts';
import { type Scope, scopeParameter } from '../scope.ts';
import type { StatementPrerequisite } from './data.ts';

/** SQL condition: the cast `c` is from or to a type of the schema `$1`, and nothing else brings it with it. */
export const OF_TENANT = `EXISTS (SELECT FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.oid IN (c.castsource, c.casttarget) AND n.nspname = ANY ($1::text[]))
  AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_cast'::regclass AND e.objid = c.oid AND e.deptype IN ('e', 'i'))`;

/** Casts belong to no schema, so that a dump of one leaves them out. Those without a function need a superuser, and are only named. */
export async function tenantCasts(
  session: PostgresSession,
  scope: Scope,
): Promise<{ readonly statements: readonly StatementPrerequisite[]; readonly leftOut: readonly LeftOut[] }> {
  const casts = await session.query<{ name: string; sql: string | null }>(
    `SELECT format('%s as %s', s, t) AS name, CASE WHEN c.castmethod <> 'b' THEN 'DO ' || quote_literal(format(
         'BEGIN IF NOT EXISTS (SELECT FROM pg_catalog.pg_cast WHERE castsource = %L::pg_catalog.regtype AND casttarget = %L::pg_catalog.regtype) THEN CREATE CAST (%s AS %s) %s%s; END IF; END',
         s, t, s, t, CASE c.castmethod WHEN 'i' THEN 'WITH INOUT' ELSE 'WITH FUNCTION ' || c.castfunc::regprocedure END,
         CASE c.castcontext WHEN 'a' THEN ' AS ASSIGNMENT' WHEN 'i' THEN ' AS IMPLICIT' END)) END AS sql
     FROM pg_cast c, format_type(c.castsource, NULL) s, format_type(c.casttarget, NULL) t WHERE ${OF_TENANT} ORDER BY 1`,
    [scopeParameter(scope)],
  );
  return {
    statements: casts.flatMap(({ sql }) => (sql === null ? [] : [{ phase: 'after' as const, unlessType: null, sql }])),
    leftOut: casts
      .filter(({ sql }) => sql === null)
      .map(({ name }) => ({ kind: 'cast', name, reason: 'It has no function, and only a superuser may create such a cast.' })),
  };
}
