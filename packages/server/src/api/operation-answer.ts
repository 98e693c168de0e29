import { FluxError } from '@flux/contract/errors';
import { isUuid, type OperationId } from '@flux/contract/ids';
import { OperationAnswer, OperationProblem } from '@flux/contract/operation';
import { OPERATION_RESULTS } from '@flux/contract/operation-results';
import { isVisible, type Principal } from '../access/policy.ts';
import { findOperation, type OperationRow } from '../catalog/operations.ts';
import { findProjectById } from '../catalog/projects.ts';
import type { OperationRouteDeps } from './deps.ts';
import { mayReadReasons, problemForReader } from './reasons.ts';

/**
 * An operation as it is sent. A result or error that an earlier release recorded in another shape is left out; the state of the
 * operation is still correct.
 *
 * @param reader absent for an operation that has just begun
 */
export function toOperationAnswer(operation: OperationRow, reader?: Principal): OperationAnswer {
  const result = OPERATION_RESULTS[operation.kind].safeParse(operation.result);
  const error = OperationProblem.safeParse(operation.error);
  return OperationAnswer.parse({
    id: operation.id,
    kind: operation.kind,
    state: operation.state,
    projectHash: operation.projectHash,
    projectSlug: operation.projectSlug,
    backupId: operation.backup_id,
    progress: operation.progress,
    ...(operation.result !== null && result.success ? { result: result.data } : {}),
    ...(operation.error !== null && error.success
      ? { error: problemForReader(error.data, reader !== undefined && mayReadReasons(reader)) }
      : {}),
    createdAt: operation.created_at.toISOString(),
    startedAt: operation.started_at?.toISOString() ?? null,
    finishedAt: operation.finished_at?.toISOString() ?? null,
  });
}

/** The operation that a request names. @throws FluxError `operation_not_found`, also for another user's project */
export async function requireOperation(
  { catalog }: Pick<OperationRouteDeps, 'catalog'>,
  principal: Principal,
  id: string,
): Promise<OperationRow> {
  const operation = isUuid(id) ? await findOperation(catalog.db, id as OperationId) : undefined;
  const project = operation === undefined ? undefined : await findProjectById(catalog.db, operation.project_id);
  if (operation !== undefined && project !== undefined && isVisible(principal, project)) return operation;
  throw new FluxError('operation_not_found', `There is no operation ${id}.`, { hint: 'See `flux backup list` for its result.' });
}
