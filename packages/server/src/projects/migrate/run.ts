import type { MigrateAnswer, MigrateResult } from '@flux/contract/migrate';
import { backUpPresentState } from '../../backups/restore/present.ts';
import { type ProjectRow, setMigrationState } from '../../catalog/projects.ts';
import type { OperationContext } from '../../operations/run.ts';
import type { RestoreDoors } from '../restore/side.ts';
import { copyToDedicated, dedicatedOf } from './copy.ts';
import { dropSource, moveToDedicated } from './move.ts';
import { isDone, type MigrationRequest } from './request.ts';
import { NOTHING } from './result.ts';
import { discardStaged, takeBack } from './take-back.ts';

const NOTE = 'before the migration to v1_dedicated';

/** Does what `requestMigration` has planned. Whatever fails leaves the pooled project as it was, running and writable. */
export async function runMigration(doors: RestoreDoors, row: ProjectRow, context: OperationContext): Promise<MigrateAnswer> {
  const request = context.operation.request as MigrationRequest;
  const { plan, preflight } = request;
  return { ok: true, plan, preflight: [...preflight], result: await run(doors, row, request, context) };
}

async function run(doors: RestoreDoors, row: ProjectRow, request: MigrationRequest, context: OperationContext): Promise<MigrateResult> {
  const { how, dropSourceAfter } = request.order;
  if (row.engine === 'v1_dedicated') {
    if (isDone(row) || !dropSourceAfter) return { ...NOTHING, sourceKept: row.migration_state !== null };
    return await dropSource(doors, row, request, context);
  }
  // What an earlier migration has left is of an earlier state.
  if (row.migration_state === 'copying') await takeBack(doors.projects, row.id);
  if (row.migration_state === 'staged' && how !== 'dump_only') await discardStaged(doors.projects, row.id);
  switch (how) {
    case 'discard_staged':
      return { ...NOTHING, did: row.migration_state === null ? 'nothing' : 'discarded' };
    case 'dump_only':
      return { ...NOTHING, did: 'dumped', backupId: await backUpPresentState(doors.backups, row, { note: NOTE }, context) };
    case 'staged':
      return await stage(doors, row, context);
    default:
      return await moveToDedicated(doors, row, request, context, NOTE);
  }
}

async function stage(doors: RestoreDoors, row: ProjectRow, context: OperationContext): Promise<MigrateResult> {
  const backupId = await backUpPresentState(doors.backups, row, { note: NOTE }, context);
  await setMigrationState(doors.projects.catalog.db, row.id, 'copying');
  try {
    const copied = await copyToDedicated(doors, row, backupId, context);
    const { host, port, database, user } = await dedicatedOf(doors.projects, row).credentials();
    await setMigrationState(doors.projects.catalog.db, row.id, 'staged');
    return { ...NOTHING, did: 'staged', backupId, ...copied, staged: { host, port, database, user } };
  } catch (error) {
    await takeBack(doors.projects, row.id).catch((failure) =>
      doors.projects.log.warn({ err: failure, project: row.hash }, 'a half-made copy stays'),
    );
    throw error;
  }
}
