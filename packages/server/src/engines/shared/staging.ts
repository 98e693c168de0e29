import { FluxError } from '@flux/contract/errors';
import type { PostgresSession } from '../../postgres/connect.ts';
import { insertLedgerRows } from '../../postgres/ledger-table.ts';
import { withLockReport } from '../../postgres/lock-watch.ts';
import { NO_PREREQUISITES, type Prerequisites } from '../../postgres/manifest/prerequisites/data.ts';
import { renderOwnAfter } from '../../postgres/manifest/prerequisites/render.ts';
import { quoteIdentifier } from '../../postgres/sql/quote.ts';
import type { PostgresTarget } from '../../postgres/target.ts';
import type { ExpiryClock } from '../../system/expiry-clock.ts';
import type { Staging, StagingSpec } from '../staging.ts';
import { dropSchemas } from './drop-schemas.ts';
import { LEDGER_OWNER, type TenantNames } from './names.ts';
import type { OwnerLogin } from './owner-login.ts';
import { renderRoleDefaults, renderStandardRights, withoutRoleDefaults } from './standard-rights.ts';
import { swapSchemas } from './swap.ts';
import { grantToBackup, privilegesOfRole } from './tenant.ts';
import { inTransaction } from './tenant-lock.ts';

/** How to connect to a tenant's cluster. */
export interface TenantPlace {
  readonly names: TenantNames;
  readonly major: number;
  readonly admin: PostgresTarget;
  readonly owner: PostgresTarget;
  readonly ownerLogin: OwnerLogin;
  readonly backup: PostgresTarget;
  readonly clock: Pick<ExpiryClock, 'latest'>;
}

/** Name of the schema that is restored into, until it is swapped in. */
function stagingSchemaOf({ schema }: TenantNames): string {
  return schema.replace(/_api$/, '_next');
}

/**
 * Creates an empty schema for a tenant next to its live one. No statement of a manifest runs with more than the tenant's own privileges
 * here, because other tenants are in the same cluster.
 */
export async function openStagingSchema(place: TenantPlace, spec: StagingSpec, signal?: AbortSignal): Promise<Staging> {
  const { names, admin, owner, ownerLogin, clock } = place;
  // A new tenant has no data to protect: its own schema is used, without a swap.
  const isOwn = spec.place === 'fresh' && spec.schema === names.schema;
  const schema = isOwn ? names.schema : stagingSchemaOf(names);
  const quoted = quoteIdentifier(schema);
  // The role of a tenant that is in use has its default privileges for the live schema, too.
  const roleDefaults = spec.place === 'fresh' ? 'complete' : 'swapIn';
  let recorded: Prerequisites = NO_PREREQUISITES;
  const asAdmin = <T>(work: (session: PostgresSession) => Promise<T>): Promise<T> => withLockReport(admin, work, signal);
  await asAdmin((session) => refuseLackingExtensions(session, spec.prerequisites.extensions));
  // A schema that was just created has no default privileges: those in the archive decide.
  await asAdmin(async (session) => {
    await dropSchemas(admin, session, [schema]);
    await session.run(`CREATE SCHEMA ${quoted} AUTHORIZATION ${quoteIdentifier(names.ddl)}`);
  });

  return {
    load: (work) => ownerLogin.during(owner, () => work(owner)),
    inspector: place.backup,
    major: place.major,
    schema,
    omits: ({ kind, tag }) => kind === 'SCHEMA' && tag === schema,
    afterError: 'stop',
    async complete(prerequisites) {
      await asAdmin((session) => session.run(`GRANT USAGE ON SCHEMA ${quoted} TO ${quoteIdentifier(names.backup)}`));
      recorded = prerequisites;
      await completeAsOwner(place, schema, prerequisites, roleDefaults, signal);
      await asAdmin((session) =>
        inTransaction(session, async () => {
          await session.run(`SET LOCAL ROLE ${LEDGER_OWNER}`);
          await insertLedgerRows(session, schema, prerequisites.ledger);
          await session.run('RESET ROLE');
          const byDefault = `ALTER DEFAULT PRIVILEGES FOR ROLE ${quoteIdentifier(names.ddl)} IN SCHEMA ${quoted}`;
          await session.run(`${byDefault} GRANT SELECT ON TABLES TO ${quoteIdentifier(names.backup)}`);
          await session.run(`${byDefault} GRANT SELECT ON SEQUENCES TO ${quoteIdentifier(names.backup)}`);
          await grantToBackup(session, { ...names, schema });
        }),
      );
    },
    roleDefaults,
    swapIn: async (previous, swapSignal) => {
      if (isOwn) return { undoName: null, outageMs: 0 };
      const defaults = roleDefaults === 'swapIn' ? recorded : NO_PREREQUISITES;
      return await swapSchemas(admin, names, { next: schema, previous, defaults, at: clock.latest() }, swapSignal);
    },
    async discard() {
      if (!isOwn) await withLockReport(admin, (session) => dropSchemas(admin, session, [schema]));
    },
  };
}

/**
 * Refuses an export that needs extensions which the pool does not have: a tenant cannot create them, and a restore creates nothing for others.
 *
 * @throws FluxError `not_ready`
 */
async function refuseLackingExtensions(
  session: PostgresSession,
  wanted: readonly { readonly name: string; readonly possibly?: boolean | undefined }[],
): Promise<void> {
  const there = await session.query<{ name: string }>('select extname as name from pg_catalog.pg_extension');
  const needed = wanted.filter(({ possibly }) => possibly !== true).map(({ name }) => name);
  const missing = [...new Set(needed)].filter((name) => there.every((other) => other.name !== name));
  if (missing.length === 0) return;
  const commands = missing.map((name) => `\`flux extension enable ${name}\``).join(', ');
  throw new FluxError(
    'not_ready',
    `The pool does not have what the backup needs: the extensions ${missing.join(', ')}. Nothing was changed.`,
    {
      hint: `Enable them with ${commands} on any pooled project, then restore again; or restore into a project of its own with --mode v1_dedicated.`,
      details: { lacks: missing },
    },
  );
}

/** Creates a schema next to the live one with the privileges of a new tenant's schema, ready to be swapped in. */
export async function openEmptySchema(place: TenantPlace, signal?: AbortSignal): Promise<Staging> {
  const schema = stagingSchemaOf(place.names);
  const none = { locale: null, moneyLocale: null, prerequisites: NO_PREREQUISITES, objects: [], internalRoles: [] };
  const staging = await openStagingSchema(place, { kind: 'tenant_export', place: 'beside', ownerName: null, schema, ...none }, signal);
  await staging.complete(privilegesOfRole({ ...place.names, schema }));
  return staging;
}

/** Runs the statements that the tenant itself may run, with only its own privileges. */
async function completeAsOwner(
  { owner, ownerLogin, names: { ddl } }: TenantPlace,
  schema: string,
  prerequisites: Prerequisites,
  roleDefaults: Staging['roleDefaults'],
  signal?: AbortSignal,
): Promise<void> {
  await using session = await ownerLogin.open(owner, { signal });
  await session.run('BEGIN');
  const later = withoutRoleDefaults(prerequisites);
  for (const statement of await renderStandardRights(session, schema)) await session.run(statement);
  for (const statement of renderOwnAfter(later)) await session.run(statement);
  if (roleDefaults === 'complete')
    for (const statement of await renderRoleDefaults(session, ddl, prerequisites)) await session.run(statement);
  await session.run('COMMIT');
}
