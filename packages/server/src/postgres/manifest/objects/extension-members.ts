import { ANY_SCOPE } from '../scope.ts';
import { facts, type ObjectQueries } from './query.ts';

const md5 = (text: string) => `md5(${text})`;
const onRelation = (select: string) => `(SELECT jsonb_agg(x.text ORDER BY x.text) FROM (${select}) x(text))`;

/**
 * Members of extensions, with what a user may have changed about each. CREATE EXTENSION creates the members that its script knows, as
 * the script has them; pg_dump leaves all of them out, and with a member table its indexes, triggers and columns. What differs is lost.
 */
export const extensionMemberQueries: ObjectQueries = () => [
  {
    about: 'members of extensions',
    only: 'database-wide',
    sql: `SELECT 'extension_member' AS kind, quote_ident(x.extname) || ': ' || i.type || ' ' || i.identity AS name,
       ${facts({
         definition: `CASE WHEN p.prokind IN ('f', 'p', 'w') THEN ${md5('pg_get_functiondef(p.oid)')}
           WHEN c.relkind IN ('v', 'm') THEN ${md5('pg_get_viewdef(c.oid)')}
           WHEN t.typtype = 'e' THEN (SELECT ${md5(`string_agg(e.enumlabel, ',' ORDER BY e.enumsortorder)`)} FROM pg_enum e WHERE e.enumtypid = t.oid)
           WHEN t.typtype = 'd' THEN (SELECT ${md5(`string_agg(pg_get_constraintdef(k.oid), ',' ORDER BY k.conname)`)} FROM pg_constraint k WHERE k.contypid = t.oid) END`,
         comment: md5('obj_description(d.objid, d.classid::regclass::name)'),
         columns: `CASE WHEN c.relkind IN ('r', 'p', 'f') THEN ${onRelation(
           `SELECT a.attname || ' ' || format_type(a.atttypid, a.atttypmod) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped`,
         )} END`,
         indexes: onRelation('SELECT pg_get_indexdef(n.indexrelid) FROM pg_index n WHERE n.indrelid = c.oid'),
         constraints: onRelation('SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k WHERE k.conrelid = c.oid'),
         triggers: onRelation('SELECT pg_get_triggerdef(g.oid) FROM pg_trigger g WHERE g.tgrelid = c.oid AND NOT g.tgisinternal'),
         rules: onRelation(`SELECT r.rulename::text FROM pg_rewrite r WHERE r.ev_class = c.oid AND r.rulename <> '_RETURN'`),
       })} AS definition
     FROM pg_depend d
     JOIN pg_extension x ON x.oid = d.refobjid
     CROSS JOIN LATERAL pg_identify_object(d.classid, d.objid, d.objsubid) i
     LEFT JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
     LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
     LEFT JOIN pg_type t ON d.classid = 'pg_type'::regclass AND t.oid = d.objid
     WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND i.identity IS NOT NULL AND i.identity !~ '^pg_temp' AND ${ANY_SCOPE}
       -- Row types and array types come and go with what they belong to; from 16 on they are members as well.
       AND NOT (d.classid = 'pg_type'::regclass AND (EXISTS (SELECT FROM pg_type a WHERE a.typarray = d.objid)
         OR EXISTS (SELECT FROM pg_class r WHERE r.oid = t.typrelid AND r.relkind <> 'c')))`,
  },
  {
    about: 'sequences of extensions',
    only: 'database-wide',
    sql: `SELECT 'extension_sequence' AS kind, quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name,
       CASE WHEN has_sequence_privilege(c.oid, 'SELECT') OR has_sequence_privilege(c.oid, 'USAGE')
         THEN coalesce(pg_sequence_last_value(c.oid)::text, 'not yet called') ELSE 'not readable' END AS definition
     FROM pg_depend d JOIN pg_class c ON c.oid = d.objid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND c.relkind = 'S'
       AND c.relpersistence <> 't' AND ${ANY_SCOPE}`,
  },
];
