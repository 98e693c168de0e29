import { isUuid, type OperationId } from '@flux/contract/ids';
import { ROUTES } from '@flux/contract/routes';
import { visibleProjects } from '../../access/policy.ts';
import { listVisibleOperations } from '../../catalog/operations.ts';
import { cancelOperation } from '../../operations/cancel.ts';
import type { OperationRouteDeps } from '../deps.ts';
import { streamEvents } from '../event-stream.ts';
import { requireOperation, toOperationAnswer } from '../operation-answer.ts';
import { cutPage, readPage } from '../page.ts';
import { type Router, requireProject } from '../router.ts';

/** Routes of operations. */
export function registerOperationRoutes(router: Router, deps: OperationRouteDeps): void {
  router.json(ROUTES.listOperations, async ({ principal, query }) => {
    const project = query.project === undefined ? undefined : await requireProject(deps, principal, query.project);
    const page = readPage(query, (cursor) => (isUuid(cursor) ? (cursor as OperationId) : undefined));
    const filter = { projectId: project?.id, kind: query.kind, state: query.state };
    const found = await listVisibleOperations(deps.catalog.db, visibleProjects(principal), filter, {
      limit: page.limit + 1,
      before: page.after,
    });
    const { rows, nextCursor } = cutPage(found, page, ({ id }) => id);
    return { operations: rows.map((row) => toOperationAnswer(row, principal)), nextCursor };
  });
  router.json(ROUTES.getOperation, async ({ principal, params }) =>
    toOperationAnswer(await requireOperation(deps, principal, params.id), principal),
  );
  router.json(ROUTES.cancelOperation, async ({ principal, params }) => {
    const operation = await requireOperation(deps, principal, params.id);
    return toOperationAnswer(await cancelOperation(deps, deps.kinds, operation), principal);
  });
  router.raw(ROUTES.watchOperation, async (call) => {
    const { id } = await requireOperation(deps, call.principal, call.params.id);
    await streamEvents(deps, call, id, (row) => toOperationAnswer(row, call.principal));
  });
}
