import { inScope, notOfExtension, qualified } from '../scope.ts';
import { appendedSql } from './appended.ts';
import { facts, type ObjectQueries } from './query.ts';

const FUNCTION = `${qualified('n.nspname', 'p.proname')} || '(' || pg_get_function_identity_arguments(p.oid) || ')'`;
const ON_TABLE = (name: string) => `${qualified('n.nspname', 'c.relname')} || '.' || quote_ident(${name})`;

/** Functions, procedures, aggregates, triggers, rules, policies. */
export const behaviourQueries: ObjectQueries = () => [
  {
    about: 'functions and procedures',
    sql: `SELECT CASE p.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END AS kind, ${FUNCTION} AS name, pg_get_functiondef(p.oid) AS definition
     FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
     WHERE p.prokind <> 'a' AND ${inScope('n')} AND ${notOfExtension('pg_proc', 'p.oid')}`,
  },
  {
    about: 'aggregates',
    sql: `SELECT 'aggregate' AS kind, ${FUNCTION} AS name,
       ${facts({
         arguments: 'pg_get_function_arguments(p.oid)',
         result: 'pg_get_function_result(p.oid)',
         parallel: 'p.proparallel',
         kind: 'a.aggkind',
         functions: `jsonb_build_array(a.aggtransfn::regproc::text, a.aggfinalfn::regproc::text, a.aggcombinefn::regproc::text, a.aggserialfn::regproc::text,
           a.aggdeserialfn::regproc::text, a.aggmtransfn::regproc::text, a.aggminvtransfn::regproc::text, a.aggmfinalfn::regproc::text)`,
         final: 'jsonb_build_array(a.aggfinalextra, a.aggmfinalextra, a.aggfinalmodify, a.aggmfinalmodify)',
         state: `jsonb_build_array(format_type(a.aggtranstype, NULL), a.aggtransspace, format_type(nullif(a.aggmtranstype, 0), NULL), a.aggmtransspace)`,
         initial: 'jsonb_build_array(a.agginitval, a.aggminitval)',
         'sort operator': 'CASE WHEN a.aggsortop <> 0 THEN a.aggsortop::regoperator::text END',
       })} AS definition
     FROM pg_proc p JOIN pg_aggregate a ON a.aggfnoid = p.oid JOIN pg_namespace n ON n.oid = p.pronamespace
     WHERE ${inScope('n')} AND ${notOfExtension('pg_proc', 'p.oid')}`,
  },
  {
    about: 'triggers',
    sql: `SELECT 'trigger' AS kind, ${ON_TABLE('t.tgname')} AS name,
       pg_get_triggerdef(t.oid) || CASE t.tgenabled WHEN 'O' THEN '' ELSE ${appendedSql('enabled', 't.tgenabled::text')} END AS definition
     FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE NOT t.tgisinternal AND c.relpersistence <> 't' AND ${inScope('n')} AND ${notOfExtension('pg_trigger', 't.oid')}`,
  },
  {
    about: 'rules',
    sql: `SELECT 'rule' AS kind, ${ON_TABLE('r.rulename')} AS name,
       pg_get_ruledef(r.oid) || CASE r.ev_enabled WHEN 'O' THEN '' ELSE ${appendedSql('enabled', 'r.ev_enabled::text')} END AS definition
     FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE r.rulename <> '_RETURN' AND c.relpersistence <> 't' AND ${inScope('n')} AND ${notOfExtension('pg_class', 'c.oid')}`,
  },
  {
    about: 'policies',
    sql: `SELECT 'policy' AS kind, ${ON_TABLE('p.polname')} AS name,
       ${facts({
         command: 'p.polcmd',
         permissive: 'p.polpermissive',
         roles: `(SELECT jsonb_agg(CASE r WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(r)) END ORDER BY pg_get_userbyid(r)) FROM unnest(p.polroles) r)`,
         using: 'pg_get_expr(p.polqual, p.polrelid)',
         check: 'pg_get_expr(p.polwithcheck, p.polrelid)',
       })} AS definition
     FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${inScope('n')}`,
  },
];
