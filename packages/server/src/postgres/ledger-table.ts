import { FluxError } from '@flux/contract/errors';
import type { AnswerBound } from '../system/bounded-messages.ts';
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
 * How much memory one reading of a ledger may take, by the estimate of the session: some 30,000 rows. Its owner writes what he likes into
 * the table, and every client that may read can ask for it.
 */
const MAX_LEDGER_BYTES = 16 * 2 ** 20;

/** The bound of a query that reads a ledger. @param hint how the ledger becomes smaller */
export function ledgerBound(hint: string): AnswerBound {
  return {
    bytes: MAX_LEDGER_BYTES,
    exceeded: () =>
      new FluxError(
        'not_ready',
        `The ledger of this project, flux.flux_migrations, is too large: Flux reads at most ${MAX_LEDGER_BYTES / 2 ** 20} MiB of it at once, which is some 30,000 migrations.`,
        { hint, details: { connection: 'ended' } },
      ),
  };
}

/** Of the ledger of a tenant, who can claim rows as often as he likes, and delete none. */
export const TENANT_LEDGER_BOUND = ledgerBound(
  'Have the operator delete the rows that no push has written, in the shared database: DELETE FROM flux.flux_migrations WHERE tenant_schema = ...',
);

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
