import { inScope, notOfExtension, qualified } from '../scope.ts';
import { appendedSql } from './appended.ts';
import { facts, type ObjectQueries } from './query.ts';

/** Constraints of tables, indexes, extended statistics. */
export const constraintQueries: ObjectQueries = () => [
  {
    about: 'constraints',
    // Foreign keys that a partition inherits are created with the parent's, under names that the server chooses. NOT NULL
    // is a property of the column.
    sql: `SELECT 'constraint' AS kind, ${qualified('n.nspname', 'c.relname')} || '.' || quote_ident(k.conname) AS name,
       pg_get_constraintdef(k.oid) AS definition
     FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE k.contype IN ('c', 'p', 'u', 'x', 'f') AND NOT (k.contype = 'f' AND k.conparentid <> 0)
       AND c.relpersistence <> 't' AND ${inScope('n')} AND ${notOfExtension('pg_class', 'c.oid')}`,
  },
  {
    about: 'indexes',
    // pg_dump leaves out an index that is not valid: it is the rest of a CREATE INDEX CONCURRENTLY that failed.
    sql: `SELECT 'index' AS kind, ${qualified('n.nspname', 'c.relname')} AS name,
       ${facts({
         definition: 'pg_get_indexdef(i.indexrelid)',
         'partition of': `(SELECT h.inhparent::regclass::text FROM pg_inherits h WHERE h.inhrelid = i.indexrelid)`,
         invalid: 'nullif(NOT i.indisvalid, false)',
         clustered: 'nullif(i.indisclustered, false)',
         'replica identity': 'nullif(i.indisreplident, false)',
       })} AS definition
     FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE (i.indisvalid OR c.relkind = 'I') AND c.relpersistence <> 't' AND ${inScope('n')} AND ${notOfExtension('pg_class', 'i.indrelid')}`,
  },
  {
    about: 'statistics objects',
    sql: `SELECT 'statistics' AS kind, ${qualified('n.nspname', 's.stxname')} AS name, pg_get_statisticsobjdef(s.oid)
       || CASE WHEN (to_jsonb(s)->>'stxstattarget')::int >= 0 THEN ${appendedSql('target', "(to_jsonb(s)->>'stxstattarget')")} ELSE '' END AS definition
     FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace
     WHERE ${inScope('n')} AND ${notOfExtension('pg_statistic_ext', 's.oid')}`,
  },
];
