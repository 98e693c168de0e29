import type { RouteName } from './endpoints.ts';
import type { Route } from './route.ts';
import { ACCOUNT_ROUTES } from './routes/account.ts';
import { BACKUP_ROUTES } from './routes/backups.ts';
import { OPERATION_ROUTES } from './routes/operations.ts';
import { PROJECT_ROUTES } from './routes/projects.ts';

/** Every route of our own API. The download and the event stream have no answer schema. */
export const ROUTES = {
  ...ACCOUNT_ROUTES,
  ...PROJECT_ROUTES,
  ...BACKUP_ROUTES,
  ...OPERATION_ROUTES,
} as const satisfies Record<RouteName, Route>;
