import type { PostgresSession } from '../../postgres/connect.ts';
import { LEDGER_COLUMNS } from '../../postgres/ledger-table.ts';
import { ensureApiRoles, ensureRole } from '../../postgres/roles.ts';
import { quoteLiteral } from '../../postgres/sql/quote.ts';
import { ensureAuthSchema } from '../auth-schema.ts';
import { LEDGER_OWNER } from './names.ts';

/** Comment of the schema `flux` when everything below is in place; a change of it gets a new number. */
const LAYOUT = 'Flux shared database, layout 3';

/**
 * A large object belongs to no schema, so the export of a tenant would not contain it. Source: the manual, "Large Objects",
 * server-side functions; lo_import and lo_export are the superuser's anyway.
 */
const NO_LARGE_OBJECTS = `
  DO $$ DECLARE f regprocedure; BEGIN
    FOR f IN SELECT oid FROM pg_catalog.pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace
      AND proname IN ('lo_creat', 'lo_create', 'lo_from_bytea', 'lo_import', 'lo_export', 'lo_open', 'lo_put', 'lowrite')
    LOOP EXECUTE 'REVOKE EXECUTE ON FUNCTION ' || f || ' FROM PUBLIC'; END LOOP;
  END $$`;

/**
 * The ledger. Tenants have no privilege on the table, since any would let them lock it for everybody: they call functions
 * that determine the tenant from session_user, which SET ROLE does not change. Their owner has no other privilege.
 *
 * A claim first writes a row without a version and removes it again. Nobody sees that row, but another claim of the same tenant
 * waits at it until our transaction has ended; the version alone would not stop one that spells it in another way.
 */
const LEDGER = `
  CREATE SCHEMA IF NOT EXISTS flux AUTHORIZATION ${LEDGER_OWNER};
  SET LOCAL ROLE ${LEDGER_OWNER};
  CREATE TABLE IF NOT EXISTS flux.flux_migrations (${LEDGER_COLUMNS});
  CREATE TABLE IF NOT EXISTS flux.turn ();
  CREATE TABLE IF NOT EXISTS flux.standings (tenant_schema text PRIMARY KEY, standing text NOT NULL);
  CREATE OR REPLACE FUNCTION flux.own_schema() RETURNS text LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
  BEGIN
    IF session_user !~ '^t_[0-9a-f]{12}_(ddl|backup)$' THEN
      RAISE insufficient_privilege USING MESSAGE = 'only the roles of a tenant have a ledger';
    END IF;
    RETURN left(session_user, 14) || '_api';
  END $$;
  CREATE OR REPLACE FUNCTION flux.claim_migration(a_version text, a_filename text, a_checksum text,
    OUT inserted boolean, OUT old_filename text, OUT old_checksum text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  DECLARE tenant text := flux.own_schema();
  BEGIN
    INSERT INTO flux.flux_migrations (tenant_schema, version, filename, checksum) VALUES (tenant, '', '', '')
      ON CONFLICT (tenant_schema, version) DO NOTHING;
    DELETE FROM flux.flux_migrations WHERE tenant_schema = tenant AND version = '';
    LOOP
      INSERT INTO flux.flux_migrations (tenant_schema, version, filename, checksum) VALUES (tenant, a_version, a_filename, a_checksum)
        ON CONFLICT (tenant_schema, version) DO NOTHING;
      inserted := FOUND;
      EXIT WHEN inserted;
      SELECT filename, checksum INTO old_filename, old_checksum FROM flux.flux_migrations
        WHERE tenant_schema = tenant AND version = a_version FOR UPDATE;
      EXIT WHEN FOUND;
    END LOOP;
  END $$;
  CREATE OR REPLACE FUNCTION flux.record_migration(a_version text, a_filename text, a_checksum text) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO flux.flux_migrations (tenant_schema, version, filename, checksum)
      VALUES (flux.own_schema(), a_version, a_filename, a_checksum)
      ON CONFLICT (tenant_schema, version)
      DO UPDATE SET filename = excluded.filename, checksum = excluded.checksum, applied_at = now() $$;
  CREATE OR REPLACE FUNCTION flux.list_migrations() RETURNS TABLE (version text, filename text, checksum text, applied_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT version, filename, checksum, applied_at FROM flux.flux_migrations
      WHERE tenant_schema = flux.own_schema() ORDER BY applied_at, version $$;
  REVOKE ALL ON ALL FUNCTIONS IN SCHEMA flux FROM PUBLIC;
  RESET ROLE;
  COMMENT ON SCHEMA flux IS ${quoteLiteral(LAYOUT)}`;

/** Whether the database was prepared, by this release or an earlier one. */
export async function hasSharedLayout(session: PostgresSession): Promise<boolean> {
  const [found] = await session.query<{ there: boolean }>(`select pg_catalog.to_regclass('flux.turn') is not null as there`);
  return found?.there === true;
}

/**
 * Prepares the shared database: the cluster's roles, the schemas `auth` and `flux`, and the privileges that are revoked from everybody.
 * Does nothing when that is done.
 *
 * @param session a superuser's, in the shared database
 */
export async function ensureSharedLayout(session: PostgresSession): Promise<void> {
  const [found] = await session.query<{ layout: string | null }>(
    `select pg_catalog.obj_description(pg_catalog.to_regnamespace('flux')::oid, 'pg_namespace') as layout`,
  );
  if (found?.layout === LAYOUT) return;
  await session.run('BEGIN');
  await ensureApiRoles(session);
  await ensureRole(session, { name: LEDGER_OWNER });
  await session.run(`DO $$ BEGIN EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database()); END $$`);
  await session.run('REVOKE CREATE ON SCHEMA public FROM PUBLIC');
  await session.run(NO_LARGE_OBJECTS);
  await ensureAuthSchema(session, 'PUBLIC');
  await session.run(LEDGER);
  await session.run('COMMIT');
}
