import { inScope, notOfExtension, qualified } from '../scope.ts';
import { facts, type ObjectQueries } from './query.ts';

const FROM = `FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace`;
const WHERE = `${inScope('n')} AND ${notOfExtension('pg_type', 't.oid')}`;
const NAME = qualified('n.nspname', 't.typname');

/** Enums, domains, composite types, ranges, base types. Row types of tables, arrays and multiranges come with what they belong to. */
export const typeQueries: ObjectQueries = (major) => [
  {
    about: 'enums',
    sql: `SELECT 'enum' AS kind, ${NAME} AS name,
       coalesce((SELECT jsonb_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid), '[]')::text AS definition
     ${FROM} WHERE t.typtype = 'e' AND ${WHERE}`,
  },
  {
    about: 'domains',
    sql: `SELECT 'domain' AS kind, ${NAME} AS name,
       ${facts({
         type: 'format_type(t.typbasetype, t.typtypmod)',
         collation: `(SELECT t.typcollation::regcollation::text FROM pg_type b WHERE b.oid = t.typbasetype AND b.typcollation <> t.typcollation)`,
         'not null': 'nullif(t.typnotnull, false)',
         // As pg_dump does. The text in typdefault was written by the author, whose search_path is unknown.
         default: 'coalesce(pg_get_expr(t.typdefaultbin, 0), t.typdefault)',
         checks: `(SELECT jsonb_object_agg(k.conname, pg_get_constraintdef(k.oid)) FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c')`,
       })} AS definition
     ${FROM} WHERE t.typtype = 'd' AND ${WHERE}`,
  },
  {
    about: 'composite types',
    sql: `SELECT 'type' AS kind, ${NAME} AS name,
       coalesce((SELECT jsonb_agg(jsonb_build_array(a.attname, format_type(a.atttypid, a.atttypmod),
           CASE WHEN a.attcollation <> b.typcollation THEN a.attcollation::regcollation::text END) ORDER BY a.attnum)
         FROM pg_attribute a JOIN pg_type b ON b.oid = a.atttypid WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped), '[]')::text AS definition
     ${FROM} JOIN pg_class c ON c.oid = t.typrelid AND c.relkind = 'c' WHERE ${WHERE}`,
  },
  {
    about: 'ranges',
    sql: `SELECT 'type' AS kind, ${NAME} AS name,
       ${facts({
         subtype: 'format_type(r.rngsubtype, NULL)',
         collation: 'CASE WHEN r.rngcollation <> 0 THEN r.rngcollation::regcollation::text END',
         'operator class': `(SELECT ${qualified('m.nspname', 'o.opcname')} FROM pg_opclass o JOIN pg_namespace m ON m.oid = o.opcnamespace WHERE o.oid = r.rngsubopc)`,
         canonical: 'r.rngcanonical::regproc::text',
         difference: 'r.rngsubdiff::regproc::text',
         multirange: major >= 14 ? 'format_type(r.rngmultitypid, NULL)' : 'NULL::text',
       })} AS definition
     ${FROM} JOIN pg_range r ON r.rngtypid = t.oid WHERE t.typtype = 'r' AND ${WHERE}`,
  },
  {
    about: 'base types',
    sql: `SELECT 'type' AS kind, ${NAME} AS name,
       ${facts({
         defined: 't.typisdefined',
         length: 't.typlen',
         'by value': 't.typbyval',
         functions: `jsonb_build_array(t.typinput::regproc::text, t.typoutput::regproc::text, t.typreceive::regproc::text, t.typsend::regproc::text,
           t.typmodin::regproc::text, t.typmodout::regproc::text, t.typanalyze::regproc::text)`,
         storage: 'jsonb_build_array(t.typalign, t.typstorage, t.typcategory, t.typispreferred, t.typdelim)',
         element: 'format_type(nullif(t.typelem, 0), NULL)',
         default: 't.typdefault',
       })} AS definition
     ${FROM} WHERE t.typtype IN ('b', 'p') AND NOT EXISTS (SELECT FROM pg_type x WHERE x.typarray = t.oid) AND ${WHERE}`,
  },
];
