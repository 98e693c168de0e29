import { ANY_SCOPE } from '../scope.ts';
import type { ObjectQueries, ObjectQuery } from './query.ts';

const SETTINGS = `pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole CROSS JOIN LATERAL unnest(s.setconfig) entry`;
const NAME = `split_part(entry, '=', 1)`;
const VALUE = `substr(entry, strpos(entry, '=') + 1)`;
const CURRENT = `(SELECT oid FROM pg_database WHERE datname = current_database())`;
/** Roles that own something in this database or hold a right in it. */
const NAMED_HERE = `SELECT d.refobjid FROM pg_shdepend d WHERE d.refclassid = 'pg_authid'::regclass AND d.dbid = ${CURRENT}`;

/** Comment, limit and grants of the database. */
export const OF_DATABASE: ObjectQuery = {
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
};

const OF_ROLES: ObjectQuery = {
  about: 'limits and memberships of roles',
  only: 'database',
  // A membership without options of its own is among the prerequisites. Up to 15, only the one to hand it on exists.
  sql: `SELECT 'role_limit' AS kind, quote_ident(r.rolname) AS name, concat_ws(' ', CASE WHEN r.rolconnlimit >= 0 THEN 'CONNECTION LIMIT ' || r.rolconnlimit END,
       CASE WHEN isfinite(r.rolvaliduntil) THEN 'VALID UNTIL ' || quote_literal(r.rolvaliduntil AT TIME ZONE 'UTC' || '+00') END) AS definition
     FROM pg_roles r WHERE ${ANY_SCOPE} AND r.oid IN (${NAMED_HERE}) AND r.rolname <> ALL ($2::text[]) AND (r.rolconnlimit >= 0 OR isfinite(r.rolvaliduntil))
     UNION ALL SELECT 'membership', quote_ident(r.rolname) || ' in ' || quote_ident(g.rolname), o.options
     FROM (SELECT m.member, m.roleid, bool_or(m.admin_option) AS admin, bool_or((to_jsonb(m) ->> 'inherit_option')::boolean) AS inherit, bool_or((to_jsonb(m) ->> 'set_option')::boolean) AS set
       FROM pg_auth_members m GROUP BY m.member, m.roleid) m
     JOIN pg_roles r ON r.oid = m.member JOIN pg_roles g ON g.oid = m.roleid
     CROSS JOIN LATERAL (SELECT concat_ws(', ', CASE WHEN m.admin THEN 'ADMIN OPTION' END, CASE WHEN m.inherit <> r.rolinherit THEN 'INHERIT ' || upper(m.inherit::text) END,
       CASE WHEN NOT m.set THEN 'SET FALSE' END) AS options) o
     WHERE m.member IN (${NAMED_HERE}) AND r.rolname <> ALL ($2::text[]) AND g.rolname !~ '^pg_' AND o.options <> ''`,
};

/** Rights on settings of the server, from 15 on. */
const OF_SETTINGS: ObjectQuery = {
  about: 'rights on settings of the server',
  only: 'database',
  sql: `SELECT 'setting_grant' AS kind, quote_ident(r.rolname) || ': ' || p.parname AS name,
       string_agg(x.privilege_type || CASE WHEN x.is_grantable THEN '*' ELSE '' END, ', ' ORDER BY x.privilege_type) AS definition
     FROM pg_parameter_acl p CROSS JOIN LATERAL aclexplode(p.paracl) x JOIN pg_roles r ON r.oid = x.grantee
     WHERE ${ANY_SCOPE} AND r.oid IN (${NAMED_HERE}) AND r.rolname <> ALL ($2::text[]) GROUP BY r.rolname, p.parname`,
};

/**
 * What belongs to the database itself, or to a role, and to nothing in it: settings, comment, limit of connections, grants,
 * and what roles have. No archive of
 * ours contains it; Flux records it and brings it back where the database is its own.
 */
export const databaseItselfQueries: ObjectQueries = (major) => [
  {
    about: 'settings of the database and of roles',
    only: 'database',
    sql: `SELECT CASE WHEN s.setdatabase = 0 THEN 'role_setting' ELSE 'database_setting' END AS kind,
       CASE WHEN r.rolname IS NULL THEN '' ELSE quote_ident(r.rolname) || ': ' END || ${NAME} AS name, ${VALUE} AS definition
     FROM ${SETTINGS}
     WHERE ${ANY_SCOPE} AND (r.rolname IS NULL OR r.rolname <> ALL ($2::text[])) AND (s.setdatabase = ${CURRENT} OR (s.setdatabase = 0 AND r.oid IN (${NAMED_HERE})))`,
  },
  OF_DATABASE,
  OF_ROLES,
  ...(major >= 15 ? [OF_SETTINGS] : []),
];
