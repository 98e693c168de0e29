import { FluxError, isFluxError, toProblem } from '@flux/contract/errors';
import type { OperationId } from '@flux/contract/ids';
import type { EngineKind } from '@flux/contract/labels';
import { type Clearance, redeemClearance } from '../backups/gate.ts';
import { type Actor, recordAudit } from '../catalog/audit.ts';
import type { DatabaseTransaction } from '../catalog/open.ts';
import { finishOperation } from '../catalog/operations.ts';
import { listRemovingProjects, markProjectRemoved, type ProjectRow, setProjectLifecycle } from '../catalog/projects.ts';
import { beginHere } from '../operations/begin.ts';
import { describeFailure } from '../operations/run.ts';
import type { ProjectDoors } from './doors.ts';

/**
 * Removes what a project has in Postgres: its instance, or its schema, roles and login. Its backups, proofs and audit stay
 * under its hash, so that there is a way back. A removal that failed half-way leaves the project as `removing`; running it
 * again takes it to its end, as does the next start.
 *
 * @param clearance from the gate; a removal that was begun needs none again, since it was cleared when it began: null
 * @throws FluxError `gate_refused`, `busy`, `not_found` when it was removed before
 */
export async function nukeProject(doors: ProjectDoors, row: ProjectRow, actor: Actor, clearance: Clearance | null): Promise<void> {
  if (row.lifecycle === 'removed')
    throw new FluxError('project_not_found', `${row.slug} has been removed already.`, {
      hint: 'Its backups are still there: `flux list --removed`.',
    });
  if (clearance === null && row.lifecycle !== 'removing') throw new Error('only a removal that was begun goes on without a clearance');
  await doors.lease.during(async ({ workerId }) => {
    const id = await doors.catalog.db.transaction().execute(async (db) => {
      const begun = await beginRemoval(db, doors, row, actor, workerId);
      if (clearance !== null) await redeemClearance(db, clearance, row, 'nuke', actor);
      await setProjectLifecycle(db, row.id, 'removing');
      await recordAudit(db, actor, { action: 'project.nuke', projectId: row.id, subject: row.slug });
      return begun;
    });
    await carryOut(doors, row, id);
  });
}

/**
 * Takes removals to their end that a killed server has begun: they were cleared and recorded, and a project that is neither
 * there nor gone is of use to nobody. Call at start, when the operations of dead workers have ended. Never throws: what cannot
 * be removed now stays as `removing`.
 */
export async function finishRemovals(doors: ProjectDoors): Promise<void> {
  for (const row of await listRemovingProjects(doors.catalog.db)) {
    try {
      await doors.lease.during(async ({ workerId }) => {
        const nobody = { userId: null, tokenId: null };
        const id = await doors.catalog.db.transaction().execute((db) => beginRemoval(db, doors, row, nobody, workerId));
        doors.log.warn({ project: row.hash, slug: row.slug }, 'finishing a removal that was interrupted');
        await carryOut(doors, row, id);
      });
    } catch (error) {
      // Busy: another server that lives is at it.
      if (!isFluxError(error, 'busy')) doors.log.error({ err: error, project: row.hash }, 'could not finish a removal');
    }
  }
}

function beginRemoval(
  db: DatabaseTransaction,
  { clock }: ProjectDoors,
  row: ProjectRow,
  actor: Actor,
  workerId: string,
): Promise<OperationId> {
  return beginHere(db, clock, { projectId: row.id, kind: 'nuke', backupId: null, actor, request: {} }, workerId);
}

async function carryOut({ catalog, clock, engines }: ProjectDoors, row: ProjectRow, id: OperationId): Promise<void> {
  try {
    for (const kind of homesOf(row)) {
      const { engine, project } = engines.of({ ...row, engine: kind });
      await engine.remove(project);
    }
    await catalog.db.transaction().execute(async (db) => {
      await markProjectRemoved(db, row.id, clock.now());
      await finishOperation(db, id, { state: 'succeeded', result: { removed: row.slug } }, clock.now());
    });
  } catch (error) {
    const none = new AbortController().signal;
    const known = describeFailure(error, none, none);
    await finishOperation(catalog.db, id, { state: 'failed', error: toProblem(known) }, clock.now());
    throw new FluxError(known.code, `${row.slug} was removed only in part: ${known.message}`, {
      hint: 'Run the same command again: it goes on where it stopped.',
      cause: error,
    });
  }
}

/** A project that moves, or has moved and left something behind, lives in two places. */
function homesOf({ engine, migration_state }: ProjectRow): EngineKind[] {
  return migration_state === null ? [engine] : ['v1_dedicated', 'v2_shared'];
}

/** Refuses what only a project that is there can do. */
export function requireActive(row: ProjectRow): void {
  if (row.lifecycle === 'active') return;
  const removed = row.lifecycle === 'removed' || row.lifecycle === 'removing';
  throw new FluxError('not_ready', `${row.slug} is ${row.lifecycle}.`, {
    hint: removed ? `Its backups are still there: \`flux backup list --hash ${row.hash}\`.` : 'See `flux list`.',
  });
}
