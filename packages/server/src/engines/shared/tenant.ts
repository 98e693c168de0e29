import type { PostgresSession } from '../../postgres/connect.ts';
import { NO_PREREQUISITES, type Prerequisites } from '../../postgres/manifest/prerequisites/data.ts';
import { renderOwnAfter } from '../../postgres/manifest/prerequisites/render.ts';
import { ensureRole } from '../../postgres/roles.ts';
import { quoteIdentifier } from '../../postgres/sql/quote.ts';
import type { ProjectSecrets } from '../engine.ts';
import { LEDGER_OWNER, type TenantNames } from './names.ts';
import { ownerTempFiles } from './temp-files.ts';
import { inTransaction, takeTurn } from './tenant-lock.ts';

const LIMITS = { ddl: 10, login: 20, backup: 10 };

/**
 * Creates the schema and the roles of a tenant, or the missing ones.
 *
 * No role is a member of another's except login of role, and none may create anything outside its schema: objects
 * of another tenant cannot be named without USAGE on its schema. Visible to everybody, since the catalogs of a database are open
 * to all who connect: names and definitions of objects (also the source of functions and views), names of roles, sizes and
 * statistics counters, and who is connected. Shared by everybody: channels of NOTIFY and the numbers of advisory locks, so
 * Flux uses neither here. A tenant may give others what is its own, with GRANT, and take it back.
 *
 * @param session a superuser's, in the shared database
 */
export async function provisionTenant(
  session: PostgresSession,
  names: TenantNames,
  secrets: ProjectSecrets,
  tempFileBytes: number | undefined,
): Promise<void> {
  await inTransaction(session, () => createTenant(session, names, secrets, ownerTempFiles(tempFileBytes)));
}

async function createTenant(
  session: PostgresSession,
  names: TenantNames,
  secrets: ProjectSecrets,
  tempFiles: string | undefined,
): Promise<void> {
  const schema = quoteIdentifier(names.schema);
  const [ddl, role, login, backup] = [names.ddl, names.role, names.login, names.backup].map(quoteIdentifier);
  const byDefault = `ALTER DEFAULT PRIVILEGES FOR ROLE ${ddl} IN SCHEMA ${schema}`;
  const searchPath = { search_path: schema };
  const ownerSettings = { ...searchPath, ...(tempFiles === undefined ? {} : { temp_file_limit: tempFiles }) };
  // Its password is set whenever Flux logs in as it, and only then it may (`owner-login.ts`).
  await ensureRole(session, { name: names.ddl, connectionLimit: LIMITS.ddl, settings: ownerSettings });
  await ensureRole(session, { name: names.role });
  await ensureRole(session, {
    name: names.login,
    password: secrets.loginPassword,
    connectionLimit: LIMITS.login,
    settings: { ...searchPath, statement_timeout: "'60s'" },
  });
  await ensureRole(session, {
    name: names.backup,
    password: secrets.backupPassword,
    connectionLimit: LIMITS.backup,
    bypassRls: true,
    settings: { default_transaction_read_only: 'on' },
  });
  await session.run(`
    GRANT ${role} TO ${login};
    CREATE SCHEMA IF NOT EXISTS ${schema} AUTHORIZATION ${ddl};
    GRANT USAGE ON SCHEMA ${schema} TO ${backup};
    ALTER DEFAULT PRIVILEGES FOR ROLE ${ddl} REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
    ${renderOwnAfter(privilegesOfRole(names)).join('\n    ')}
    ${byDefault} GRANT SELECT ON TABLES TO ${backup};
    ${byDefault} GRANT SELECT ON SEQUENCES TO ${backup}`);
  await takeTurn(session);
  await session.run(`
    DO $$ BEGIN EXECUTE format('GRANT CONNECT ON DATABASE %I TO ${ddl}, ${login}, ${backup}', current_database()); END $$;
    SET LOCAL ROLE ${LEDGER_OWNER};
    GRANT USAGE ON SCHEMA flux TO ${ddl}, ${backup};
    GRANT EXECUTE ON FUNCTION flux.own_schema(), flux.list_migrations() TO ${ddl}, ${backup};
    GRANT EXECUTE ON FUNCTION flux.claim_migration(text, text, text), flux.record_migration(text, text, text) TO ${ddl};
    RESET ROLE`);
}

/** What programs may do in the schema of a tenant, and with what will be created there; its owner grants it. */
export function privilegesOfRole({ schema, ddl, role }: Pick<TenantNames, 'schema' | 'ddl' | 'role'>): Prerequisites {
  const to = { grantee: role, grantable: false };
  const byDefault = [
    { objects: 'TABLES', privileges: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'] },
    { objects: 'SEQUENCES', privileges: ['USAGE', 'SELECT', 'UPDATE'] },
    { objects: 'FUNCTIONS', privileges: ['EXECUTE'] },
  ] as const;
  return {
    ...NO_PREREQUISITES,
    grants: [{ kind: 'SCHEMA', identity: quoteIdentifier(schema), column: null, privileges: ['USAGE'], ...to }],
    defaultPrivileges: byDefault.flatMap(({ objects, privileges }) =>
      privileges.map((privilege) => ({ owner: ddl, schema, objects, privilege, ...to })),
    ),
  };
}

/**
 * Gives the dump role SELECT where its default privileges did not: on tables whose owner has revoked it, or that were moved
 * here from another schema. Only relations of the tenant's schema, one by one.
 *
 * @param session a superuser's, in the shared database
 */
export async function grantToBackup(session: PostgresSession, names: TenantNames): Promise<void> {
  const backup = quoteIdentifier(names.backup);
  const [usage] = await session.query<{ there: boolean }>(`select pg_catalog.has_schema_privilege($1::name, $2, 'USAGE') as there`, [
    names.backup,
    names.schema,
  ]);
  if (!usage?.there) await session.run(`GRANT USAGE ON SCHEMA ${quoteIdentifier(names.schema)} TO ${backup}`);
  const missing = await session.query<{ name: string; kind: string }>(
    `select c.oid::regclass::text as name, case c.relkind when 'S' then 'SEQUENCE' else 'TABLE' end as kind
     from pg_catalog.pg_class c
     where c.relnamespace = pg_catalog.to_regnamespace($1)::oid and c.relkind in ('r', 'p', 'm', 'S')
       and not pg_catalog.has_table_privilege($2::name, c.oid, 'SELECT')`,
    [quoteIdentifier(names.schema), names.backup],
  );
  for (const { name, kind } of missing) await session.run(`GRANT SELECT ON ${kind} ${name} TO ${backup}`);
}
