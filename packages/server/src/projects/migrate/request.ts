import { FluxError } from '@flux/contract/errors';
import type { OperationId } from '@flux/contract/ids';
import type { MigrateAnswer, MigrateRequest } from '@flux/contract/migrate';
import { overrideOf, refuseShutGate } from '../../backups/gate.ts';
import type { Actor } from '../../catalog/audit.ts';
import type { ProjectRow } from '../../catalog/projects.ts';
import { requestOperation } from '../../operations/request.ts';
import { requireActive } from '../active.ts';
import type { RestoreDoors } from '../restore/into-staging.ts';
import { orderOf } from './order.ts';
import { isDone, planMigration, refuseBlocked } from './plan.ts';
import { migrate } from './run.ts';

/**
 * Looks at the project and, but for a dry run, records the migration and enqueues it.
 *
 * @returns the answer of a dry run, or the operation to follow
 * @throws FluxError `project_mismatch`, `invalid_request`, `not_ready`, `gate_refused`, `busy`
 */
export async function requestMigration(
  doors: RestoreDoors,
  row: ProjectRow,
  actor: Actor,
  body: MigrateRequest,
): Promise<{ readonly answer: MigrateAnswer } | { readonly operationId: OperationId }> {
  if (body.slug !== row.slug)
    throw new FluxError('project_mismatch', `The hash ${row.hash} is the project ${row.slug}, not ${body.slug}.`, {
      hint: 'Correct --project or --hash; `flux list` shows both.',
    });
  requireActive(row);
  const order = orderOf(row, body);
  const surveyed = await planMigration(doors.projects, row, order);
  if (order.how === 'dry_run') {
    const ok = surveyed.preflight.every(({ severity }) => severity !== 'blocks');
    return { answer: { ok, ...surveyed, preflight: [...surveyed.preflight], result: null } };
  }
  refuseBlocked(row, surveyed.preflight);
  const override = overrideOf(body);
  // A removal that has begun was cleared when it began.
  if (order.dropSourceAfter && row.migration_state !== 'dropping_source' && !isDone(row)) {
    await refuseShutGate(doors.backups, row, 'migrate_drop_source', override);
  }
  const request = { order, override, ...surveyed, preflight: [...surveyed.preflight] };
  return {
    operationId: await requestOperation(doors.projects.operations, migrate, async () => ({ project: row, requester: actor, request })),
  };
}
