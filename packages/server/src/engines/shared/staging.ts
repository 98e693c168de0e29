import { connectPostgres, type PostgresSession } from '../../postgres/connect.ts';
import { insertLedgerRows } from '../../postgres/ledger-table.ts';
import { NO_PREREQUISITES } from '../../postgres/manifest/prerequisites/data.ts';
import { renderOwnAfter } from '../../postgres/manifest/prerequisites/render.ts';
import { quoteIdentifier } from '../../postgres/sql/quote.ts';
import type { PostgresTarget } from '../../postgres/target.ts';
import type { Staging, StagingSpec } from '../staging.ts';
import { LEDGER_OWNER, type TenantNames } from './names.ts';
import { swapSchemas } from './swap.ts';
import { grantToBackup, privilegesOfRole } from './tenant.ts';
import { withTenantLock } from './tenant-lock.ts';

/** How to connect to a tenant's cluster. */
export interface TenantPlace {
  readonly names: TenantNames;
  readonly major: number;
  readonly admin: PostgresTarget;
  readonly owner: PostgresTarget;
  readonly backup: PostgresTarget;
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
  const { names, admin, owner } = place;
  // A new tenant has no data to protect: its own schema is used, without a swap.
  const isOwn = spec.place === 'fresh' && spec.schema === names.schema;
  const schema = isOwn ? names.schema : stagingSchemaOf(names);
  const quoted = quoteIdentifier(schema);
  const asAdmin = async <T>(work: (session: PostgresSession) => Promise<T>): Promise<T> => {
    await using session = await connectPostgres(admin, { signal });
    return await work(session);
  };
  const drop = async (session: PostgresSession) => {
    await session.run(`DROP SCHEMA IF EXISTS ${quoted} CASCADE`);
    await session.query('delete from flux.flux_migrations where tenant_schema = $1', [schema]);
  };
  // A schema that was just created has no default privileges: those in the archive decide.
  await asAdmin((session) =>
    withTenantLock(session, async () => {
      await drop(session);
      await session.run(`CREATE SCHEMA ${quoted} AUTHORIZATION ${quoteIdentifier(names.ddl)}`);
    }),
  );

  return {
    target: owner,
    inspector: place.backup,
    major: place.major,
    schema,
    omits: ({ kind, tag }) => kind === 'SCHEMA' && tag === schema,
    afterError: 'stop',
    async complete(prerequisites) {
      await asAdmin((session) => session.run(`GRANT USAGE ON SCHEMA ${quoted} TO ${quoteIdentifier(names.backup)}`));
      await completeAsOwner(owner, schema, renderOwnAfter(prerequisites), signal);
      await asAdmin((session) =>
        withTenantLock(session, async () => {
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
    swapIn: async (previous, swapSignal) =>
      isOwn ? { undoName: null, outageMs: 0 } : await swapSchemas(admin, names, { next: schema, previous }, swapSignal),
    async discard() {
      if (!isOwn) await asAdmin((session) => withTenantLock(session, () => drop(session)));
    },
  };
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
async function completeAsOwner(owner: PostgresTarget, schema: string, statements: readonly string[], signal?: AbortSignal): Promise<void> {
  await using session = await connectPostgres(owner, { signal });
  await session.run('BEGIN');
  // Flux revokes EXECUTE from PUBLIC by default; the statements below assume the default of Postgres, which grants it.
  await session.run(`GRANT EXECUTE ON ALL ROUTINES IN SCHEMA ${quoteIdentifier(schema)} TO PUBLIC`);
  for (const statement of statements) await session.run(statement);
  await session.run('COMMIT');
}
