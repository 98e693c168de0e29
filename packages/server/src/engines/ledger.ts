import type { AppliedMigration } from '@flux/contract/project';
import type { PostgresSession } from '../postgres/connect.ts';
import { LEDGER_DDL, ledgerBound } from '../postgres/ledger-table.ts';

/** One line of the ledger as a push writes it. */
export interface LedgerEntry {
  /** A repeatable script has `R:<scriptId>` here. */
  readonly version: string;
  readonly filename: string;
  readonly checksum: string;
}

/** The record of pushed files: `flux.flux_migrations`, one row for each version of a tenant schema. */
export interface Ledger {
  /**
   * Writes the entry unless one of that version exists; then returns that one, locked. Every other push to the project waits
   * here until this one has ended, even one of the same migration under another spelling of its version: this prevents a file from
   * being applied twice. Call inside a transaction.
   */
  insertOrLock(session: PostgresSession, entry: LedgerEntry): Promise<'inserted' | LedgerEntry>;
  /** Replaces the entry that `insertOrLock` has locked. */
  replace(session: PostgresSession, entry: LedgerEntry): Promise<void>;
  /** All entries, oldest first. @throws FluxError `not_ready` when they are more than Flux reads; the connection has ended then */
  list(session: PostgresSession): Promise<readonly AppliedMigration[]>;
}

/** SQL for `applied_at` as it goes over the wire. */
export const APPLIED_AT = `pg_catalog.to_char(applied_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

/** Creates the ledger where it is missing; the role of the session owns it. */
export async function ensureOwnLedger(session: PostgresSession): Promise<void> {
  if (await hasOwnLedger(session)) return;
  await session.run(LEDGER_DDL.join(' '));
}

const OWN_BOUND = ledgerBound(
  'Delete the rows that no push has written, as the owner of the database: `psql "$(flux project credentials --field postgres.url)"`, then DELETE FROM flux.flux_migrations WHERE ...',
);

/** The ledger of a database with one project in it: a plain table that the project's owner owns. */
export const ownLedger: Ledger = {
  async insertOrLock(session, entry) {
    await ensureOwnLedger(session);
    // Readers continue, including backups.
    await session.run('LOCK TABLE flux.flux_migrations IN SHARE ROW EXCLUSIVE MODE');
    const parameters = [entry.version, entry.filename, entry.checksum];
    // The conflicting row may be deleted before we lock it: then the next insert succeeds.
    for (;;) {
      const inserted = await session.query(
        `insert into flux.flux_migrations (tenant_schema, version, filename, checksum) values ('public', $1, $2, $3)
         on conflict (tenant_schema, version) do nothing returning version`,
        parameters,
      );
      if (inserted.length > 0) return 'inserted';
      const [found] = await session.query<LedgerEntry>(
        `select version, filename, checksum from flux.flux_migrations where tenant_schema = 'public' and version = $1 for update`,
        [entry.version],
      );
      if (found !== undefined) return found;
    }
  },
  async replace(session, entry) {
    await session.query(
      `update flux.flux_migrations set filename = $2, checksum = $3, applied_at = now() where tenant_schema = 'public' and version = $1`,
      [entry.version, entry.filename, entry.checksum],
    );
  },
  async list(session) {
    if (!(await hasOwnLedger(session))) return [];
    return session.query<AppliedMigration>(
      `select version, filename, checksum, ${APPLIED_AT} as "appliedAt"
       from flux.flux_migrations where tenant_schema = 'public' order by flux_migrations.applied_at, version`,
      [],
      OWN_BOUND,
    );
  },
};

async function hasOwnLedger(session: PostgresSession): Promise<boolean> {
  const [found] = await session.query<{ there: boolean }>(`select pg_catalog.to_regclass('flux.flux_migrations') is not null as there`);
  return found?.there ?? false;
}
