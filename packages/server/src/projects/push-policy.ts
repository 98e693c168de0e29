import { setImmediate } from 'node:timers/promises';
import { FluxError } from '@flux/contract/errors';
import type { PushRequest } from '@flux/contract/project';
import { findDangers } from '@flux/contract/sql/dangers';
import { createGrammar, type Grammar } from '@flux/contract/sql/grammar';
import { readRunnable } from '@flux/contract/sql/runnable';
import { type AccessLevel, covers } from '@flux/contract/token';
import { redeemClearance, requireGate } from '../backups/gate.ts';
import { overrideOf } from '../backups/override.ts';
import type { ReadingDeps } from '../backups/reading.ts';
import type { Actor } from '../catalog/audit.ts';
import { findProjectById, type ProjectRow } from '../catalog/projects.ts';

/** Who pushes, and with which access level: an override of the policy needs that of an administrator. */
export interface Pusher {
  readonly actor: Actor;
  readonly access: AccessLevel;
}

/**
 * Applies the policy of a project to a push that is about to run: with `refuse`, SQL that is sure to destroy data needs a newest backup that
 * is restore-verified and intact, or the override of an administrator. With `ask`, the client asks.
 *
 * @throws FluxError `gate_refused`; `forbidden` for the override of somebody else
 */
export async function requirePolicy(
  deps: ReadingDeps,
  { id }: ProjectRow,
  pusher: Pusher,
  { sql, skipBackupCheck, reason }: Pick<PushRequest, 'sql' | 'skipBackupCheck' | 'reason'>,
  signal: AbortSignal,
): Promise<void> {
  const project = await findProjectById(deps.catalog.db, id);
  if (project?.push_policy !== 'refuse' || !(await destroysData(sql, signal))) return;
  const override = overrideOf({ skipBackupCheck, reason });
  if (override !== null && !covers(pusher.access, 'admin'))
    throw new FluxError(
      'forbidden',
      `The policy of ${project.slug} lets only an admin token skip the backup check of a push. Nothing was run.`,
      {
        hint: 'Create and verify a backup first with `flux push --backup`, or ask an admin to push.',
      },
    );
  const clearance = await requireGate(deps, project, 'push', override, signal);
  await deps.catalog.db.transaction().execute((db) => redeemClearance(db, clearance, project, 'push', pusher.actor));
}

async function destroysData(sql: string, signal: AbortSignal): Promise<boolean> {
  const grammar = createGrammar();
  // Nothing may pass only because the parser is not there.
  const probe = await grammar.parseSql('SELECT 1');
  if ('refused' in probe) throw new Error(`the policy of the project cannot be applied, because ${probe.refused}`);
  const dangers = await findDangers(readRunnable(sql).sql, sharing(grammar, signal));
  return dangers.some(({ effect }) => effect === 'destroys');
}

/** Lets other requests run between two statements: the parser runs on the thread of the control plane. */
function sharing(grammar: Grammar, signal: AbortSignal): Grammar {
  const pause = () => setImmediate(undefined, { signal });
  return {
    parseSql: (text) => pause().then(() => grammar.parseSql(text)),
    parsePlpgsql: (statement) => pause().then(() => grammar.parsePlpgsql(statement)),
  };
}
