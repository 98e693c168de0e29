import { ROUTES } from '@flux/contract/routes';
import { requireAllowed } from '../access/policy.ts';
import { createToken, listUserTokens, revokeUserToken } from '../access/tokens.ts';
import { listAudit } from '../catalog/audit.ts';
import type { ApiDoors } from './doors.ts';
import { type Router, requireProject } from './router.ts';

const DEFAULT_LIMIT = 50;

/** Who am I, tokens, and who did what. */
export function registerAccessRoutes(router: Router, doors: ApiDoors): void {
  router.json(ROUTES.verifyToken, async ({ principal: { token } }) => ({
    ok: true as const,
    user: token.userName,
    plan: 'pro' as const,
    defaultMode: doors.defaultMode,
    cliRole: token.access === 'admin' ? ('admin' as const) : ('operator' as const),
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
    return { ok: true as const };
  });
  router.json(ROUTES.listAudit, async ({ principal, query }) => {
    const project = query.hash === undefined ? undefined : await requireProject(doors, principal, query.hash);
    // Without a project it shows all of the user's, which a token that is limited to some may not see.
    if (project === undefined) requireAllowed(principal, 'audit.read_all');
    const rows = await listAudit(doors.catalog.db, principal.token.user_id, query.limit ?? DEFAULT_LIMIT, project?.id);
    return { events: rows.map((row) => ({ ...row, at: row.at.toISOString() })) };
  });
}
