import { isUuid, type TokenId } from '@flux/contract/ids';
import { ROUTES } from '@flux/contract/routes';
import { hostNamesFor, onlyToken, requireAllowed, visibleProjects } from '../../access/policy.ts';
import { createToken, describePrincipal, listTokenItems, revokeUserToken } from '../../access/tokens.ts';
import { publishKeys, rotateSigningKey } from '../../backups/receipt/keys.ts';
import { listAudit } from '../../catalog/audit.ts';
import { listVisibleProjects } from '../../catalog/projects.ts';
import { examineServer } from '../../projects/doctor.ts';
import type { AccountRouteDeps } from '../deps.ts';
import { cutPage, readPage } from '../page.ts';
import { type Router, requireProject } from '../router.ts';

/** Routes that are not about a single project: the caller, tokens, audit log, doctor, keys of receipts. */
export function registerAccountRoutes(router: Router, deps: AccountRouteDeps): void {
  const { db } = deps.catalog;
  router.json(ROUTES.whoAmI, async ({ principal }) => ({ ...describePrincipal(principal), defaultMode: deps.defaultMode }));
  router.json(ROUTES.listTokens, async ({ principal, query }) => {
    const page = readPage(query, (cursor) => (isUuid(cursor) ? (cursor as TokenId) : undefined));
    const items = await listTokenItems(deps, principal, { limit: page.limit + 1, before: page.after });
    const { rows, nextCursor } = cutPage(items, page, ({ id }) => id);
    return { tokens: [...rows], nextCursor };
  });
  router.json(ROUTES.createToken, async ({ principal, body }) => createToken(deps, principal, body));
  router.json(ROUTES.revokeToken, async ({ principal, params }) => {
    await revokeUserToken(deps, principal, params.id);
    return { id: params.id };
  });
  router.json(ROUTES.listAudit, async ({ principal, query }) => {
    const project = query.project === undefined ? undefined : await requireProject(deps, principal, query.project);
    // Without a project it shows those of all projects, which a token limited to some may not see.
    if (project === undefined) requireAllowed(principal, 'audit.read_all');
    const page = readPage(query, (cursor) => (/^\d{1,15}$/.test(cursor) ? Number(cursor) : undefined));
    const found = await listAudit(db, principal.token.user_id, page.limit + 1, project?.id, onlyToken(principal), page.after);
    const { rows, nextCursor } = cutPage(found, page, ({ id }) => String(id));
    return { events: rows.map((row) => ({ ...row, at: row.at.toISOString() })), nextCursor };
  });
  router.json(ROUTES.examineServer, async ({ principal }) => {
    const projects = await listVisibleProjects(db, visibleProjects(principal), ['creating', 'active', 'removing']);
    return examineServer(deps, projects, hostNamesFor(principal));
  });
  router.json(ROUTES.listReceiptKeys, async () => publishKeys(deps));
  router.json(ROUTES.rotateReceiptKey, async ({ principal }) => rotateSigningKey(deps, principal.actor));
}
