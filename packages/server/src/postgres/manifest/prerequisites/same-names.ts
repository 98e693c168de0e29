import type { PostgresSession } from '../../connect.ts';

/** SQL common table expression `names(sort, schema, key, classid, objid)`: what must be unique in a schema. */
const NAMES = `names(sort, schema, key, classid, objid) AS (
  SELECT 'type', typnamespace, typname::text, 'pg_type'::regclass::oid, oid FROM pg_type
  UNION ALL SELECT 'relation', relnamespace, relname, 'pg_class'::regclass, oid FROM pg_class
  UNION ALL SELECT 'routine', pronamespace, proname || ' ' || proargtypes::text, 'pg_proc'::regclass, oid FROM pg_proc
  UNION ALL SELECT 'operator', oprnamespace, oprname || ' ' || oprleft || ' ' || oprright, 'pg_operator'::regclass, oid FROM pg_operator
  UNION ALL SELECT 'operator class', opcnamespace, opcname || ' ' || opcmethod, 'pg_opclass'::regclass, oid FROM pg_opclass
  UNION ALL SELECT 'operator family', opfnamespace, opfname || ' ' || opfmethod, 'pg_opfamily'::regclass, oid FROM pg_opfamily
  UNION ALL SELECT 'collation', collnamespace, collname, 'pg_collation'::regclass, oid FROM pg_collation
  UNION ALL SELECT 'conversion', connamespace, conname, 'pg_conversion'::regclass, oid FROM pg_conversion
  UNION ALL SELECT 'text search dictionary', dictnamespace, dictname, 'pg_ts_dict'::regclass, oid FROM pg_ts_dict
  UNION ALL SELECT 'text search configuration', cfgnamespace, cfgname, 'pg_ts_config'::regclass, oid FROM pg_ts_config
  UNION ALL SELECT 'text search parser', prsnamespace, prsname, 'pg_ts_parser'::regclass, oid FROM pg_ts_parser
  UNION ALL SELECT 'text search template', tmplnamespace, tmplname, 'pg_ts_template'::regclass, oid FROM pg_ts_template
)`;

/** Something of `public` and something of a tenant's schema that cannot be in one schema. */
export interface SameName {
  /** As `pg_identify_object` names it, with its kind before it. */
  readonly own: string;
  readonly ofPublic: string;
  /** The other one, by its catalog and number. */
  readonly classid: string;
  readonly objid: string;
  /** The extension that the other belongs to. */
  readonly extension: string | null;
}

/**
 * Finds what has the same name in a tenant's schema and in `public`: a dedicated copy has both in one schema.
 *
 * @param session one that can read the catalogs
 */
export async function findSameNames(session: PostgresSession, schema: string): Promise<readonly SameName[]> {
  return await session.query<SameName>(
    `WITH ${NAMES}
     SELECT i.type || ' ' || i.identity AS own, j.type || ' ' || j.identity AS "ofPublic", x.extname AS extension, b.classid::text AS classid, b.objid::text AS objid
     FROM names a JOIN names b ON b.sort = a.sort AND b.key = a.key
     CROSS JOIN LATERAL pg_identify_object(a.classid, a.objid, 0) i CROSS JOIN LATERAL pg_identify_object(b.classid, b.objid, 0) j
     LEFT JOIN pg_depend d ON d.classid = b.classid AND d.objid = b.objid AND d.deptype = 'e' LEFT JOIN pg_extension x ON x.oid = d.refobjid
     WHERE a.schema = (SELECT oid FROM pg_namespace WHERE nspname = $1) AND b.schema = (SELECT oid FROM pg_namespace WHERE nspname = 'public')
       -- The type of a table or of an array comes with what it is made from.
       AND NOT (a.sort = 'type' AND EXISTS (SELECT FROM pg_type e WHERE e.typarray = a.objid))
     ORDER BY 1`,
    [schema],
  );
}
