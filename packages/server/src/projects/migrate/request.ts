import { FluxError } from '@flux/contract/errors';
import type { OperationId } from '@flux/contract/ids';
import type { MigrateAnswer, MigrateRequest } from '@flux/contract/migrate';
import { type Override, requireGate, requireGateAhead } from '../../backups/gate.ts';
import { type Actor, recordAudit } from '../../catalog/audit.ts';
import type { ProjectRow } from '../../catalog/projects.ts';
import { beginOperation } from '../../operations/begin.ts';
import { requireActive } from '../nuke.ts';
import type { RestoreDoors } from '../restore/side.ts';
import { orderOf } from './order.ts';
import { type MigrationOrder, planMigration, refuseBlocked, type SurveyedPlan } from './plan.ts';

/** What the worker finds in the row of the operation. */
export interface MigrationRequest extends SurveyedPlan {
  readonly order: MigrationOrder;
  readonly override: Override | null;
}

/**
 * Looks at the project and, but for a dry run, records the migration and puts it before the workers.
 *
 * @returns the answer of a dry run, or the operation to follow
 * @throws FluxError `project_mismatch`, `invalid_request`, `not_ready`, `gate_refused`, `busy`
 */
export async function requestMigration(
  doors: RestoreDoors,
  row: ProjectRow,
  actor: Actor,
  body: MigrateRequest,
  signal: AbortSignal,
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
  const override = body.skipBackupCheck === true ? { reason: body.reason ?? 'none was given' } : null;
  // A removal that has begun was cleared when it began.
  if (order.dropSourceAfter && row.migration_state !== 'dropping_source' && !isDone(row)) {
    const ask = row.engine === 'v2_shared' ? requireGateAhead : requireGate;
    await ask(doors.backups, row, 'migrate_drop_source', override, signal);
  }
  return { operationId: await begin(doors, row, actor, { order, override, ...surveyed }) };
}

/** Tells whether a project has nothing left to move or to remove. */
export function isDone(row: ProjectRow): boolean {
  return row.engine === 'v1_dedicated' && row.migration_state === null;
}

async function begin({ projects, backups }: RestoreDoors, row: ProjectRow, actor: Actor, request: MigrationRequest): Promise<OperationId> {
  return projects.catalog.db.transaction().execute(async (db) => {
    const id = await beginOperation(db, projects.clock, { projectId: row.id, kind: 'migrate', backupId: null, actor, request });
    await recordAudit(db, actor, { action: 'project.migrate', projectId: row.id, subject: row.slug, details: { ...request.order } });
    await backups.queue.enqueue(db, id);
    return id;
  });
}
