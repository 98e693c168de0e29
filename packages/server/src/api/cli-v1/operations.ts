import { leaveOutNulls } from '@flux/contract/cli-v1/absence';
import { CLI_V1_ROUTES as ROUTES } from '@flux/contract/cli-v1/routes';
import { cancelOperation } from '../../operations/cancel.ts';
import type { OperationRouteDeps } from '../deps.ts';
import { streamEvents } from '../event-stream.ts';
import { requireOperation } from '../operation-answer.ts';
import type { Router } from '../router.ts';
import { toLegacyOperation } from './legacy-shapes.ts';

/** Routes of operations for existing clients that follow them. */
export function registerOperationRoutes(router: Router, deps: OperationRouteDeps): void {
  router.json(ROUTES.getOperation, async ({ principal, params }) =>
    toLegacyOperation(await requireOperation(deps, principal, params.id), principal),
  );
  router.json(ROUTES.cancelOperation, async ({ principal, params }) => {
    const operation = await requireOperation(deps, principal, params.id);
    return toLegacyOperation(await cancelOperation(deps, deps.kinds, operation), principal);
  });
  router.raw(ROUTES.watchOperation, async (call) => {
    const { id } = await requireOperation(deps, call.principal, call.params.id);
    await streamEvents(deps, call, id, (row) => leaveOutNulls(toLegacyOperation(row, call.principal)) as object);
  });
}
