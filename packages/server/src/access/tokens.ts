import { createHash, randomBytes } from 'node:crypto';
import type { CreateTokenAnswer, TokenItem, TokenList } from '@flux/contract/access';
import { FluxError } from '@flux/contract/errors';
import { isProjectHash, type TokenId } from '@flux/contract/ids';
import { type AccessLevel, covers, hasValidCheck } from '@flux/contract/token';
import { recordAudit } from '../catalog/audit.ts';
import type { Catalog } from '../catalog/open.ts';
import { findProjectByHash, type ProjectRow } from '../catalog/projects.ts';
import { findTokenByDigest, insertToken, listTokens, revokeToken, type TokenRow, touchToken } from '../catalog/tokens.ts';
import type { Clock } from '../system/clock.ts';
import { uuidv7 } from '../system/uuid.ts';

/** Who stands behind a request, as far as its token lets it. */
export interface Principal {
  readonly token: TokenRow;
  readonly actor: { readonly userId: TokenRow['user_id']; readonly tokenId: TokenRow['id'] };
}

export interface TokenDesk {
  readonly catalog: Catalog;
  readonly clock: Clock;
}

const sha256Hex = (text: string) => createHash('sha256').update(text).digest('hex');

/** Makes a new token: 128 random bits and four check digits. It is kept nowhere but in the answer. */
export function generateToken(): string {
  const body = `flx_live_${randomBytes(16).toString('hex')}`;
  return `${body}_${sha256Hex(body).slice(0, 4)}`;
}

/** What the catalog keeps of a token. */
export function digestToken(token: string): string {
  return sha256Hex(token);
}

/**
 * Finds out who is asking.
 *
 * @throws FluxError `token_malformed` for a typing error, `not_authenticated` for a token that is unknown, revoked or over
 */
export async function authenticate({ catalog, clock }: TokenDesk, token: string): Promise<Principal> {
  if (!hasValidCheck(token, sha256Hex)) {
    throw new FluxError('token_malformed', 'The token is mistyped: its check digits do not fit.', {
      hint: 'Copy it again; a token is flx_live_, 32 hex digits, _ and 4 hex digits.',
    });
  }
  const row = await findTokenByDigest(catalog.db, digestToken(token));
  const now = clock.now();
  if (row === undefined) throw unknownToken('The control plane does not know this token.');
  if (row.revoked_at !== null) throw unknownToken(`The token "${row.name}" was revoked at ${row.revoked_at.toISOString()}.`);
  if (row.expires_at !== null && row.expires_at <= now)
    throw unknownToken(`The token "${row.name}" expired at ${row.expires_at.toISOString()}.`);
  await touchToken(catalog.db, row.id, now);
  return { token: row, actor: { userId: row.user_id, tokenId: row.id } };
}

/** @throws FluxError `forbidden` */
export function requireAccess(principal: Principal, level: AccessLevel): void {
  if (covers(principal.token.access, level)) return;
  throw new FluxError('forbidden', `The token "${principal.token.name}" has access level ${principal.token.access}; this needs ${level}.`, {
    hint: `Make one with \`flux token create <name> --access ${level}\`.`,
  });
}

/** Tells whether a principal may know of a project at all. */
export function maySee(principal: Principal, project: ProjectRow): boolean {
  if (project.owner_id !== principal.token.user_id) return false;
  return principal.token.projects === null || principal.token.projects.some(({ id }) => id === project.id);
}

/** Refuses what reaches beyond single projects, such as making a new one, to a token that is limited to some. */
export function requireUnlimited(principal: Principal): void {
  if (principal.token.projects === null) return;
  throw new FluxError('forbidden', `The token "${principal.token.name}" is limited to some projects; this needs one for all.`, {
    hint: 'Use a token that was made without --project.',
  });
}

/** @throws FluxError `project_not_found` when a hash is not a project of this user; `invalid_request` for a time in the past */
export async function createToken(
  { catalog, clock }: TokenDesk,
  principal: Principal,
  request: {
    readonly name: string;
    readonly access: AccessLevel;
    readonly projects: readonly string[] | null;
    readonly expiresAt: string | null;
  },
): Promise<CreateTokenAnswer> {
  // A token never makes one that may more than itself.
  requireUnlimited(principal);
  const now = clock.now();
  const expiresAt = request.expiresAt === null ? null : new Date(request.expiresAt);
  if (expiresAt !== null && expiresAt <= now)
    throw new FluxError('invalid_request', 'The token would have expired already.', { hint: 'Give a time in the future.' });
  const projects = await Promise.all((request.projects ?? []).map((hash) => requireVisible(catalog, principal, hash)));
  const token = generateToken();
  const id = uuidv7(now) as TokenId;
  await catalog.db.transaction().execute(async (db) => {
    const row = {
      id,
      user_id: principal.token.user_id,
      name: request.name,
      sha256: digestToken(token),
      access: request.access,
      all_projects: request.projects === null,
      created_at: now,
      expires_at: expiresAt,
    };
    await insertToken(
      db,
      row,
      projects.map((project) => project.id),
    );
    await recordAudit(db, principal.actor, {
      action: 'token.create',
      projectId: null,
      subject: id,
      details: { name: request.name, access: request.access },
    });
  });
  const row = await findTokenByDigest(catalog.db, digestToken(token));
  if (row === undefined) throw new Error('a token that was just made is not there');
  return { token, item: toTokenItem(row) };
}

export async function listUserTokens({ catalog }: TokenDesk, principal: Principal): Promise<TokenList> {
  return { tokens: (await listTokens(catalog.db, principal.token.user_id)).map(toTokenItem) };
}

/** @throws FluxError `not_found` */
export async function revokeUserToken({ catalog, clock }: TokenDesk, principal: Principal, id: string): Promise<void> {
  requireUnlimited(principal);
  await catalog.db.transaction().execute(async (db) => {
    if (!(await revokeToken(db, principal.token.user_id, id as TokenId, clock.now()))) {
      throw new FluxError('not_found', `There is no token ${id} that could be revoked.`, { hint: 'See `flux token list`.' });
    }
    await recordAudit(db, principal.actor, { action: 'token.revoke', projectId: null, subject: id });
  });
}

async function requireVisible(catalog: Catalog, principal: Principal, hash: string): Promise<ProjectRow> {
  const project = isProjectHash(hash) ? await findProjectByHash(catalog.db, hash) : undefined;
  if (project !== undefined && maySee(principal, project)) return project;
  throw new FluxError('project_not_found', `No project of yours has the hash ${hash}.`, { hint: 'See `flux list`.' });
}

function toTokenItem(row: TokenRow): TokenItem {
  return {
    id: row.id,
    name: row.name,
    access: row.access,
    projects: row.projects === null ? null : row.projects.map(({ hash }) => hash),
    createdAt: row.created_at.toISOString(),
    expiresAt: row.expires_at?.toISOString() ?? null,
    lastUsedAt: row.last_used_at?.toISOString() ?? null,
    revokedAt: row.revoked_at?.toISOString() ?? null,
  };
}

function unknownToken(message: string): FluxError {
  return new FluxError('not_authenticated', message, { hint: 'Log in with another one: `flux login`.' });
}
