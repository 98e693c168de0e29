import * as z from 'zod';
import type { Route } from '../../route.ts';
import { LegacyOperation } from '../operation.ts';

const id = z.object({ id: z.string() });

/** Routes of operations for existing clients. */
export const OPERATION_ROUTES = {
  getOperation: {
    method: 'GET',
    path: '/operations/:id',
    summary: 'Show an operation',
    access: 'operation.read',
    params: id,
    answer: LegacyOperation,
    status: 200,
  },
  watchOperation: {
    method: 'GET',
    path: '/operations/:id/events',
    summary: 'Watch the progress of an operation as server-sent events',
    access: 'operation.read',
    params: id,
    status: 200,
  },
  cancelOperation: {
    method: 'POST',
    path: '/operations/:id/cancel',
    summary: 'Cancel an operation',
    access: 'operation.cancel',
    params: id,
    answer: LegacyOperation,
    status: 200,
  },
} as const satisfies Record<string, Route>;
