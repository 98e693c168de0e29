import type { ProjectId, TokenId, UserId } from '@flux/contract/ids';
import { sql } from 'kysely';
import * as z from 'zod';
import type { Database } from './open.ts';
import { parseStored, toStoredJson } from './stored-json.ts';

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
      details: toStoredJson(entry.details ?? {}),
    })
    .execute();
}

const Details = z.record(z.string(), z.unknown());

/** The subjects and details of every line of one action, the oldest first. */
export async function listDetails(
  db: Database,
  action: string,
): Promise<readonly { readonly subject: string; readonly details: Readonly<Record<string, unknown>> }[]> {
  const rows = await db
    .selectFrom('audit_events')
    .select(['id', 'subject', 'details'])
    .where('action', '=', action)
    .orderBy('id')
    .execute();
  return rows.map(({ id, subject, details }) => ({
    subject: subject ?? '',
    details: parseStored(Details, details, `Line ${id} of the audit`),
  }));
}

/** A line of the audit with the names behind its ids. */
export interface AuditRow {
  readonly id: number;
  readonly at: Date;
  readonly action: string;
  readonly user: string | null;
  /** The name of the token. */
  readonly token: string | null;
  readonly project: string | null;
  readonly subject: string | null;
  readonly details: Readonly<Record<string, unknown>>;
}

const OTHER_TOKEN = '(another token)';

/** The newest lines, of one project or of everything that a user's tokens, projects and the control plane itself did; `before` is the last id of the page before. With `onlyTokenId`, other tokens are not named. */
export async function listAudit(
  db: Database,
  userId: UserId,
  limit: number,
  projectId: ProjectId | undefined,
  onlyTokenId: TokenId | null,
  before?: number,
): Promise<readonly AuditRow[]> {
  let query = db
    .selectFrom('audit_events as a')
    .leftJoin('users as u', 'u.id', 'a.user_id')
    .leftJoin('tokens as t', 't.id', 'a.token_id')
    .leftJoin('projects as p', 'p.id', 'a.project_id')
    .select([
      'a.id',
      'a.at',
      'a.action',
      'u.name as user',
      't.name as token',
      'a.token_id',
      sql<string | null>`p.slug || ' (' || p.hash || ')'`.as('project'),
      'a.subject',
      'a.details',
    ])
    .where((where) => where.or([where('a.user_id', '=', userId), where('p.owner_id', '=', userId)]));
  if (projectId !== undefined) query = query.where('a.project_id', '=', projectId);
  if (before !== undefined) query = query.where('a.id', '<', before);
  const rows = await query.orderBy('a.id', 'desc').limit(limit).execute();
  return rows.map(({ token_id, ...row }) => ({
    ...row,
    // Somebody who sees one project must not learn who else there is.
    token: onlyTokenId === null || row.token === null || token_id === onlyTokenId ? row.token : OTHER_TOKEN,
    details: parseStored(Details, row.details, `Line ${row.id} of the audit`),
  }));
}
