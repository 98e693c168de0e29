import type { ApiDeps } from '../deps.ts';
import type { Router } from '../router.ts';
import { registerAccountRoutes } from './account.ts';
import { registerBackupRoutes } from './backups.ts';
import { registerOperationRoutes } from './operations.ts';
import { registerProjectRoutes } from './projects.ts';

/** Registers every route of this API. */
export function registerV1(router: Router, deps: ApiDeps): void {
  registerAccountRoutes(router, deps.account);
  registerProjectRoutes(router, deps.projects);
  registerBackupRoutes(router, deps.backups);
  registerOperationRoutes(router, deps.operations);
}
