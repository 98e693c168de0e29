import { inScope, notOfExtension, qualified } from '../scope.ts';
import { facts, type ObjectQueries, sortedArray } from './query.ts';

const RELATION = qualified('n.nspname', 'c.relname');

/** Tables, views, materialized views, foreign tables, their columns, row security flags, and the definitions of sequences. */
export const relationQueries: ObjectQueries = (major) => [
  {
    about: 'tables and views',
    sql: `SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized_view' WHEN 'f' THEN 'foreign_table' ELSE 'table' END AS kind,
       ${RELATION} AS name,
       ${facts({
         persistence: `nullif(c.relpersistence, 'p')`,
         'access method': `nullif(am.amname, 'heap')`,
         options: sortedArray('c.reloptions'),
         'toast options': sortedArray('toast.reloptions'),
         'of type': `CASE WHEN c.reloftype <> 0 THEN format_type(c.reloftype, NULL) END`,
         inherits: `(SELECT jsonb_agg(i.inhparent::regclass::text ORDER BY i.inhseqno) FROM pg_inherits i WHERE i.inhrelid = c.oid)`,
         'partitioned by': `CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END`,
         partition: 'pg_get_expr(c.relpartbound, c.oid)',
         'replica identity': `CASE WHEN c.relkind IN ('r', 'p', 'm') THEN nullif(c.relreplident, 'd') END`,
         query: `CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END`,
         populated: `CASE WHEN c.relkind = 'm' THEN c.relispopulated END`,
         server: 's.srvname',
         'foreign options': sortedArray('f.ftoptions'),
       })} AS definition
     FROM pg_class c
     JOIN pg_namespace n ON n.oid = c.relnamespace
     LEFT JOIN pg_am am ON am.oid = c.relam
     LEFT JOIN pg_class toast ON toast.oid = c.reltoastrelid
     LEFT JOIN pg_foreign_table f ON f.ftrelid = c.oid
     LEFT JOIN pg_foreign_server s ON s.oid = f.ftserver
     WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't' AND ${inScope('n')} AND ${notOfExtension('pg_class', 'c.oid')}`,
  },
  {
    about: 'columns',
    // A child table lists the columns of its parents first after a restore, wherever they stood before; all others keep their places.
    sql: `SELECT 'column' AS kind, ${RELATION} || '.' || quote_ident(a.attname) AS name,
       ${facts({
         type: 'format_type(a.atttypid, a.atttypmod)',
         position: `CASE WHEN c.relispartition OR NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid)
           THEN row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum) END`,
         collation: `CASE WHEN a.attcollation <> t.typcollation THEN a.attcollation::regcollation::text END`,
         'not null': 'nullif(a.attnotnull, false)',
         default: 'pg_get_expr(d.adbin, d.adrelid)',
         identity: `nullif(a.attidentity, '')`,
         generated: `nullif(a.attgenerated, '')`,
         storage: `CASE WHEN a.attstorage <> t.typstorage AND c.relkind IN ('r', 'p', 'm') THEN a.attstorage END`,
         compression: major >= 14 ? `nullif(a.attcompression, '')` : 'NULL::text',
         statistics: 'CASE WHEN a.attstattarget >= 0 THEN a.attstattarget END',
         options: sortedArray('a.attoptions'),
         'foreign options': sortedArray('a.attfdwoptions'),
       })} AS definition
     FROM pg_attribute a
     JOIN pg_class c ON c.oid = a.attrelid
     JOIN pg_namespace n ON n.oid = c.relnamespace
     JOIN pg_type t ON t.oid = a.atttypid
     LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
     WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't'
       AND ${inScope('n')} AND ${notOfExtension('pg_class', 'c.oid')}`,
  },
  {
    about: 'order of columns in child tables',
    sql: `SELECT 'column_order' AS kind, ${RELATION} AS name, jsonb_agg(a.attname ORDER BY a.attnum)::text AS definition
     FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE a.attnum > 0 AND NOT a.attisdropped AND NOT c.relispartition AND c.relkind IN ('r', 'f') AND c.relpersistence <> 't'
       AND EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid) AND ${inScope('n')} AND ${notOfExtension('pg_class', 'c.oid')}
     GROUP BY n.nspname, c.relname`,
  },
  {
    about: 'row security',
    sql: `SELECT 'row_security' AS kind, ${RELATION} AS name,
       CASE WHEN c.relrowsecurity THEN 'enabled' ELSE 'disabled' END || CASE WHEN c.relforcerowsecurity THEN ', forced' ELSE '' END AS definition
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE (c.relrowsecurity OR c.relforcerowsecurity) AND c.relpersistence <> 't' AND ${inScope('n')}`,
  },
  {
    about: 'sequences',
    sql: `SELECT 'sequence' AS kind, ${RELATION} AS name,
       ${facts({
         type: 'format_type(s.seqtypid, NULL)',
         start: 's.seqstart::text',
         increment: 's.seqincrement::text',
         minimum: 's.seqmin::text',
         maximum: 's.seqmax::text',
         cache: 's.seqcache::text',
         cycle: 's.seqcycle',
         persistence: `nullif(c.relpersistence, 'p')`,
         'owned by': `(SELECT d.refobjid::regclass::text || '.' || quote_ident(a.attname) FROM pg_depend d
           JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
           WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i'))`,
       })} AS definition
     FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relpersistence <> 't' AND ${inScope('n')} AND ${notOfExtension('pg_class', 'c.oid')}`,
  },
];
