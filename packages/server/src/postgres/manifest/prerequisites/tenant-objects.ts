/** SQL: what belongs to no schema and may need something of one. A publication comes without what it lacks. */
const OF_NO_SCHEMA = ['pg_cast', 'pg_event_trigger', 'pg_language', 'pg_foreign_data_wrapper', 'pg_foreign_server', 'pg_transform', 'pg_am']
  .map((catalog) => `SELECT '${catalog}'::regclass::oid AS classid, oid AS objid FROM ${catalog}`)
  .join(' UNION ALL ');

/**
 * SQL common table expression `tenant(classid, objid)`: everything that belongs to the schemas `$1`, down to rules, defaults,
 * constraints, triggers and policies; with the empty name in `$1`, what belongs to no schema as well. Needs WITH RECURSIVE.
 */
export const TENANT_OBJECTS = `tenant(classid, objid) AS (
  SELECT 'pg_namespace'::regclass::oid, n.oid FROM pg_namespace n WHERE n.nspname = ANY ($1::text[])
  UNION
  SELECT o.classid, o.objid FROM (${OF_NO_SCHEMA}) o WHERE '' = ANY ($1::text[]) AND o.objid >= 16384
    AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = o.classid AND e.objid = o.objid AND e.deptype = 'e')
  UNION
  SELECT d.classid, d.objid FROM tenant t JOIN pg_depend d ON d.refclassid = t.classid AND d.refobjid = t.objid
  WHERE (d.deptype IN ('a', 'i') OR (d.deptype = 'n' AND (d.refclassid = 'pg_namespace'::regclass OR d.classid = 'pg_cast'::regclass)))
    AND d.classid NOT IN (SELECT c.oid FROM pg_class c WHERE c.relnamespace = 'pg_catalog'::regnamespace
      AND c.relname IN ('pg_extension', 'pg_publication_rel', 'pg_publication_namespace'))
    AND NOT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE d.classid = 'pg_class'::regclass AND c.oid = d.objid AND n.nspname <> ALL ($1::text[]) AND n.nspname <> 'pg_toast')
)`;

/**
 * SQL common table expression `needed(classid, objid)`: everything outside the schema that something inside needs, and what
 * that needs in turn, up to extensions and relations; `$4` and `$5` are further objects that something inside names. Goes behind `TENANT_OBJECTS`.
 */
export const NEEDED_OBJECTS = `needed(classid, objid) AS (
  SELECT d.refclassid, d.refobjid FROM pg_depend d JOIN tenant t ON t.classid = d.classid AND t.objid = d.objid
  WHERE d.deptype IN ('n', 'a', 'i') AND d.refobjid >= 16384
    AND NOT EXISTS (SELECT FROM tenant x WHERE x.classid = d.refclassid AND x.objid = d.refobjid)
  UNION
  SELECT s.classid::oid, s.objid::oid FROM unnest($4::text[], $5::text[]) AS s(classid, objid)
  UNION
  SELECT x.classid, x.objid FROM needed n CROSS JOIN LATERAL (
    SELECT d.refclassid AS classid, d.refobjid AS objid FROM pg_depend d WHERE d.classid = n.classid AND d.objid = n.objid AND d.deptype IN ('n', 'a', 'i')
    UNION ALL
    SELECT d.classid, d.objid FROM pg_depend d WHERE d.refclassid = n.classid AND d.refobjid = n.objid AND n.classid = 'pg_type'::regclass
      AND ((d.deptype = 'i' AND d.classid = 'pg_class'::regclass) OR (d.deptype = 'a' AND d.classid = 'pg_constraint'::regclass))
  ) x
  WHERE x.objid >= 16384
    AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = n.classid AND e.objid = n.objid AND e.deptype = 'e')
    AND NOT EXISTS (SELECT FROM pg_class c WHERE n.classid = 'pg_class'::regclass AND c.oid = n.objid AND c.relkind <> 'c')
)`;
