import { ENDPOINTS } from '../endpoints.ts';
import * as operation from '../operation.ts';
import type { Route } from '../route.ts';
import { idParams } from './parts.ts';

/** Routes of operations. */
export const OPERATION_ROUTES = {
  listOperations: {
    ...ENDPOINTS.listOperations,
    summary: 'List operations, newest first',
    access: 'operation.list',
    query: operation.ListOperationsQuery,
    answer: operation.OperationList,
    status: 200,
  },
  getOperation: {
    ...ENDPOINTS.getOperation,
    summary: 'Show an operation',
    access: 'operation.read',
    ...idParams,
    answer: operation.OperationAnswer,
    status: 200,
  },
  watchOperation: {
    ...ENDPOINTS.watchOperation,
    summary: 'Watch the progress of an operation as server-sent events',
    access: 'operation.read',
    ...idParams,
    status: 200,
  },
  cancelOperation: {
    ...ENDPOINTS.cancelOperation,
    summary: 'Cancel an operation',
    access: 'operation.cancel',
    ...idParams,
    answer: operation.OperationAnswer,
    status: 200,
  },
} as const satisfies Record<string, Route>;
