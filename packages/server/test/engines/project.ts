import { createHash, randomBytes, randomUUID } from 'node:crypto';
import type { ProjectId, UserId } from '@flux/contract/ids';
import type { EngineKind } from '@flux/contract/labels';
import type { AppliedMigration } from '@flux/contract/project';
import type { Engine, EngineProject, PushOutcome, ScriptRequest } from '../../src/engines/engine.ts';
import { listApplied } from '../../src/engines/owner-access.ts';
import { applyScript } from '../../src/engines/push.ts';
import type { PostgresTarget } from '../../src/postgres/target.ts';
import { createLog } from '../../src/system/log.ts';

/** A log that says nothing. */
export const quietLog = createLog('silent');

/** A project with secrets of its own. */
export function makeProject(
  engine: EngineKind,
  slug = 'bloom-atelier',
  attachedUri?: string,
  ownerId = randomUUID() as UserId,
): EngineProject {
  const id = randomUUID() as ProjectId;
  const secret = () => randomBytes(16).toString('hex');
  return {
    id,
    slug,
    hash: id.slice(0, 7),
    ownerId,
    engine,
    secrets: { loginPassword: secret(), ownerPassword: secret(), backupPassword: secret(), jwtSecret: secret(), attachedUri },
  };
}

/** A raw push, or one with a version. */
export function pushOf(sql: string, more: Partial<ScriptRequest> = {}): ScriptRequest {
  const checksum = createHash('sha256').update(sql).digest('hex');
  return { sql, filename: '001_init.sql', mode: 'raw', dryRun: false, force: false, ...(more.version ? { checksum } : {}), ...more };
}

/** The parts of a target as the URI that a user pastes. */
export function uriOf({ user, password = '', host, port, database }: PostgresTarget): string {
  return `postgresql://${user}:${password}@${host}:${port}/${database}`;
}

/** Pushes to a project of an engine. */
export async function runPush(engine: Engine, project: EngineProject, request: ScriptRequest): Promise<PushOutcome> {
  return await applyScript(await engine.ownerAccess(project, request.signal), request);
}

/** The ledger of a project of an engine. */
export async function listMigrations(engine: Engine, project: EngineProject): Promise<readonly AppliedMigration[]> {
  return await listApplied(await engine.ownerAccess(project));
}
