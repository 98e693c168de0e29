import type { PostgresSession } from './connect.ts';
import type { LedgerRow } from './manifest/prerequisites/data.ts';

/** The columns of `flux.flux_migrations`, the same on every engine and in every restore. */
export const LEDGER_COLUMNS = `
  tenant_schema text NOT NULL,
  version text NOT NULL,
  filename text NOT NULL,
  checksum text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_schema, version)`;

/** Statements that create the ledger where it is missing; the role that runs them owns it. */
export const LEDGER_DDL: readonly string[] = [
  'CREATE SCHEMA IF NOT EXISTS flux;',
  `CREATE TABLE IF NOT EXISTS flux.flux_migrations (${LEDGER_COLUMNS});`,
];

/**
 * Writes recorded rows into an existing ledger; a version that is there stays as it is. A missing checksum becomes an empty
 * one, which no file has.
 */
export async function insertLedgerRows(session: PostgresSession, tenantSchema: string, rows: readonly LedgerRow[]): Promise<void> {
  for (const { version, filename, checksum, appliedAt } of rows) {
    await session.query(
      `INSERT INTO flux.flux_migrations (tenant_schema, version, filename, checksum, applied_at)
       VALUES ($1, $2, $3, $4, $5::text::timestamptz) ON CONFLICT DO NOTHING`,
      [tenantSchema, version, filename, checksum ?? '', appliedAt],
    );
  }
}
