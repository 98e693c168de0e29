import type { ProjectId, TokenId, UserId } from '@flux/contract/ids';
import type { Database } from './open.ts';

/** Who asked for something. Null for what the control plane does by itself. */
export interface Actor {
  readonly userId: UserId | null;
  readonly tokenId: TokenId | null;
}

/** One line of the audit. `details` never holds anything secret. */
export interface AuditEntry {
  readonly action: string;
  readonly projectId: ProjectId | null;
  readonly subject?: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** Records who did what; give it the transaction of the change itself, so that neither can be without the other. */
export async function recordAudit(db: Database, actor: Actor, entry: AuditEntry): Promise<void> {
  await db
    .insertInto('audit_events')
    .values({
      user_id: actor.userId,
      token_id: actor.tokenId,
      action: entry.action,
      project_id: entry.projectId,
      subject: entry.subject ?? null,
      details: JSON.stringify(entry.details ?? {}),
    })
    .execute();
}
