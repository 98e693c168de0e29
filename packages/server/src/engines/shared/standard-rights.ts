import type { PostgresSession } from '../../postgres/connect.ts';
import type { DefaultObjects, Prerequisites } from '../../postgres/manifest/prerequisites/data.ts';
import { renderDefaultPrivileges } from '../../postgres/manifest/prerequisites/render.ts';
import { CHANGED_RIGHTS } from '../../postgres/manifest/prerequisites/tenant-after.ts';
import { quoteIdentifier } from '../../postgres/sql/quote.ts';

interface ChangedRights {
  readonly kind: string;
  readonly identity: string;
  /** Null is PUBLIC. */
  readonly grantees: readonly (string | null)[];
  readonly standard: readonly { readonly grantee: string | null; readonly privilege: string }[];
}

const nameOf = (grantee: string | null) => (grantee === null ? 'PUBLIC' : quoteIdentifier(grantee));

/**
 * SQL that gives everything in a schema the rights that Postgres itself gives, whatever the default privileges of the role that created it
 * have added or withheld. What a manifest says of rights begins there.
 *
 * @param session of the role that owns the schema
 */
export async function renderStandardRights(session: PostgresSession, schema: string): Promise<readonly string[]> {
  const changed = await session.query<ChangedRights>(
    `WITH ${CHANGED_RIGHTS}
     SELECT kind, identity,
       (SELECT json_agg(DISTINCT CASE x.grantee WHEN 0 THEN NULL ELSE pg_catalog.pg_get_userbyid(x.grantee) END) FROM aclexplode(acl) x) AS grantees,
       (SELECT json_agg(json_build_object('grantee', CASE x.grantee WHEN 0 THEN NULL ELSE pg_catalog.pg_get_userbyid(x.grantee) END,
          'privilege', x.privilege_type)) FROM aclexplode(standard) x) AS standard
     FROM named WHERE subid = 0 AND kind <> 'SCHEMA'`,
    [[schema]],
  );
  return changed.flatMap(({ kind, identity, grantees, standard }) => [
    ...(grantees ?? []).map((grantee) => `REVOKE ALL ON ${kind} ${identity} FROM ${nameOf(grantee)}`),
    ...(standard ?? []).map(({ grantee, privilege }) => `GRANT ${privilege} ON ${kind} ${identity} TO ${nameOf(grantee)}`),
  ]);
}

/** What Postgres gives to PUBLIC with something new. */
const TO_PUBLIC: Partial<Record<DefaultObjects, string>> = { FUNCTIONS: 'EXECUTE', TYPES: 'USAGE' };

/**
 * SQL that makes the default privileges of a role in all schemas those that were recorded. Nothing when an older release has recorded none.
 *
 * @param session of the role, or of one that is it now
 */
export async function renderRoleDefaults(
  session: PostgresSession,
  role: string,
  recorded: Pick<Prerequisites, 'defaultRevocations' | 'defaultPrivileges'>,
): Promise<readonly string[]> {
  if (recorded.defaultRevocations === undefined) return [];
  const present = await session.query<{ objects: DefaultObjects; grantee: string | null }>(
    `SELECT DISTINCT CASE a.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS' WHEN 'T' THEN 'TYPES'
         WHEN 'n' THEN 'SCHEMAS' ELSE 'LARGE OBJECTS' END AS objects,
       CASE x.grantee WHEN 0 THEN NULL ELSE pg_catalog.pg_get_userbyid(x.grantee) END AS grantee
     FROM pg_catalog.pg_default_acl a LEFT JOIN LATERAL pg_catalog.aclexplode(a.defaclacl) x ON true
     WHERE a.defaclnamespace = 0 AND pg_catalog.pg_get_userbyid(a.defaclrole) = $1`,
    [role],
  );
  const begin = `ALTER DEFAULT PRIVILEGES FOR ROLE ${quoteIdentifier(role)}`;
  const kinds = new Set(present.map(({ objects }) => objects));
  return [
    ...present.map(({ objects, grantee }) => `${begin} REVOKE ALL ON ${objects} FROM ${nameOf(grantee)}`),
    ...[...kinds].flatMap((objects) => [
      `${begin} GRANT ALL ON ${objects} TO ${quoteIdentifier(role)}`,
      ...(TO_PUBLIC[objects] === undefined ? [] : [`${begin} GRANT ${TO_PUBLIC[objects]} ON ${objects} TO PUBLIC`]),
    ]),
    ...renderDefaultPrivileges({
      defaultRevocations: recorded.defaultRevocations.filter(({ owner }) => owner === role),
      defaultPrivileges: recorded.defaultPrivileges.filter(({ owner, schema }) => owner === role && schema === null),
    }),
  ];
}

/** The same prerequisites without the default privileges that a role has in all schemas. */
export function withoutRoleDefaults(prerequisites: Prerequisites): Prerequisites {
  const { defaultPrivileges } = prerequisites;
  return {
    ...prerequisites,
    defaultRevocations: undefined,
    defaultPrivileges: defaultPrivileges.filter(({ schema }) => schema !== null),
  };
}
