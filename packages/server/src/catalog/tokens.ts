import type { ProjectId, TokenId, UserId } from '@flux/contract/ids';
import { type Insertable, type Selectable, sql } from 'kysely';
import type { Database } from './open.ts';
import type { TokensTable } from './tables.ts';

/** A row of `tokens`, with the projects that it is limited to; null means all of its user's. */
export type TokenRow = Selectable<TokensTable> & {
  readonly userName: string;
  readonly projects: readonly { id: ProjectId; hash: string }[] | null;
};

export async function ensureUser(db: Database, id: UserId, name: string): Promise<UserId> {
  await db
    .insertInto('users')
    .values({ id, name })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .execute();
  return (await db.selectFrom('users').select('id').where('name', '=', name).executeTakeFirstOrThrow()).id;
}

/** @throws when there is no such user */
export async function findUserName(db: Database, id: UserId): Promise<string> {
  return (await db.selectFrom('users').select('name').where('id', '=', id).executeTakeFirstOrThrow()).name;
}

export async function insertToken(db: Database, row: Insertable<TokensTable>, projects: readonly ProjectId[]): Promise<void> {
  await db.insertInto('tokens').values(row).execute();
  if (projects.length > 0)
    await db
      .insertInto('token_projects')
      .values(projects.map((project_id) => ({ token_id: row.id, project_id })))
      .execute();
}

/** So many are kept in memory, those that were used last first. */
const MAX_DIGESTS = 100_000;

/** Digests of tokens that were not revoked. */
export async function listTokenDigests(db: Database): Promise<ReadonlySet<string>> {
  const rows = await db
    .selectFrom('tokens')
    .select('sha256')
    .where('revoked_at', 'is', null)
    .orderBy(sql`coalesce(last_used_at, created_at)`, 'desc')
    .limit(MAX_DIGESTS)
    .execute();
  return new Set(rows.map(({ sha256 }) => sha256));
}

export async function findTokenByDigest(db: Database, sha256: string): Promise<TokenRow | undefined> {
  return (
    await selectTokens(db)
      .where('tokens.sha256', '=', sha256)
      .execute()
      .then((rows) => withProjects(db, rows))
  )[0];
}

/** Tokens of a user, newest first, revoked ones included: their ids sort by creation. `before` is the last id of the page before; `only` is one token. */
export async function listTokens(
  db: Database,
  userId: UserId,
  page: { readonly limit?: number; readonly before?: TokenId | undefined; readonly only?: TokenId | undefined } = {},
): Promise<readonly TokenRow[]> {
  let query = selectTokens(db).where('tokens.user_id', '=', userId);
  if (page.only !== undefined) query = query.where('tokens.id', '=', page.only);
  if (page.before !== undefined) query = query.where('tokens.id', '<', page.before);
  if (page.limit !== undefined) query = query.limit(page.limit);
  return withProjects(db, await query.orderBy('tokens.id', 'desc').execute());
}

/** Tells whether there was such a token that was not revoked before. */
export async function revokeToken(db: Database, userId: UserId, id: TokenId, now: Date): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('tokens')
    .set({ revoked_at: now })
    .where('id', '=', id)
    .where('user_id', '=', userId)
    .where('revoked_at', 'is', null)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** Whether a token was revoked, or is not there. */
export async function isTokenRevoked(db: Database, id: TokenId): Promise<boolean> {
  const found = await db.selectFrom('tokens').select('revoked_at').where('id', '=', id).executeTakeFirst();
  return found === undefined || found.revoked_at !== null;
}

/** Notes that a token was used, at most once a minute, so that reading does not become writing. */
export async function touchToken(db: Database, id: TokenId, now: Date): Promise<void> {
  await db
    .updateTable('tokens')
    .set({ last_used_at: now })
    .where('id', '=', id)
    .where((where) => where.or([where('last_used_at', 'is', null), where('last_used_at', '<', new Date(now.getTime() - 60_000))]))
    .execute();
}

export async function countTokens(db: Database): Promise<number> {
  const { count } = await db
    .selectFrom('tokens')
    .select((select) => select.fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow();
  return count;
}

function selectTokens(db: Database) {
  return db.selectFrom('tokens').innerJoin('users', 'users.id', 'tokens.user_id').selectAll('tokens').select('users.name as userName');
}

async function withProjects(db: Database, rows: readonly (Selectable<TokensTable> & { userName: string })[]): Promise<TokenRow[]> {
  const limited = rows.filter((row) => !row.all_projects).map((row) => row.id);
  const links =
    limited.length === 0
      ? []
      : await db
          .selectFrom('token_projects')
          .innerJoin('projects', 'projects.id', 'token_projects.project_id')
          .select(['token_projects.token_id', 'projects.id', 'projects.hash'])
          .where('token_projects.token_id', 'in', limited)
          .execute();
  return rows.map((row) => ({ ...row, projects: row.all_projects ? null : links.filter((link) => link.token_id === row.id) }));
}
