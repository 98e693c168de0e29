import type { Route } from '../route.ts';
import { RECEIPT_ROUTES } from './receipts.ts';
import { ACCOUNT_ROUTES } from './routes/account.ts';
import { BACKUP_ROUTES } from './routes/backups.ts';
import { OPERATION_ROUTES } from './routes/operations.ts';
import { PROJECT_ROUTES } from './routes/projects.ts';

/** Where existing clients find their API. */
export const CLI_V1_PREFIX = '/api/cli/v1';

/** The routes that existing clients call, with the shapes they read. Our own are in `../routes.ts`. */
export const CLI_V1_ROUTES = {
  ...ACCOUNT_ROUTES,
  ...PROJECT_ROUTES,
  ...BACKUP_ROUTES,
  ...RECEIPT_ROUTES,
  ...OPERATION_ROUTES,
} as const satisfies Record<string, Route>;
