import type { BackupAnswer, VerificationProof } from '@flux/contract/backup';
import { FluxError, fromProblem, type Problem } from '@flux/contract/errors';
import type { OperationId } from '@flux/contract/ids';
import { API_PREFIX, ROUTES } from '@flux/contract/routes';
import type { FastifyRequest } from 'fastify';
import type { Principal } from '../access/tokens.ts';
import { requestBackup } from '../backups/create.ts';
import type { Viewer } from '../backups/item.ts';
import { listProjectBackups, showBackup } from '../backups/list.ts';
import { parseBackupSelector } from '../backups/select.ts';
import { requestVerification } from '../backups/verify/request.ts';
import type { OperationRow } from '../catalog/operations.ts';
import { waitForOperation } from '../operations/wait.ts';
import type { Answer } from './call.ts';
import type { ApiDoors } from './doors.ts';
import { toOperationAnswer } from './operations.ts';
import { answer, type Router, requireProject } from './router.ts';

/** Create, list, show and verify backups. */
export function registerBackupRoutes(router: Router, doors: ApiDoors): void {
  router.json(ROUTES.listBackups, async ({ principal, params, query }) =>
    listProjectBackups(doors.backups, await requireProject(doors, principal, params.hash), viewerOf(principal), query),
  );
  router.json(ROUTES.showBackup, async ({ principal, params }) => {
    const project = await requireProject(doors, principal, params.hash);
    return showBackup(doors.backups, project, parseBackupSelector(params.id), viewerOf(principal));
  });
  router.json(ROUTES.createBackup, async ({ principal, params, body, request, signal }) => {
    const project = await requireProject(doors, principal, params.hash);
    const operationId = await requestBackup(doors.backups, project, principal.actor, body?.note);
    return answerOperation(doors, request, operationId, signal, async (result) => {
      // The operation keeps what everybody may see; who asks here may see more.
      const { id } = (result as BackupAnswer).backup;
      const { backup } = await showBackup(doors.backups, project, parseBackupSelector(id), viewerOf(principal));
      return { backup };
    });
  });
  router.json(ROUTES.verifyBackup, async ({ principal, params, request, signal }) => {
    const project = await requireProject(doors, principal, params.hash);
    const operationId = await requestVerification(doors.backups, project, principal.actor, parseBackupSelector(params.id));
    return answerOperation(doors, request, operationId, signal, async (result) =>
      toVerifyAnswer((result as { proof: VerificationProof }).proof),
    );
  });
}

/**
 * Answers a request for long work: 202 and the operation for a client that prefers so, else the result when it is there. When
 * such a client goes away, the work goes on.
 */
export async function answerOperation(
  doors: ApiDoors,
  request: FastifyRequest,
  id: OperationId,
  signal: AbortSignal,
  toBody: (result: object) => Promise<object>,
): Promise<Answer | object> {
  if (prefersAsync(request)) {
    const operation = await waitForOperation(doors.catalog, id, AbortSignal.abort());
    return answer(202, toOperationAnswer(operation), `${API_PREFIX}/operations/${id}`);
  }
  const operation = await waitForOperation(doors.catalog, id, signal);
  return toBody(resultOf(operation));
}

function resultOf(operation: OperationRow): object {
  if (operation.state === 'succeeded') return operation.result as object;
  if (operation.error !== null) throw fromProblem(operation.error as Problem);
  throw new FluxError('lost_contact', 'The control plane is stopping; the work is not done.', {
    hint: 'Look with `flux backup list` when it runs again.',
  });
}

function toVerifyAnswer(proof: VerificationProof): object {
  switch (proof.verdict) {
    case 'restorable':
      return { ok: true, backupId: proof.backupId, restoreVerificationStatus: 'restore_verified', proof };
    case 'failed':
      throw new FluxError('verification_failed', proof.summary, {
        hint: 'Treat this backup as broken: make a new one with `flux backup create`, then verify it.',
        details: { proof },
      });
    case 'inconclusive':
      throw new FluxError('verification_inconclusive', proof.summary, {
        hint: 'The label has not changed. Put the cause right, then verify again.',
        details: { proof },
      });
  }
}

function prefersAsync(request: FastifyRequest): boolean {
  return String(request.headers.prefer ?? '')
    .split(',')
    .some((preference) => preference.trim().toLowerCase() === 'respond-async');
}

function viewerOf(principal: Principal): Viewer {
  return principal.token.access === 'admin' ? 'admin' : 'other';
}
