import { ACTIONS, type Action } from '@flux/contract/action';
import { FluxError } from '@flux/contract/errors';
import type { ProjectId, TokenId, UserId } from '@flux/contract/ids';
import { type AccessLevel, covers } from '@flux/contract/token';
import type { Actor } from '../catalog/audit.ts';

/** The user behind a request, and what their token allows. */
export interface Principal {
  readonly token: {
    readonly id: TokenId;
    readonly name: string;
    readonly access: AccessLevel;
    readonly user_id: UserId;
    readonly userName: string;
    readonly expires_at: Date | null;
    /** The projects that the token is limited to; null means all projects of its user. */
    readonly projects: readonly { readonly id: ProjectId; readonly hash: string }[] | null;
  };
  readonly actor: Actor & { readonly userId: UserId; readonly tokenId: TokenId };
}

/** The facts about a project that the policy uses. */
export interface OwnedProject {
  readonly id: ProjectId;
  readonly owner_id: UserId;
}

/** Why something is not allowed. `invisible`: the principal must not even learn that the project exists. */
export type Decision = 'allowed' | 'level_too_low' | 'token_limited' | 'invisible';

/**
 * Decides whether a principal may do something. A pure function of its arguments.
 *
 * @param project null while the project is not known: then only the rules that apply to every project are checked
 */
export function can(principal: Principal, action: Action, project: OwnedProject | null): Decision {
  const { token } = principal;
  const { level, reach } = ACTIONS[action];
  if (project !== null && !isVisible(principal, project)) return 'invisible';
  if (!covers(token.access, level)) return 'level_too_low';
  if (reach === 'all_projects' && token.projects !== null) return 'token_limited';
  return 'allowed';
}

/**
 * Refuses what the principal may not do in any project.
 *
 * @throws FluxError `forbidden`, saying what the token lacks
 */
export function requireAllowed(principal: Principal, action: Action): void {
  const { token } = principal;
  switch (can(principal, action, null)) {
    case 'level_too_low': {
      const { level } = ACTIONS[action];
      throw new FluxError('forbidden', `The token "${token.name}" has access level ${token.access}; this needs ${level}.`, {
        hint: `Create one with \`flux token create <name> --access ${level}\`.`,
      });
    }
    case 'token_limited':
      throw new FluxError('forbidden', `The token "${token.name}" is limited to some projects; this needs one for all.`, {
        hint: 'Use a token that was created without --project.',
      });
  }
}

/** Refuses whoever has a lower level than an operator has set for something. @throws FluxError `forbidden` */
export function requireLevel({ token }: Principal, level: AccessLevel, what: string): void {
  if (covers(token.access, level)) return;
  throw new FluxError('forbidden', `The token "${token.name}" has access level ${token.access}; ${what} needs ${level} here.`, {
    hint: `Create one with \`flux token create <name> --access ${level}\`.`,
  });
}

/** Which projects a list may show, for the catalog to filter by. */
export function visibleProjects({ token }: Principal): { readonly ownerId: UserId; readonly only: readonly ProjectId[] | null } {
  return { ownerId: token.user_id, only: token.projects?.map(({ id }) => id) ?? null };
}

/**
 * Whether a principal may be told the names of things of the whole host, such as instances and paths: their names are made of those of
 * projects that a limited token must not know of.
 */
export function hostNamesFor({ token }: Principal): 'named' | 'counted' {
  return token.projects === null ? 'named' : 'counted';
}

/** The only token that a principal may know of: its own, when it is limited to some projects; null for all of its user. */
export function onlyToken({ token }: Principal): TokenId | null {
  return token.projects === null ? null : token.id;
}

/** Who pushes, for the policy of a project. */
export function pusherOf({ actor, token }: Principal): { readonly actor: Actor; readonly access: AccessLevel } {
  return { actor, access: token.access };
}

/** Whether a principal may know that a project exists. */
export function isVisible({ token }: Principal, project: OwnedProject): boolean {
  return project.owner_id === token.user_id && (token.projects === null || token.projects.some(({ id }) => id === project.id));
}
