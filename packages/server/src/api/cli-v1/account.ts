import { CLI_V1_ROUTES as ROUTES } from '@flux/contract/cli-v1/routes';
import { hostNamesFor, onlyToken, requireAllowed, visibleProjects } from '../../access/policy.ts';
import { createToken, describePrincipal, listTokenItems, revokeUserToken } from '../../access/tokens.ts';
import { publishKeys, rotateSigningKey } from '../../backups/receipt/keys.ts';
import { listAudit } from '../../catalog/audit.ts';
import { listVisibleProjects } from '../../catalog/projects.ts';
import { examineServer } from '../../projects/doctor.ts';
import type { AccountRouteDeps } from '../deps.ts';
import { type Router, requireProject } from '../router.ts';

const DEFAULT_LINES = 50;

/** Routes for existing clients that are not about a single project. */
export function registerAccountRoutes(router: Router, deps: AccountRouteDeps): void {
  const { db } = deps.catalog;
  router.json(ROUTES.verifyToken, async ({ principal }) => ({
    ok: true as const,
    ...describePrincipal(principal),
    plan: 'pro' as const,
    defaultMode: deps.defaultMode,
    cliRole: principal.token.access === 'admin' ? ('admin' as const) : ('operator' as const),
  }));
  router.json(ROUTES.listTokens, async ({ principal }) => ({ tokens: await listTokenItems(deps, principal) }));
  router.json(ROUTES.createToken, async ({ principal, body }) => createToken(deps, principal, body));
  router.json(ROUTES.revokeToken, async ({ principal, params }) => {
    await revokeUserToken(deps, principal, params.id);
    return { ok: true as const };
  });
  router.json(ROUTES.listAudit, async ({ principal, query }) => {
    const project = query.hash === undefined ? undefined : await requireProject(deps, principal, query.hash);
    // Without a project it shows those of all projects, which a token limited to some may not see.
    if (project === undefined) requireAllowed(principal, 'audit.read_all');
    const rows = await listAudit(db, principal.token.user_id, query.limit ?? DEFAULT_LINES, project?.id, onlyToken(principal));
    return { events: rows.map((row) => ({ ...row, at: row.at.toISOString() })) };
  });
  router.json(ROUTES.examineServer, async ({ principal }) => {
    const projects = await listVisibleProjects(db, visibleProjects(principal), ['creating', 'active', 'removing']);
    return examineServer(deps, projects, hostNamesFor(principal));
  });
  router.json(ROUTES.listReceiptKeys, async () => publishKeys(deps));
  router.json(ROUTES.rotateReceiptKey, async ({ principal }) => rotateSigningKey(deps, principal.actor));
}
