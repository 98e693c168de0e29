import type { PostgresSession } from '../../connect.ts';
import { OF_ALL_SCHEMAS } from '../objects/rights.ts';
import { type Scope, scopeParameter } from '../scope.ts';
import type { Prerequisites, RolePrerequisite } from './data.ts';
import { TENANT_OBJECTS } from './tenant-objects.ts';

interface Role extends RolePrerequisite {
  readonly memberOf: readonly string[];
}

const ROLE_FACTS = `SELECT r.rolname AS name, r.rolsuper AS superuser, r.rolinherit AS inherits, r.rolbypassrls AS "bypassesRls",
    coalesce((SELECT json_agg(g.rolname ORDER BY g.rolname) FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid), '[]') AS "memberOf"
  FROM pg_roles r WHERE r.rolname !~ '^pg_' AND r.oid IN (SELECT oid FROM named) ORDER BY 1`;

/** The bootstrap superuser is pinned: nothing records that it owns something, so it is always taken to own something. */
const BOOTSTRAP = 10;

/**
 * The roles that the database names: owners, grantees, roles in policies and default privileges, and the roles
 * that those are members of (a materialized view is filled as its owner, who may have privileges through a membership). Without
 * passwords and without LOGIN. Attributes are kept because only a superuser may own an event trigger.
 */
export async function databaseRoles(session: PostgresSession): Promise<Pick<Prerequisites, 'roles' | 'memberships'>> {
  const roles = await session.query<Role>(
    `WITH RECURSIVE named(oid) AS (
       SELECT ${BOOTSTRAP}::oid UNION
       SELECT d.refobjid FROM pg_shdepend d WHERE d.refclassid = 'pg_authid'::regclass
         AND (d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database()))
       UNION SELECT m.roleid FROM named n JOIN pg_auth_members m ON m.member = n.oid
     ) ${ROLE_FACTS}`,
  );
  const known = new Set(roles.map(({ name }) => name));
  const memberships = roles.flatMap(({ name, memberOf }) =>
    memberOf.filter((group) => known.has(group) || group.startsWith('pg_')).map((group) => ({ group, member: name })),
  );
  return { roles: roles.map(({ memberOf: _, ...role }) => role), memberships };
}

/** The same for the objects of one tenant; without attributes, because a tenant's roles must not become more than they need to be. */
export async function tenantRoles(session: PostgresSession, scope: Scope): Promise<readonly RolePrerequisite[]> {
  const roles = await session.query<Role>(
    `WITH RECURSIVE ${TENANT_OBJECTS},
     named(oid) AS (
       SELECT d.refobjid FROM pg_shdepend d JOIN tenant t ON t.classid = d.classid AND t.objid = d.objid
       WHERE d.refclassid = 'pg_authid'::regclass AND d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
         AND NOT (d.deptype = 'a' AND pg_get_userbyid(d.refobjid) = ANY ($2::text[]))
       UNION SELECT nspowner FROM pg_namespace WHERE nspname = ANY ($1::text[])
       UNION SELECT c.relowner FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ANY ($1::text[])
       UNION SELECT p.proowner FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = ANY ($1::text[])
       UNION SELECT t.typowner FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE n.nspname = ANY ($1::text[])
       UNION SELECT a.defaclrole FROM pg_default_acl a JOIN pg_namespace n ON n.oid = a.defaclnamespace WHERE n.nspname = ANY ($1::text[])
       UNION SELECT x.grantee FROM pg_default_acl a, aclexplode(a.defaclacl) x
         WHERE ${OF_ALL_SCHEMAS} AND x.grantee <> 0 AND pg_get_userbyid(x.grantee) <> ALL ($2::text[])
     ) ${ROLE_FACTS}`,
    [scopeParameter(scope), scope.internalRoles],
  );
  return roles.map(({ name }) => ({ name, superuser: false, inherits: true, bypassesRls: false }));
}
