import { ROUTES } from '@flux/contract/routes';
import { createToken, listUserTokens, revokeUserToken } from '../access/tokens.ts';
import type { ApiDoors } from './doors.ts';
import type { Router } from './router.ts';

/** Who am I, and tokens. */
export function registerAccessRoutes(router: Router, doors: ApiDoors): void {
  router.json(ROUTES.verifyToken, async ({ principal: { token } }) => ({
    ok: true,
    user: token.userName,
    plan: 'pro',
    defaultMode: doors.defaultMode,
    cliRole: token.access === 'admin' ? 'admin' : 'operator',
    token: {
      name: token.name,
      access: token.access,
      projects: token.projects === null ? null : token.projects.map(({ hash }) => hash),
      expiresAt: token.expires_at?.toISOString() ?? null,
    },
  }));
  router.json(ROUTES.listTokens, async ({ principal }) => listUserTokens(doors, principal));
  router.json(ROUTES.createToken, async ({ principal, body }) => createToken(doors, principal, body));
  router.json(ROUTES.revokeToken, async ({ principal, params }) => {
    await revokeUserToken(doors, principal, params.id);
    return { ok: true };
  });
}
