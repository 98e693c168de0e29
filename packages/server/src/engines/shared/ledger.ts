import type { AppliedMigration } from '@flux/contract/project';
import { TENANT_LEDGER_BOUND } from '../../postgres/ledger-table.ts';
import { APPLIED_AT, type Ledger } from '../ledger.ts';

interface Claim {
  readonly inserted: boolean;
  readonly old_filename: string;
  readonly old_checksum: string;
}

/** The ledger of one tenant among many: the functions determine the tenant from the session. */
export const tenantLedger: Ledger = {
  async insertOrLock(session, { version, filename, checksum }) {
    const [claim] = await session.query<Claim>('select * from flux.claim_migration($1, $2, $3)', [version, filename, checksum]);
    if (claim === undefined || claim.inserted) return 'inserted';
    return { version, filename: claim.old_filename, checksum: claim.old_checksum };
  },
  async replace(session, { version, filename, checksum }) {
    await session.query('select flux.record_migration($1, $2, $3)', [version, filename, checksum]);
  },
  list: (session) =>
    session.query<AppliedMigration>(
      `select version, filename, checksum, ${APPLIED_AT} as "appliedAt" from flux.list_migrations()`,
      [],
      TENANT_LEDGER_BOUND,
    ),
};
