import type { TokenId } from '@flux/contract/ids';
import { sql } from 'kysely';
import type { Database } from './open.ts';

/** What is known about a key that a client sent. */
export type IdempotencyState =
  | { readonly kind: 'new' }
  | { readonly kind: 'other-request' }
  | { readonly kind: 'running' }
  | { readonly kind: 'answered'; readonly status: number; readonly sealedBody: Buffer; readonly location: string | null };

/** A key whose request never ended is free again after this long: its server was killed. */
const ABANDONED_AFTER = '10 minutes';

/**
 * Takes a key for a request, or tells what became of the request that took it before.
 *
 * @param latest the latest time that was seen: by a clock that is behind, the key would be forgotten once that is right again
 */
export async function takeIdempotencyKey(
  db: Database,
  tokenId: TokenId,
  key: string,
  requestSha256: string,
  latest: Date,
): Promise<IdempotencyState> {
  const { rows } = await sql`
    insert into idempotency_keys (token_id, key, request_sha256, created_at)
      values (${tokenId}, ${key}, ${requestSha256}, greatest(now(), ${latest}::timestamptz))
    on conflict (token_id, key) do update set created_at = excluded.created_at
      where idempotency_keys.status is null and idempotency_keys.request_sha256 = excluded.request_sha256
        and idempotency_keys.created_at < now() - ${sql.raw(`interval '${ABANDONED_AFTER}'`)}
    returning 1`.execute(db);
  if (rows.length > 0) return { kind: 'new' };
  const row = await db.selectFrom('idempotency_keys').selectAll().where('token_id', '=', tokenId).where('key', '=', key).executeTakeFirst();
  // Its request has failed and freed it in between; the next attempt takes it.
  if (row === undefined) return { kind: 'running' };
  if (row.request_sha256 !== requestSha256) return { kind: 'other-request' };
  if (row.status === null || row.sealed_body === null) return { kind: 'running' };
  return { kind: 'answered', status: row.status, sealedBody: row.sealed_body, location: row.location };
}

/** Says that the request of a key still runs, so that nobody takes it for abandoned. */
export async function keepIdempotencyKey(db: Database, tokenId: TokenId, key: string, latest: Date): Promise<void> {
  await sql`update idempotency_keys set created_at = greatest(now(), ${latest}::timestamptz)
    where token_id = ${tokenId} and key = ${key} and status is null`.execute(db);
}

export async function recordIdempotentAnswer(
  db: Database,
  tokenId: TokenId,
  key: string,
  answer: { readonly status: number; readonly sealedBody: Buffer; readonly location: string | null },
): Promise<void> {
  await db
    .updateTable('idempotency_keys')
    .set({ status: answer.status, sealed_body: answer.sealedBody, location: answer.location })
    .where('token_id', '=', tokenId)
    .where('key', '=', key)
    .execute();
}

/** Frees a key whose request failed in a way that may be tried again. */
export async function releaseIdempotencyKey(db: Database, tokenId: TokenId, key: string): Promise<void> {
  await db.deleteFrom('idempotency_keys').where('token_id', '=', tokenId).where('key', '=', key).where('status', 'is', null).execute();
}

/** Forgets keys that are older than a day. */
export async function forgetIdempotencyKeys(db: Database, now: Date): Promise<void> {
  // Without its type, Postgres takes the parameter for an interval, as what it is subtracted from.
  await sql`delete from idempotency_keys where created_at < ${now}::timestamptz - interval '1 day'`.execute(db);
}
