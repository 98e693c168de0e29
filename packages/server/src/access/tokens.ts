import { createHash, randomBytes } from 'node:crypto';
import type { CreateTokenAnswer, TokenItem, WhoAmI } from '@flux/contract/access';
import { FluxError } from '@flux/contract/errors';
import { isProjectHash, isUuid, type TokenId } from '@flux/contract/ids';
import { type AccessLevel, hasValidCheck } from '@flux/contract/token';
import { recordAudit } from '../catalog/audit.ts';
import type { Catalog } from '../catalog/open.ts';
import { findProjectByHash, type ProjectRow } from '../catalog/projects.ts';
import { findTokenByDigest, insertToken, listTokens, revokeToken, type TokenRow, touchToken } from '../catalog/tokens.ts';
import type { Clock } from '../system/clock.ts';
import type { ExpiryClock } from '../system/expiry-clock.ts';
import { uuidv7 } from '../system/uuid.ts';
import { isVisible, onlyToken, type Principal, requireAllowed } from './policy.ts';

/** What the functions of this file need. */
export interface TokenDeps {
  readonly catalog: Catalog;
  /** Tokens expire by its latest time: a clock that goes back does not make them valid again. */
  readonly clock: Clock & Pick<ExpiryClock, 'latest'>;
}

const sha256Hex = (text: string) => createHash('sha256').update(text).digest('hex');

/** Generates a token: 128 random bits and four check digits. Only its digest is ever stored. */
export function generateToken(): string {
  const body = `flx_live_${randomBytes(16).toString('hex')}`;
  return `${body}_${sha256Hex(body).slice(0, 4)}`;
}

/** The digest of a token, which is all that the catalog stores of it. */
export function digestToken(token: string): string {
  return sha256Hex(token);
}

/** Finds out without the catalog that a token cannot be one. @throws FluxError `token_malformed` */
export function requireWellFormed(token: string): void {
  if (hasValidCheck(token, sha256Hex)) return;
  throw new FluxError('token_malformed', 'The token is mistyped: its check digits do not match.', {
    hint: 'Copy it again; a token is flx_live_, 32 hex digits, _ and 4 hex digits.',
  });
}

/**
 * Finds the user and the rights behind a token that is well-formed.
 *
 * @throws FluxError `not_authenticated` for a token that is unknown, revoked or expired
 */
export async function authenticate({ catalog, clock }: TokenDeps, token: string): Promise<Principal> {
  const row = await findTokenByDigest(catalog.db, digestToken(token));
  if (row === undefined) throw unknownToken('The control plane does not know this token.');
  if (row.revoked_at !== null) throw unknownToken(`The token "${row.name}" was revoked at ${row.revoked_at.toISOString()}.`);
  if (row.expires_at !== null && row.expires_at <= clock.latest())
    throw unknownToken(`The token "${row.name}" expired at ${row.expires_at.toISOString()}.`);
  if (catalog.mode === 'read-write') await touchToken(catalog.db, row.id, clock.now());
  return { token: row, actor: { userId: row.user_id, tokenId: row.id } };
}

/** @throws FluxError `project_not_found` when a hash is not a project of this user; `invalid_request` for a time in the past */
export async function createToken(
  { catalog, clock }: TokenDeps,
  principal: Principal,
  request: {
    readonly name: string;
    readonly access: AccessLevel;
    readonly projects: readonly string[] | null;
    readonly expiresAt: string | null;
  },
): Promise<CreateTokenAnswer> {
  // A token cannot create one that allows more than itself.
  requireAllowed(principal, 'token.create');
  const now = clock.now();
  const expiresAt = request.expiresAt === null ? null : new Date(request.expiresAt);
  if (expiresAt !== null && expiresAt <= clock.latest())
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
  if (row === undefined) throw new Error('a token that was just created is not in the catalog');
  return { token, item: toTokenItem(row) };
}

/** The tokens of the principal's user, newest first; a token that is limited to some projects sees itself alone. */
export async function listTokenItems(
  { catalog }: TokenDeps,
  principal: Principal,
  page: { readonly limit?: number; readonly before?: TokenId | undefined } = {},
): Promise<TokenItem[]> {
  return (await listTokens(catalog.db, principal.token.user_id, { ...page, only: onlyToken(principal) ?? undefined })).map(toTokenItem);
}

/** The user of a principal, and what their token allows. */
export function describePrincipal({ token }: Principal): Pick<WhoAmI, 'user' | 'token'> {
  return {
    user: token.userName,
    token: {
      name: token.name,
      access: token.access,
      projects: token.projects === null ? null : token.projects.map(({ hash }) => hash),
      expiresAt: token.expires_at?.toISOString() ?? null,
    },
  };
}

/** @throws FluxError `not_found` */
export async function revokeUserToken({ catalog, clock }: TokenDeps, principal: Principal, id: string): Promise<void> {
  requireAllowed(principal, 'token.revoke');
  if (!isUuid(id))
    throw new FluxError('invalid_request', `${JSON.stringify(id.slice(0, 100))} is not the id of a token.`, {
      hint: 'See `flux token list`.',
    });
  await catalog.db.transaction().execute(async (db) => {
    if (!(await revokeToken(db, principal.token.user_id, id as TokenId, clock.now()))) {
      throw new FluxError('not_found', `There is no token ${id} that could be revoked.`, { hint: 'See `flux token list`.' });
    }
    await recordAudit(db, principal.actor, { action: 'token.revoke', projectId: null, subject: id });
  });
}

async function requireVisible(catalog: Catalog, principal: Principal, hash: string): Promise<ProjectRow> {
  const project = isProjectHash(hash) ? await findProjectByHash(catalog.db, hash) : undefined;
  if (project !== undefined && isVisible(principal, project)) return project;
  throw new FluxError('project_not_found', `Project not found: you have none with the hash ${hash}.`, { hint: 'See `flux list`.' });
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
