import type { OperationId } from '@flux/contract/ids';
import type { MigrateAnswer, MigrateRequest } from '@flux/contract/migrate';
import { overrideOf, refuseShutGate } from '../../backups/gate.ts';
import type { Actor } from '../../catalog/audit.ts';
import type { ProjectRow } from '../../catalog/projects.ts';
import { requestOperation } from '../../operations/request.ts';
import { requireActive } from '../active.ts';
import type { RestoreDoors } from '../restore/into-staging.ts';
import { type MigrationChoices, orderOf } from './order.ts';
import { isDone, planMigration, refuseBlocked } from './plan.ts';
import { migrate } from './run.ts';

/** What a migration would do, and what is in its way. Changes nothing. @throws FluxError `invalid_request`, `not_ready` */
export async function previewMigration(
  doors: RestoreDoors,
  row: ProjectRow,
  choices: Omit<MigrationChoices, 'how'>,
): Promise<MigrateAnswer> {
  requireActive(row);
  const surveyed = await planMigration(doors.projects, row, orderOf(row, { ...choices, how: 'dry_run' }));
  const ok = surveyed.preflight.every(({ severity }) => severity !== 'blocks');
  return { ok, ...surveyed, preflight: [...surveyed.preflight], result: null };
}

/**
 * Looks at the project, refuses what is known to fail, records the migration and enqueues it.
 *
 * @throws FluxError `invalid_request`, `not_ready`, `gate_refused`, `busy`
 */
export async function requestMigration(doors: RestoreDoors, row: ProjectRow, actor: Actor, body: MigrateRequest): Promise<OperationId> {
  requireActive(row);
  const order = orderOf(row, body);
  const surveyed = await planMigration(doors.projects, row, order);
  refuseBlocked(row, surveyed.preflight);
  const override = overrideOf(body);
  // A removal that has begun was cleared when it began.
  if (order.dropSourceAfter && row.migration_state !== 'dropping_source' && !isDone(row)) {
    await refuseShutGate(doors.backups, row, 'migrate_drop_source', override);
  }
  const request = { order, override, ...surveyed, preflight: [...surveyed.preflight] };
  return requestOperation(doors.projects.operations, migrate, async () => ({ project: row, requester: actor, request }));
}
