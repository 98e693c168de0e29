import type { PostgresSession } from '../postgres/connect.ts';
import { quoteIdentifier } from '../postgres/sql/quote.ts';
import type { PostgresTarget } from '../postgres/target.ts';

/** A schema next to the live data for single tables. Disposing of it removes it, unless it was handed over. */
export interface TableStaging extends AsyncDisposable {
  readonly schema: string;
  /** Runs what loads the tables; it connects as the owner, never as a superuser. */
  load<T>(work: (target: PostgresTarget) => Promise<T>): Promise<T>;
  /** The session that compares the restored tables connects here. */
  readonly inspector: PostgresTarget;
  readonly major: number;
  /** Grants the comparing session access, after pg_restore. */
  finish(): Promise<void>;
  /** From now on it belongs to the user, and disposing does not remove it. */
  handOver(): void;
}

/** Name for such a schema: 17 digits, UTC, to the millisecond. */
export function tableStagingNameFor(stem: string, now: Date): string {
  return `${stem}restored_${now
    .toISOString()
    .replaceAll(/[^0-9]/g, '')
    .slice(0, 17)}`;
}

/** Drops the empty ones that killed restores left behind: tables are restored all at once or not at all. */
export async function dropEmptyTableStagings(session: PostgresSession, stem: string): Promise<void> {
  const empty = await session.query<{ name: string }>(
    `select n.nspname as name from pg_catalog.pg_namespace n
     where left(n.nspname, length($1)) = $1 and substr(n.nspname, length($1) + 1) ~ '^restored_[0-9]{17}$'
       and not exists (select from pg_catalog.pg_class c where c.relnamespace = n.oid)`,
    [stem],
  );
  for (const { name } of empty) await session.run(`DROP SCHEMA ${quoteIdentifier(name)}`);
}
