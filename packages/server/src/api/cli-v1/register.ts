import type { ApiDeps } from '../deps.ts';
import type { Router } from '../router.ts';
import { withoutNullAnswers } from './absent-members.ts';
import { registerAccountRoutes } from './account.ts';
import { registerBackupRoutes } from './backups.ts';
import { registerOperationRoutes } from './operations.ts';
import { registerProjectRoutes } from './projects.ts';

/** Registers every route of this API. */
export function registerCliV1(plain: Router, deps: ApiDeps): void {
  const router = withoutNullAnswers(plain);
  registerAccountRoutes(router, deps.account);
  registerProjectRoutes(router, deps.projects);
  registerBackupRoutes(router, deps.backups);
  registerOperationRoutes(router, deps.operations);
}
