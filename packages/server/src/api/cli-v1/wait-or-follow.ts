import { FluxError, fromProblem } from '@flux/contract/errors';
import type { OperationId } from '@flux/contract/ids';
import { OperationProblem } from '@flux/contract/operation';
import type { OperationKind } from '@flux/contract/operation-kind';
import { OPERATION_RESULTS, type OperationResult } from '@flux/contract/operation-results';
import type { FastifyRequest } from 'fastify';
import { parseStored } from '../../catalog/stored-json.ts';
import { type OperationRow, readOperation, waitForOperation } from '../../operations/wait.ts';
import type { OperationRouteDeps } from '../deps.ts';
import type { WorkAnswer } from '../router.ts';
import { toLegacyOperation } from './legacy-shapes.ts';

/**
 * Answers a request for long work: with the operation for a client that sends `Prefer: respond-async`, otherwise with the result once
 * it is there. The work continues when the client disconnects.
 */
export async function answerWork<K extends OperationKind, Body>(
  { catalog }: Pick<OperationRouteDeps, 'catalog'>,
  { request, signal }: { readonly request: FastifyRequest; readonly signal: AbortSignal },
  { kind, id }: { readonly kind: K; readonly id: OperationId },
  toBody: (result: OperationResult<K>) => Promise<Body>,
): Promise<WorkAnswer<Body>> {
  if (prefersAsync(request)) return { operation: toLegacyOperation(await readOperation(catalog, id)) };
  const operation = await waitForOperation(catalog, id, signal);
  return { done: await toBody(resultOf(kind, operation)) };
}

function resultOf<K extends OperationKind>(kind: K, operation: OperationRow): OperationResult<K> {
  if (operation.state === 'succeeded') return OPERATION_RESULTS[kind].parse(operation.result) as OperationResult<K>;
  if (operation.error !== null) throw fromProblem(parseStored(OperationProblem, operation.error, `The error of operation ${operation.id}`));
  throw new FluxError('lost_contact', 'The control plane is stopping before the work is done.', {
    hint: 'Check the result with `flux backup list` when it runs again.',
  });
}

function prefersAsync(request: FastifyRequest): boolean {
  return String(request.headers.prefer ?? '')
    .split(',')
    .some((preference) => preference.trim().toLowerCase() === 'respond-async');
}
