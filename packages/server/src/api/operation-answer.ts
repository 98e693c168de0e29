import { FluxError } from '@flux/contract/errors';
import { isUuid, type OperationId } from '@flux/contract/ids';
import type { OperationAnswer, Progress } from '@flux/contract/operation';
import { isVisible, type Principal } from '../access/policy.ts';
import { findOperation, type OperationRow } from '../catalog/operations.ts';
import { findProjectById } from '../catalog/projects.ts';
import type { OperationRouteDeps } from './deps.ts';

/** An operation as the wire shows it. */
export function toOperationAnswer(operation: OperationRow): OperationAnswer {
  return {
    id: operation.id,
    kind: operation.kind,
    state: operation.state,
    projectHash: operation.projectHash,
    projectSlug: operation.projectSlug,
    backupId: operation.backup_id,
    progress: operation.progress as Progress | null,
    ...(operation.result === null ? {} : { result: operation.result }),
    ...(operation.error === null ? {} : { error: operation.error }),
    createdAt: operation.created_at.toISOString(),
    startedAt: operation.started_at?.toISOString() ?? null,
    finishedAt: operation.finished_at?.toISOString() ?? null,
  };
}

/** The operation that a request names. @throws FluxError `operation_not_found` also for one of somebody else's project */
export async function requireOperation(
  { catalog }: Pick<OperationRouteDeps, 'catalog'>,
  principal: Principal,
  id: string,
): Promise<OperationRow> {
  const operation = isUuid(id) ? await findOperation(catalog.db, id as OperationId) : undefined;
  const project = operation === undefined ? undefined : await findProjectById(catalog.db, operation.project_id);
  if (operation !== undefined && project !== undefined && isVisible(principal, project)) return operation;
  throw new FluxError('operation_not_found', `There is no operation ${id}.`, { hint: 'See `flux backup list` for what became of it.' });
}
