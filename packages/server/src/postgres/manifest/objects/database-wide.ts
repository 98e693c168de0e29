import { OF_TENANT } from '../prerequisites/tenant-casts.ts';
import { ANY_SCOPE, inScope, notOfExtension } from '../scope.ts';
import { facts, type ObjectQueries, sortedArray } from './query.ts';

/** Schemas, and what belongs to no schema. Extensions are read for tenants as well; the comparison decides which of them matter. */
export const databaseWideQueries: ObjectQueries = (major) => [
  {
    about: 'schemas',
    sql: `SELECT 'schema' AS kind, quote_ident(n.nspname) AS name, 'schema' AS definition FROM pg_namespace n
     WHERE ${inScope('n')} AND ${notOfExtension('pg_namespace', 'n.oid')}`,
  },
  {
    about: 'extensions',
    sql: `SELECT 'extension' AS kind, quote_ident(e.extname) AS name,
       ${facts({ schema: 'quote_ident(n.nspname)', version: 'e.extversion' })} AS definition
     FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE ${ANY_SCOPE}`,
  },
  {
    about: 'languages, casts, transforms and access methods',
    only: 'database-wide',
    sql: `SELECT 'language' AS kind, quote_ident(l.lanname) AS name,
         ${facts({ trusted: 'l.lanpltrusted', handler: 'l.lanplcallfoid::regproc::text', inline: 'l.laninline::regproc::text', validator: 'l.lanvalidator::regproc::text' })} AS definition
       FROM pg_language l WHERE l.lanispl AND ${ANY_SCOPE} AND ${notOfExtension('pg_language', 'l.oid')}
     UNION ALL
       SELECT 'cast', format_type(c.castsource, NULL) || ' as ' || format_type(c.casttarget, NULL),
         ${facts({ function: 'CASE WHEN c.castfunc <> 0 THEN c.castfunc::regprocedure::text END', context: 'c.castcontext', method: 'c.castmethod' })}
       FROM pg_cast c WHERE c.oid >= 16384 AND ${notOfExtension('pg_cast', 'c.oid')}
     UNION ALL
       SELECT 'transform', format_type(t.trftype, NULL) || ' for ' || l.lanname,
         jsonb_build_array(t.trffromsql::regproc::text, t.trftosql::regproc::text)::text
       FROM pg_transform t JOIN pg_language l ON l.oid = t.trflang WHERE ${notOfExtension('pg_transform', 't.oid')}
     UNION ALL
       SELECT 'access_method', quote_ident(a.amname), a.amtype::text || ' ' || a.amhandler::regproc::text
       FROM pg_am a WHERE a.oid >= 16384 AND ${notOfExtension('pg_am', 'a.oid')}`,
  },
  {
    about: 'casts of a tenant',
    only: 'tenant',
    // Those without a function are named only: see `tenantCasts`.
    sql: `SELECT 'cast' AS kind, format_type(c.castsource, NULL) || ' as ' || format_type(c.casttarget, NULL) AS name,
         ${facts({ function: 'CASE WHEN c.castfunc <> 0 THEN c.castfunc::regprocedure::text END', context: 'c.castcontext', method: 'c.castmethod' })} AS definition
       FROM pg_cast c WHERE c.castmethod <> 'b' AND ${OF_TENANT}`,
  },
  {
    about: 'event triggers',
    only: 'database-wide',
    sql: `SELECT 'event_trigger' AS kind, quote_ident(t.evtname) AS name,
       ${facts({ event: 't.evtevent', function: 't.evtfoid::regproc::text', enabled: 't.evtenabled', tags: sortedArray('t.evttags') })} AS definition
     FROM pg_event_trigger t WHERE ${ANY_SCOPE} AND ${notOfExtension('pg_event_trigger', 't.oid')}`,
  },
  {
    about: 'publications',
    only: 'database-wide',
    sql: `SELECT 'publication' AS kind, quote_ident(p.pubname) AS name,
       ${facts({
         flags: `to_jsonb(p) - '{oid,pubname,pubowner}'::text[]`,
         tables: `(SELECT jsonb_agg(jsonb_build_array(r.prrelid::regclass::text${
           major >= 15
             ? `, pg_get_expr(r.prqual, r.prrelid), (SELECT jsonb_agg(a.attname ORDER BY a.attname) FROM pg_attribute a WHERE a.attrelid = r.prrelid AND a.attnum = ANY (r.prattrs))`
             : ''
         }) ORDER BY r.prrelid::regclass::text) FROM pg_publication_rel r JOIN pg_class c ON c.oid = r.prrelid JOIN pg_namespace n ON n.oid = c.relnamespace
           WHERE r.prpubid = p.oid AND ${inScope('n')})`,
         schemas:
           major >= 15
             ? `(SELECT jsonb_agg(n.nspname ORDER BY n.nspname) FROM pg_publication_namespace s JOIN pg_namespace n ON n.oid = s.pnnspid WHERE s.pnpubid = p.oid AND ${inScope('n')})`
             : 'NULL::text',
       })} AS definition
     FROM pg_publication p WHERE ${ANY_SCOPE} AND ${notOfExtension('pg_publication', 'p.oid')}`,
  },
  {
    about: 'foreign data wrappers, servers and user mappings',
    only: 'database-wide',
    // The options of user mappings contain passwords and are never read.
    sql: `SELECT 'foreign_data_wrapper' AS kind, quote_ident(w.fdwname) AS name,
         ${facts({ handler: 'w.fdwhandler::regproc::text', validator: 'w.fdwvalidator::regproc::text', options: sortedArray('w.fdwoptions') })} AS definition
       FROM pg_foreign_data_wrapper w WHERE ${ANY_SCOPE} AND ${notOfExtension('pg_foreign_data_wrapper', 'w.oid')}
     UNION ALL
       SELECT 'server', quote_ident(s.srvname),
         ${facts({ wrapper: 'w.fdwname', type: 's.srvtype', version: 's.srvversion', options: sortedArray('s.srvoptions') })}
       FROM pg_foreign_server s JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw WHERE ${notOfExtension('pg_foreign_server', 's.oid')}
     UNION ALL
       SELECT 'user_mapping', coalesce(quote_ident(m.usename), 'PUBLIC') || ' on ' || quote_ident(m.srvname), 'user mapping' FROM pg_user_mappings m`,
  },
];
