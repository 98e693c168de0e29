import { ANY_SCOPE } from '../scope.ts';
import type { ObjectQueries } from './query.ts';

const SETTINGS = `pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole CROSS JOIN LATERAL unnest(s.setconfig) entry`;
const NAME = `split_part(entry, '=', 1)`;
const VALUE = `substr(entry, strpos(entry, '=') + 1)`;
const CURRENT = `(SELECT oid FROM pg_database WHERE datname = current_database())`;

/**
 * What belongs to the database itself, or to a role, and to nothing in it: settings, comment, limit of connections, grants. No archive of
 * ours contains it; Flux records it and brings it back where the database is its own.
 */
export const databaseItselfQueries: ObjectQueries = () => [
  {
    about: 'settings of the database and of roles',
    only: 'database',
    sql: `SELECT CASE WHEN s.setdatabase = 0 THEN 'role_setting' ELSE 'database_setting' END AS kind,
       CASE WHEN r.rolname IS NULL THEN '' ELSE quote_ident(r.rolname) || ': ' END || ${NAME} AS name, ${VALUE} AS definition
     FROM ${SETTINGS}
     WHERE ${ANY_SCOPE} AND (r.rolname IS NULL OR r.rolname <> ALL ($2::text[])) AND (s.setdatabase = ${CURRENT} OR (s.setdatabase = 0 AND r.oid IN (
       SELECT d.refobjid FROM pg_shdepend d WHERE d.refclassid = 'pg_authid'::regclass AND d.dbid = ${CURRENT})))`,
  },
  {
    about: 'comment, limit and grants of the database',
    only: 'database',
    sql: `SELECT 'database_comment' AS kind, 'comment' AS name, shobj_description(d.oid, 'pg_database') AS definition
       FROM pg_database d WHERE d.oid = ${CURRENT} AND shobj_description(d.oid, 'pg_database') IS NOT NULL AND ${ANY_SCOPE}
     UNION ALL SELECT 'database_limit', 'connection limit', d.datconnlimit::text FROM pg_database d WHERE d.oid = ${CURRENT} AND d.datconnlimit >= 0
     UNION ALL SELECT 'database_grant', CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(x.grantee)) END,
         string_agg(x.privilege_type || CASE WHEN x.is_grantable THEN '*' ELSE '' END, ', ' ORDER BY x.privilege_type)
       FROM pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) x
       WHERE d.oid = ${CURRENT} AND x.grantee <> d.datdba AND pg_get_userbyid(x.grantee) <> ALL ($2::text[]) GROUP BY x.grantee
     UNION ALL SELECT 'database_grant', 'PUBLIC', 'nothing' FROM pg_database d
       WHERE d.oid = ${CURRENT} AND d.datacl IS NOT NULL AND NOT EXISTS (SELECT FROM aclexplode(d.datacl) x WHERE x.grantee = 0)`,
  },
];
