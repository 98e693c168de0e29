import { createHash } from 'node:crypto';
import { FluxError } from '@flux/contract/errors';
import type { PushAnswer, PushRequest } from '@flux/contract/project';
import { describeWayDown } from '@flux/contract/sql/file-names';
import { identifyingText } from '@flux/contract/sql/runnable';
import * as z from 'zod';
import { type QuotaDeps, requireQuota } from '../backups/quota.ts';
import type { ReadingDeps } from '../backups/reading.ts';
import { recordAudit } from '../catalog/audit.ts';
import type { ProjectRow } from '../catalog/projects.ts';
import type { EngineDirectory } from '../engines/directory.ts';
import type { PushOutcome, ScriptRequest } from '../engines/engine.ts';
import { applyScript } from '../engines/push.ts';
import { defineOperation } from '../operations/define.ts';
import { type RunDeps, runInline } from '../operations/run.ts';
import { requireActive } from './active.ts';
import { type Pusher, requirePolicy } from './push-policy.ts';

/** What a push uses. */
export interface PushDeps extends ReadingDeps {
  readonly engines: EngineDirectory;
  readonly operations: RunDeps;
  /** A push that takes longer is ended, and applies nothing. */
  readonly pushTimeoutMs: number;
}

/** What its work uses: the SQL too, which is not recorded in the catalog. */
interface PushWork {
  readonly engines: EngineDirectory;
  /** Null where a push is only known by its record: its SQL is nowhere but in the request that asked for it. */
  readonly push: Omit<ScriptRequest, 'signal' | 'beforeRun'> | null;
  /** Refuses what the policy of the project does not let run. */
  readonly requirePolicy: ((signal: AbortSignal) => Promise<void>) | null;
}

/** Runs SQL in a project. It runs while its caller waits, since the SQL is nowhere but in the caller's request. */
export const pushOperation = defineOperation({
  kind: 'push',
  lane: 'short',
  request: z.object({ filename: z.string(), mode: z.enum(['raw', 'versioned', 'repeatable']), dryRun: z.boolean().default(false) }),
  touches: 'project',
  runsOn: 'project host',
  // Only a push that has run is in the audit; how it ended is known at its end.
  audit: null,
  afterWorkerLoss: 'end',
  hintAfterDeath: ({ mode, dryRun, filename }) =>
    dryRun
      ? undefined
      : `${filename} may be applied or not: look ${mode === 'raw' ? 'at the database' : 'with `flux migrations list`'} before you push it again.`,
  run: async ({ engines, push, requirePolicy: require }: PushWork, { project: row }, task) => {
    if (push === null || require === null) throw new Error('a push was taken from the catalog, which does not have its SQL');
    const { engine, project } = engines.of(row);
    return toAnswer(
      await applyScript(await engine.ownerAccess(project, task.signal), {
        ...push,
        beforeRun: () => require(task.signal),
        signal: task.signal,
      }),
    );
  },
  onSucceeded: async (db, { project, request, requester }, { skipped, statements }) => {
    if (request.dryRun || skipped === true) return;
    const { filename, mode } = request;
    await recordAudit(db, requester, { action: 'project.push', projectId: project.id, subject: filename, details: { mode, statements } });
  },
});

/**
 * Runs SQL in a project, in one transaction with its ledger row. It is an operation like any other, so a push and a backup of
 * one project never run at once.
 *
 * @throws FluxError `busy`, `gate_refused` by the policy of the project, `quota_reached`, and what the engine says
 */
export async function pushSql(
  deps: PushDeps & QuotaDeps,
  project: ProjectRow,
  pusher: Pusher,
  body: PushRequest,
  signal: AbortSignal,
): Promise<PushAnswer> {
  requireActive(project);
  const allowance = await requireQuota(deps, project, pusher.actor, 'push');
  const { engines, operations } = deps;
  const push = { ...toScriptRequest(body), by: project.owner_id, timeoutMs: deps.pushTimeoutMs };
  const { filename, mode, dryRun } = push;
  const work: PushWork = { engines, push, requirePolicy: (until) => requirePolicy(deps, project, pusher, body, until) };
  const order = { project, requester: pusher.actor, request: { filename, mode, dryRun }, beforeRecord: allowance.requireStill };
  const { id, result, isRecorded } = await runInline(operations, pushOperation, work, order, signal);
  if (isRecorded) return result;
  // It is committed in the project: to call it failed would have it pushed again.
  const note = `${filename} is done, but the catalog could not record that; the operation ${id} will be shown as interrupted.`;
  return { ...result, warnings: [...(result.warnings ?? []), note] };
}

function toScriptRequest(request: PushRequest): Omit<ScriptRequest, 'signal' | 'beforeRun'> {
  const { sql, migration, repeatable } = request;
  const common = { sql, dryRun: request.dryRun ?? false, force: repeatable?.force ?? false };
  if (migration !== undefined && repeatable !== undefined) {
    throw new FluxError('invalid_request', 'A push is a migration or a repeatable script, not both.');
  }
  if (migration !== undefined) {
    refuseWayDown(migration.filename);
    requireChecksum(sql, migration.checksum);
    return { ...common, mode: 'versioned', filename: migration.filename, version: migration.version, checksum: migration.checksum };
  }
  if (repeatable !== undefined) {
    requireChecksum(sql, repeatable.checksum);
    return { ...common, mode: 'repeatable', filename: repeatable.filename, version: repeatable.scriptId, checksum: repeatable.checksum };
  }
  return { ...common, mode: 'raw', filename: request.filename ?? 'SQL' };
}

/** Clients send a dump as it is, or without the lines that do not count for its checksum. */
function requireChecksum(sql: string, checksum: string): void {
  if (sha256(sql) === checksum || sha256(identifyingText(sql)) === checksum) return;
  throw new FluxError('invalid_request', 'The checksum is not the SHA-256 of the SQL that arrived.', {
    hint: 'Send the file again, unchanged and in UTF-8.',
  });
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/**
 * A file that undoes a migration is no migration, whoever sends it: other clients send every file of a folder.
 *
 * @throws FluxError `invalid_request`
 */
function refuseWayDown(filename: string): void {
  const why = describeWayDown(filename);
  if (why === undefined) return;
  throw new FluxError('invalid_request', `${filename} is ${why}, so it would undo a migration. Nothing of it was applied.`, {
    hint: 'Leave it out of the folder. To run it on purpose, unrecorded: `flux push <file> --mode raw`.',
  });
}

function toAnswer(outcome: PushOutcome): PushAnswer {
  return {
    ...(outcome.skipped ? { skipped: true } : {}),
    ...(outcome.previousChecksum === undefined ? {} : { previousChecksum: outcome.previousChecksum }),
    ...(outcome.warnings.length === 0 ? {} : { warnings: [...outcome.warnings] }),
    statements: outcome.statements,
  };
}
