import { FluxError } from '@flux/contract/errors';
import type { OperationId } from '@flux/contract/ids';
import * as z from 'zod';
import type { Actor } from '../../catalog/audit.ts';
import { type BackupRow, updateBackup } from '../../catalog/backups.ts';
import type { DatabaseTransaction } from '../../catalog/open.ts';
import { findOperationInTheWay } from '../../catalog/operations.ts';
import type { ProjectRow } from '../../catalog/projects.ts';
import { defineOperation } from '../../operations/define.ts';
import { busyWith, type RequestDeps, requestOperation } from '../../operations/request.ts';
import { requireBackupId } from '../create.ts';
import { requirePresent } from '../present.ts';
import { type QuotaDeps, requireQuota } from '../quota.ts';
import { type BackupSelector, selectBackup } from '../select.ts';
import { type VerifyDeps, verifyBackup } from './run.ts';

/** Verifies a backup by restoring it. It locks only that backup: other operations of its project continue. */
export const backupVerify = defineOperation({
  kind: 'backup_verify',
  lane: 'verify',
  request: z.object({ selector: z.string(), timeLimitMs: z.number().optional() }),
  touches: 'backup',
  runsOn: 'any',
  audit: ({ backupId, request: { timeLimitMs } }) => ({
    action: 'backup.verify',
    subject: String(backupId),
    ...(timeLimitMs === undefined ? {} : { details: { timeLimitMs } }),
  }),
  afterWorkerLoss: 'restart',
  run: (deps: VerifyDeps, { backupId, request }, task) => verifyBackup(deps, requireBackupId(backupId), task, request.timeLimitMs),
  onInterrupted: async ({ clock }, db, { backupId }, reason) => {
    if (reason.code === 'interrupted')
      await updateBackup(db, requireBackupId(backupId), { last_problem: reason.message, last_problem_at: clock.now() });
    return undefined;
  },
});

/**
 * Resolves the backup, records the verification and enqueues it, all in one transaction: what *latest* means cannot change in
 * between.
 *
 * @throws FluxError `backup_not_found`, `not_ready`, `artifact_gone`, `busy`, `quota_reached`
 */
export async function requestVerification(
  deps: RequestDeps & QuotaDeps,
  project: ProjectRow,
  requester: Actor,
  { selector, timeLimitMs }: { readonly selector: BackupSelector; readonly timeLimitMs?: number | undefined },
): Promise<OperationId> {
  const allowance = await requireQuota(deps, project, requester, 'backup_verify');
  return requestOperation(deps, backupVerify, async (db) => {
    await allowance.requireStill(db);
    const backup = await selectBackup(db, project, selector);
    await refuseUnverifiable(db, backup);
    return { project, backupId: backup.id, requester, request: { selector, ...(timeLimitMs === undefined ? {} : { timeLimitMs }) } };
  });
}

async function refuseUnverifiable(db: DatabaseTransaction, backup: BackupRow): Promise<void> {
  if (backup.status === 'queued' || backup.status === 'running') {
    const maker = await findOperationInTheWay(db, backup.project_id, 'project', null);
    if (maker !== undefined) throw busyWith(maker, 'project');
  }
  if (backup.status !== 'complete') {
    throw new FluxError(
      'not_ready',
      `Backup ${backup.id} is ${backup.status}, so there is nothing to restore.${backup.failure === null ? '' : ` It failed: ${backup.failure}`}`,
      {
        hint: 'Create a new one with `flux backup create`, then verify it.',
      },
    );
  }
  requirePresent(backup, 'Verify a newer one: `flux backup list`.');
}
