import { inScope, notOfExtension, qualified } from '../scope.ts';
import { facts, type ObjectQueries } from './query.ts';

/** Operators with their classes and families, collations, conversions, text search. */
export const operatorQueries: ObjectQueries = () => [
  {
    about: 'operators',
    sql: `SELECT 'operator' AS kind, o.oid::regoperator::text AS name,
       ${facts({
         schema: 'n.nspname',
         function: 'o.oprcode::regproc::text',
         result: 'format_type(o.oprresult, NULL)',
         commutator: 'CASE WHEN o.oprcom <> 0 THEN o.oprcom::regoperator::text END',
         negator: 'CASE WHEN o.oprnegate <> 0 THEN o.oprnegate::regoperator::text END',
         restrict: 'o.oprrest::regproc::text',
         join: 'o.oprjoin::regproc::text',
         merges: 'nullif(o.oprcanmerge, false)',
         hashes: 'nullif(o.oprcanhash, false)',
       })} AS definition
     FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace
     WHERE o.oprcode <> 0 AND ${inScope('n')} AND ${notOfExtension('pg_operator', 'o.oid')}`,
  },
  {
    about: 'operator families',
    sql: `SELECT 'operator_family' AS kind, ${qualified('n.nspname', 'f.opfname')} || ' using ' || am.amname AS name,
       ${facts({
         operators: `(SELECT jsonb_agg(jsonb_build_array(o.amopstrategy, o.amopopr::regoperator::text, o.amoppurpose) ORDER BY o.amopstrategy, o.amopopr::regoperator::text)
           FROM pg_amop o WHERE o.amopfamily = f.oid)`,
         functions: `(SELECT jsonb_agg(jsonb_build_array(p.amprocnum, p.amproc::regprocedure::text) ORDER BY p.amprocnum, p.amproc::regprocedure::text)
           FROM pg_amproc p WHERE p.amprocfamily = f.oid)`,
       })} AS definition
     FROM pg_opfamily f JOIN pg_namespace n ON n.oid = f.opfnamespace JOIN pg_am am ON am.oid = f.opfmethod
     WHERE ${inScope('n')} AND ${notOfExtension('pg_opfamily', 'f.oid')}`,
  },
  {
    about: 'operator classes',
    sql: `SELECT 'operator_class' AS kind, ${qualified('n.nspname', 'c.opcname')} || ' using ' || am.amname AS name,
       ${facts({
         family: `(SELECT ${qualified('m.nspname', 'f.opfname')} FROM pg_opfamily f JOIN pg_namespace m ON m.oid = f.opfnamespace WHERE f.oid = c.opcfamily)`,
         type: 'format_type(c.opcintype, NULL)',
         default: 'nullif(c.opcdefault, false)',
         storage: 'format_type(nullif(c.opckeytype, 0), NULL)',
       })} AS definition
     FROM pg_opclass c JOIN pg_namespace n ON n.oid = c.opcnamespace JOIN pg_am am ON am.oid = c.opcmethod
     WHERE ${inScope('n')} AND ${notOfExtension('pg_opclass', 'c.oid')}`,
  },
  {
    about: 'collations',
    // The version is that of the host's library at the time; pg_dump leaves it to the server that restores.
    sql: `SELECT 'collation' AS kind, ${qualified('n.nspname', 'c.collname')} AS name,
       (to_jsonb(c) - '{oid,collname,collnamespace,collowner,collversion,collencoding}'::text[])::text AS definition
     FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace WHERE ${inScope('n')} AND ${notOfExtension('pg_collation', 'c.oid')}`,
  },
  {
    about: 'conversions',
    sql: `SELECT 'conversion' AS kind, ${qualified('n.nspname', 'c.conname')} AS name,
       ${facts({ from: 'pg_encoding_to_char(c.conforencoding)', to: 'pg_encoding_to_char(c.contoencoding)', function: 'c.conproc::regproc::text', default: 'c.condefault' })} AS definition
     FROM pg_conversion c JOIN pg_namespace n ON n.oid = c.connamespace WHERE ${inScope('n')} AND ${notOfExtension('pg_conversion', 'c.oid')}`,
  },
  {
    about: 'text search objects',
    sql: `SELECT 'text_search_dictionary' AS kind, ${qualified('n.nspname', 'd.dictname')} AS name,
         (SELECT ${qualified('m.nspname', 't.tmplname')} FROM pg_ts_template t JOIN pg_namespace m ON m.oid = t.tmplnamespace WHERE t.oid = d.dicttemplate)
           || coalesce(' ' || d.dictinitoption, '') AS definition
       FROM pg_ts_dict d JOIN pg_namespace n ON n.oid = d.dictnamespace WHERE ${inScope('n')} AND ${notOfExtension('pg_ts_dict', 'd.oid')}
     UNION ALL
       SELECT 'text_search_configuration', ${qualified('n.nspname', 'c.cfgname')},
         jsonb_build_object('parser', p.prsname, 'mappings', (SELECT jsonb_agg(jsonb_build_array(m.maptokentype, m.mapseqno, m.mapdict::regdictionary::text)
           ORDER BY m.maptokentype, m.mapseqno) FROM pg_ts_config_map m WHERE m.mapcfg = c.oid))::text
       FROM pg_ts_config c JOIN pg_namespace n ON n.oid = c.cfgnamespace JOIN pg_ts_parser p ON p.oid = c.cfgparser
       WHERE ${inScope('n')} AND ${notOfExtension('pg_ts_config', 'c.oid')}
     UNION ALL
       SELECT 'text_search_parser', ${qualified('n.nspname', 'p.prsname')},
         jsonb_build_array(p.prsstart::regproc::text, p.prstoken::regproc::text, p.prsend::regproc::text, p.prsheadline::regproc::text, p.prslextype::regproc::text)::text
       FROM pg_ts_parser p JOIN pg_namespace n ON n.oid = p.prsnamespace WHERE ${inScope('n')} AND ${notOfExtension('pg_ts_parser', 'p.oid')}
     UNION ALL
       SELECT 'text_search_template', ${qualified('n.nspname', 't.tmplname')}, jsonb_build_array(t.tmplinit::regproc::text, t.tmpllexize::regproc::text)::text
       FROM pg_ts_template t JOIN pg_namespace n ON n.oid = t.tmplnamespace WHERE ${inScope('n')} AND ${notOfExtension('pg_ts_template', 't.oid')}`,
  },
];
