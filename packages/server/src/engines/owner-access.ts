import type { AppliedMigration } from '@flux/contract/project';
import type { ConnectOptions, PostgresSession } from '../postgres/connect.ts';
import type { PostgresTarget } from '../postgres/target.ts';
import type { Ledger } from './ledger.ts';

/** How the owner of a project's data connects, and where migrations are recorded. */
export interface OwnerAccess {
  /** Opens a session whose `session_user` is the owner: a file could undo SET ROLE. */
  open(options: ConnectOptions): Promise<PostgresSession>;
  readonly ledger: Ledger;
  /** Who can see all sessions: which of them keeps a push waiting for a lock. */
  readonly observer: PostgresTarget;
  /** SQL text for search_path; the role's own when absent. */
  readonly searchPath?: string;
}

/** The migrations and repeatable scripts that were pushed, oldest first. @throws FluxError `instance_unavailable` */
export async function listApplied({ open, ledger, observer }: OwnerAccess, signal?: AbortSignal): Promise<readonly AppliedMigration[]> {
  await using session = await open({ signal, withinMs: observer.lookWithinMs });
  return await ledger.list(session);
}
