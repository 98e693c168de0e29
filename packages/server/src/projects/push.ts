import { createHash } from 'node:crypto';
import { FluxError, toProblem } from '@flux/contract/errors';
import type { PushAnswer, PushRequest } from '@flux/contract/project';
import { type Actor, recordAudit } from '../catalog/audit.ts';
import { finishOperation } from '../catalog/operations.ts';
import type { ProjectRow } from '../catalog/projects.ts';
import type { PushRequest as EnginePush, PushOutcome } from '../engines/engine.ts';
import { beginHere } from '../operations/begin.ts';
import type { HeldLease } from '../operations/lease.ts';
import { describeFailure } from '../operations/run.ts';
import type { ProjectDoors } from './doors.ts';
import { requireActive } from './nuke.ts';

/**
 * Runs SQL in a project, in one transaction with its ledger row. It is an operation like any other, so a push and a backup of
 * one project never run at once, but it runs here and now: its caller waits for it.
 *
 * @throws FluxError `busy`, and what the engine says
 */
export async function pushSql(
  doors: ProjectDoors,
  row: ProjectRow,
  actor: Actor,
  request: PushRequest,
  signal: AbortSignal,
): Promise<PushAnswer> {
  if (request.slug !== row.slug) {
    throw new FluxError('project_mismatch', `The hash ${row.hash} is the project ${row.slug}, not ${request.slug}.`, {
      hint: 'Correct --project or --hash; `flux list` shows both.',
    });
  }
  requireActive(row);
  return doors.lease.during((held) => pushUnder(held, doors, row, actor, toEnginePush(request, AbortSignal.any([signal, held.lost]))));
}

async function pushUnder(held: HeldLease, doors: ProjectDoors, row: ProjectRow, actor: Actor, push: EnginePush): Promise<PushAnswer> {
  const { catalog, clock, log } = doors;
  const request = { filename: push.filename, mode: push.mode };
  const id = await catalog.db
    .transaction()
    .execute((db) => beginHere(db, clock, { projectId: row.id, kind: 'push', backupId: null, actor, request }, held.workerId));
  let outcome: PushOutcome;
  try {
    const { engine, project } = doors.engines.of(row);
    outcome = await engine.push(project, push);
  } catch (error) {
    const none = new AbortController().signal;
    await finishOperation(catalog.db, id, { state: 'failed', error: toProblem(describeFailure(error, none, none)) }, clock.now());
    throw error;
  }
  const answer = toAnswer(outcome);
  try {
    await catalog.db.transaction().execute(async (db) => {
      await finishOperation(db, id, { state: 'succeeded', result: answer }, clock.now());
      if (!push.dryRun && !outcome.skipped) {
        await recordAudit(db, actor, {
          action: 'project.push',
          projectId: row.id,
          subject: push.filename,
          details: { mode: push.mode, statements: outcome.statements },
        });
      }
    });
    return answer;
  } catch (error) {
    // It is committed in the project: to call it failed would have it pushed again.
    log.error({ err: error, operation: id, project: row.hash, file: push.filename }, 'a push is done and could not be recorded');
    const note = `${push.filename} is done, but the catalog could not record that; the operation ${id} will be shown as interrupted.`;
    return { ...answer, warnings: [...(answer.warnings ?? []), note] };
  }
}

function toEnginePush(request: PushRequest, signal: AbortSignal): EnginePush {
  const { sql, migration, repeatable } = request;
  const common = { sql, dryRun: request.dryRun ?? false, force: repeatable?.force ?? false, signal };
  if (migration !== undefined && repeatable !== undefined) {
    throw new FluxError('invalid_request', 'A push is a migration or a repeatable script, not both.');
  }
  if (migration !== undefined) {
    requireChecksum(sql, migration.checksum);
    return { ...common, mode: 'versioned', filename: migration.filename, version: migration.version, checksum: migration.checksum };
  }
  if (repeatable !== undefined) {
    requireChecksum(sql, repeatable.checksum);
    return { ...common, mode: 'repeatable', filename: repeatable.filename, version: repeatable.scriptId, checksum: repeatable.checksum };
  }
  return { ...common, mode: 'raw', filename: request.filename ?? 'SQL' };
}

function requireChecksum(sql: string, checksum: string): void {
  if (createHash('sha256').update(sql).digest('hex') === checksum) return;
  throw new FluxError('invalid_request', 'The checksum is not the SHA-256 of the SQL that arrived.', {
    hint: 'Send the file again, unchanged and in UTF-8.',
  });
}

function toAnswer(outcome: PushOutcome): PushAnswer {
  return {
    ok: true,
    ...(outcome.skipped ? { skipped: true } : {}),
    ...(outcome.previousChecksum === undefined ? {} : { previousChecksum: outcome.previousChecksum }),
    ...(outcome.warnings.length === 0 ? {} : { warnings: [...outcome.warnings] }),
    statements: outcome.statements,
    tablesMoved: 0,
    sequencesMoved: 0,
    viewsMoved: 0,
  };
}
