import { DATABASE_WIDE } from '../scope.ts';
import type { ObjectQueries } from './query.ts';

/** Objects created by initdb have OIDs below this one. Source: FirstNormalObjectId of Postgres. */
const FIRST_USER_OBJECT = 16384;
// The schema public is created by initdb too, always with OID 2200, and its comment is dumped when it is not the usual one.

/** Catalogs whose objects have no schema of their own, and an address that begins with the name of one. */
const NAMED_AFTER_SCHEMA = ['pg_namespace', 'pg_trigger', 'pg_policy', 'pg_rewrite'].map((catalog) => `'${catalog}'::regclass`).join(', ');

const OF_SCHEMA = `(i.schema IN (SELECT quote_ident(s) FROM unnest($1::text[]) s) OR i.schema = ANY ($1::text[])
      OR (i.schema IS NULL AND d.classoid IN (${NAMED_AFTER_SCHEMA}) AND a.object_names[1] = ANY ($1::text[])))`;

const described = (kind: string, table: string, text: string) => `
  SELECT '${kind}' AS kind, i.type || ' ' || i.identity AS name, ${text} AS definition
  FROM ${table} d, pg_identify_object(d.classoid, d.objoid, d.objsubid) i, pg_identify_object_as_address(d.classoid, d.objoid, d.objsubid) a
  WHERE (d.objoid >= ${FIRST_USER_OBJECT} OR (d.classoid = 'pg_namespace'::regclass AND d.objoid = 2200))
    AND ($1::text[] IS NULL OR ${OF_SCHEMA} OR (i.schema IS NULL AND d.classoid NOT IN (${NAMED_AFTER_SCHEMA}) AND ${DATABASE_WIDE}))
    AND i.identity IS NOT NULL -- A comment can outlive its object.
    AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = d.classoid AND e.objid = d.objoid AND e.deptype = 'e')`;

/** Comments and security labels, of objects that are no members of extensions. */
export const commentQueries: ObjectQueries = () => [
  { about: 'comments', sql: described('comment', 'pg_description', 'd.description') },
  { about: 'security labels', sql: described('security_label', 'pg_seclabel', `d.provider || ': ' || d.label`) },
];
