import { type Insertable, type Selectable, sql } from 'kysely';
import type { Database, DatabaseTransaction } from './open.ts';
import type { SigningKeysTable } from './tables.ts';

/** A key that signs receipts; its private half is sealed. */
export type SigningKeyRow = Selectable<SigningKeysTable>;

/** The key that signs now, held until the transaction ends: it cannot be retired under a receipt that it is signing. */
export async function lockActiveKey(db: DatabaseTransaction): Promise<SigningKeyRow | undefined> {
  return db.selectFrom('signing_keys').selectAll().where('retired_at', 'is', null).forShare().executeTakeFirst();
}

/** Makes other transactions that create or retire a key wait until this one ends. */
export async function lockSigningKeys(db: DatabaseTransaction): Promise<void> {
  await sql`lock table signing_keys in share row exclusive mode`.execute(db);
}

export async function insertSigningKey(db: DatabaseTransaction, row: Insertable<SigningKeysTable>): Promise<SigningKeyRow> {
  return db.insertInto('signing_keys').values(row).returningAll().executeTakeFirstOrThrow();
}

export async function findSigningKey(db: Database, id: string): Promise<SigningKeyRow | undefined> {
  return db.selectFrom('signing_keys').selectAll().where('id', '=', id).executeTakeFirst();
}

/** Retires the key that signs now; its name, or undefined when there was none. */
export async function retireActiveKey(db: DatabaseTransaction, now: Date): Promise<string | undefined> {
  const row = await db
    .updateTable('signing_keys')
    .set({ retired_at: now })
    .where('retired_at', 'is', null)
    .returning('id')
    .executeTakeFirst();
  return row?.id;
}

/** Every key there ever was: the one that signs now, then the retired ones, newest first. Without their private halves. */
export async function listSigningKeys(db: Database): Promise<readonly Omit<SigningKeyRow, 'sealed_private_key'>[]> {
  return db
    .selectFrom('signing_keys')
    .select(['id', 'public_key', 'created_at', 'retired_at'])
    .orderBy(sql`retired_at is not null`)
    .orderBy('retired_at', 'desc')
    .execute();
}
