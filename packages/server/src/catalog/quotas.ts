import type { ProjectId } from '@flux/contract/ids';
import type { OperationKind } from '@flux/contract/operation-kind';
import { sql } from 'kysely';
import type { Database } from './open.ts';
import type { ProjectRow } from './projects.ts';
import { toStoredJson } from './stored-json.ts';

/** What the catalog knows of the use of a project. */
export interface CountedUse {
  readonly backups: number;
  readonly backupBytes: number;
  readonly operations: number;
}

/** Counts the backups that a project keeps or that are being made for it, with the bytes that are stored of them, and the operations of some kinds that users have asked for since a time. */
export async function countUse(
  db: Database,
  projectId: ProjectId,
  { kinds, since }: { readonly kinds: readonly OperationKind[]; readonly since: Date },
): Promise<CountedUse> {
  const kept = await db
    .selectFrom('backups')
    .select(({ fn }) => [fn.countAll<number>().as('backups'), fn.sum<string | null>('size_bytes').as('bytes')])
    .where('project_id', '=', projectId)
    .where('status', 'in', ['queued', 'running', 'complete'])
    .where('removed_at', 'is', null)
    .executeTakeFirstOrThrow();
  const asked = await db
    .selectFrom('operations')
    .select(({ fn }) => fn.countAll<number>().as('operations'))
    .where('project_id', '=', projectId)
    .where('kind', 'in', kinds)
    .where('requested_by', 'is not', null)
    .where('created_at', '>', since)
    // Written while a clock was ahead: it would count until that time has come, and a day longer.
    .where('created_at', '<=', sql<Date>`now() + interval '1 minute'`)
    .executeTakeFirstOrThrow();
  return { backups: Number(kept.backups), backupBytes: Number(kept.bytes ?? 0), operations: Number(asked.operations) };
}

/** Records how large the database of a project is. */
export async function recordMeasure(db: Database, id: ProjectId, bytes: number, at: Date): Promise<void> {
  await db.updateTable('projects').set({ measured_bytes: bytes, measured_at: at }).where('id', '=', id).execute();
}

/** Replaces the limits of a project that are not the settings of the server. */
export async function setQuota(db: Database, id: ProjectId, quota: object): Promise<void> {
  await db
    .updateTable('projects')
    .set({ quota: toStoredJson(quota) })
    .where('id', '=', id)
    .execute();
}

/** The active projects that were not measured since a time. */
export async function listUnmeasured(db: Database, before: Date): Promise<readonly Pick<ProjectRow, 'id' | 'measured_at'>[]> {
  return db
    .selectFrom('projects')
    .select(['id', 'measured_at'])
    .where('lifecycle', '=', 'active')
    .where('attached', '=', false)
    .where((eb) => eb.or([eb('measured_at', 'is', null), eb('measured_at', '<', before)]))
    .execute();
}
