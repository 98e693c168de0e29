import { LEDGER_DDL } from '../../ledger-table.ts';
import { quoteIdentifier, quoteLiteral } from '../../sql/quote.ts';
import type { GrantPrerequisite, Prerequisites, RolePrerequisite, StatementPrerequisite } from './data.ts';

/** SQL that must run before pg_restore so that it can succeed. Each statement may be run again. */
export function renderBefore(prerequisites: Prerequisites): string {
  return [
    ...prerequisites.roles.map(renderRole),
    ...prerequisites.memberships.map(({ group, member }) => `GRANT ${quoteIdentifier(group)} TO ${quoteIdentifier(member)};`),
    ...renderOwnSchemas(prerequisites),
    ...prerequisites.extensions.map(({ name, schema, version, possibly }) => {
      const create = `CREATE EXTENSION IF NOT EXISTS ${quoteIdentifier(name)} WITH SCHEMA ${quoteIdentifier(schema)} CASCADE;`;
      // One that nobody may need must not be in the way: the host may lack it, or it may have to be loaded with the server.
      const statement = possibly === true ? `DO ${quoteLiteral(`BEGIN ${create} EXCEPTION WHEN OTHERS THEN NULL; END`)};` : create;
      // A comment ends at the end of its line, so the version must not contain a line break.
      return version === null ? statement : `${statement} -- ${version.replaceAll(/\s/g, ' ')} in the source`;
    }),
    ...renderSettings(prerequisites),
    ...renderPhase(prerequisites, 'before'),
  ].join('\n');
}

/** The part of `renderBefore` that the role which restores runs itself, statement by statement. */
export function renderOwnBefore(prerequisites: Prerequisites): readonly string[] {
  return [...renderOwnSchemas(prerequisites), ...renderSettings(prerequisites), ...renderPhase(prerequisites, 'before')];
}

/** SQL that completes what pg_restore has restored: owners, grants, the ledger of the schema. Each statement may be run again. */
export function renderAfter(prerequisites: Prerequisites, schema: string | null): string {
  return [...renderOwnAfter(prerequisites), ...renderLedger(prerequisites, schema)].join('\n');
}

/** The part of `renderAfter` that the role which restores runs itself, statement by statement. */
export function renderOwnAfter(prerequisites: Prerequisites): readonly string[] {
  const { owners } = prerequisites;
  return [
    ...renderPhase(prerequisites, 'after'),
    ...owners.map(({ kind, identity, owner }) => `ALTER ${kind} ${identity} OWNER TO ${quoteIdentifier(owner)};`),
    ...renderGrants(prerequisites),
    ...renderDefaultPrivileges(prerequisites),
  ];
}

/** SQL that sets default privileges; those without a schema replace what Postgres gives to PUBLIC and to the owner. */
export function renderDefaultPrivileges({
  defaultRevocations = [],
  defaultPrivileges,
}: Pick<Prerequisites, 'defaultRevocations' | 'defaultPrivileges'>): readonly string[] {
  return [
    ...defaultRevocations.map(
      ({ owner, objects }) =>
        `ALTER DEFAULT PRIVILEGES FOR ROLE ${quoteIdentifier(owner)} REVOKE ALL ON ${objects} FROM PUBLIC, ${quoteIdentifier(owner)};`,
    ),
    ...defaultPrivileges.map(({ owner, schema, objects, privilege, ...to }) => {
      const place = schema === null ? '' : ` IN SCHEMA ${quoteIdentifier(schema)}`;
      return `ALTER DEFAULT PRIVILEGES FOR ROLE ${quoteIdentifier(owner)}${place} GRANT ${privilege} ON ${objects} TO ${renderGrantee(to)};`;
    }),
  ];
}

function renderRole({ name, superuser, inherits, bypassesRls }: RolePrerequisite): string {
  const attributes = ['NOLOGIN', superuser ? 'SUPERUSER' : '', inherits ? '' : 'NOINHERIT', bypassesRls ? 'BYPASSRLS' : ''];
  const create = `CREATE ROLE ${quoteIdentifier(name)} ${attributes.filter(Boolean).join(' ')}`;
  return renderUnless(`EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = ${quoteLiteral(name)})`, create);
}

/** The body is a literal, not dollar-quoted: a name may contain any delimiter. */
function renderUnless(condition: string, statement: string): string {
  return `DO ${quoteLiteral(`BEGIN IF NOT (${condition}) THEN ${statement}; END IF; END`)};`;
}

function renderOwnSchemas({ schemas }: Prerequisites): string[] {
  return schemas.map((name) => `CREATE SCHEMA IF NOT EXISTS ${quoteIdentifier(name)};`);
}

function renderSettings({ settings }: Prerequisites): string[] {
  return settings.map(({ name, value }) => `SET ${quoteIdentifier(name)} = ${quoteLiteral(value)};`);
}

function renderPhase({ statements }: Prerequisites, phase: StatementPrerequisite['phase']): string[] {
  return statements
    .filter((statement) => statement.phase === phase)
    .map(({ unlessType, sql }) =>
      unlessType === null ? `${sql};` : renderUnless(`to_regtype(${quoteLiteral(unlessType)}) IS NOT NULL`, sql),
    );
}

/**
 * The grants of an object follow its revocation at once: an owner without USAGE on its schema could not name another object
 * of it, not even to revoke something.
 */
function renderGrants({ revocations, grants }: Prerequisites): string[] {
  const keyOf = ({ kind, identity }: Pick<GrantPrerequisite, 'kind' | 'identity'>) => `${kind} ${identity}`;
  const byObject = new Map<string, string[]>();
  const add = (key: string, statement: string) => byObject.set(key, [...(byObject.get(key) ?? []), statement]);
  for (const revocation of revocations) {
    const owner = revocation.owner === null ? '' : `, ${quoteIdentifier(revocation.owner)}`;
    add(keyOf(revocation), `REVOKE ALL ON ${keyOf(revocation)} FROM PUBLIC${owner};`);
  }
  for (const grant of grants) add(keyOf(grant), renderGrant(grant));
  return [...byObject.values()].flat();
}

function renderGrant({ kind, identity, column, privileges, ...to }: GrantPrerequisite): string {
  const columns = column === null ? '' : ` (${quoteIdentifier(column)})`;
  return `GRANT ${privileges.map((privilege) => privilege + columns).join(', ')} ON ${kind} ${identity} TO ${renderGrantee(to)};`;
}

function renderGrantee({ grantee, grantable }: Pick<GrantPrerequisite, 'grantee' | 'grantable'>): string {
  return `${grantee === null ? 'PUBLIC' : quoteIdentifier(grantee)}${grantable ? ' WITH GRANT OPTION' : ''}`;
}

function renderLedger({ ledger }: Prerequisites, schema: string | null): string[] {
  if (ledger.length === 0) return [];
  const tenant = quoteLiteral(schema ?? 'public');
  return [
    ...LEDGER_DDL,
    ...ledger.map(({ version, filename, checksum, appliedAt }) => {
      const values = [version, filename, checksum ?? '', appliedAt].map(quoteLiteral).join(', ');
      return `INSERT INTO flux.flux_migrations (tenant_schema, version, filename, checksum, applied_at) VALUES (${tenant}, ${values}) ON CONFLICT DO NOTHING;`;
    }),
  ];
}
