import { setTimeout as delay } from 'node:timers/promises';
import { FluxError } from '@flux/contract/errors';
import { connectPostgres, type PostgresSession, serverErrorOf } from '../postgres/connect.ts';
import { endSessions, identityOf } from '../postgres/sessions.ts';
import type { PostgresTarget } from '../postgres/target.ts';

/** A swap whose statements have run, and which is not committed. */
export interface PendingSwap {
  /** The session with the transaction. */
  readonly session: PostgresSession;
  /** How to connect when that session is lost. */
  readonly admin: PostgresTarget;
  /** A name that is there as soon as it is committed, and not before: that of its undo data. */
  readonly creates: string;
  isThere(session: PostgresSession, name: string): Promise<boolean>;
  /** What is to happen to the replaced data. Nobody misses that of a project that is new, which is dropped. */
  readonly previous: 'keep' | 'drop';
}

/** For how long a server that recovers is asked. */
const ASK_MS = 30_000;
/** For how long one session may ask; longer than the session that sent the COMMIT is waited for. */
const LOOK_MS = 15_000;
const PAUSE_MS = 250;

/**
 * Commits a swap. When the connection is lost before the answer, the server is asked in another session what became of it. The first
 * session cannot be used afterwards, also when this resolves.
 *
 * @throws DatabaseError of `pg` when the server refuses it, and FluxError `instance_unavailable`: nothing was changed then, unless the details
 *   have `outcome: unknown`, because the server could not be asked. The caller MUST NOT remove anything in that case: older undo data may be the
 *   only copy of some rows.
 */
export async function commitSwap(swap: PendingSwap, askMs = ASK_MS): Promise<void> {
  const sender = await identityOf(swap.session);
  try {
    await swap.session.run('COMMIT');
  } catch (error) {
    // What ends a session can come after the commit. A session that still answers was refused before it.
    if (serverErrorOf(error) !== undefined && (await stillAnswers(swap.session))) throw error;
    if (await wasCommitted(swap, sender, askMs)) return;
    throw connectionLost(error);
  }
}

/** @throws FluxError with `outcome: unknown` when the server does not say it in time */
async function wasCommitted({ admin, creates, isThere, previous }: PendingSwap, sender: string, withinMs: number): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    try {
      await using session = await connectPostgres(admin, { connectTimeoutMs: LOOK_MS, withinMs: LOOK_MS });
      await refuseStandby(session);
      // While it is there it may still commit.
      await endSessions(session, { sessions: [sender] }, { which: 'all' });
      return await isThere(session, creates);
    } catch (error) {
      if (performance.now() + PAUSE_MS > deadline) throw previous === 'keep' ? outcomeUnknown(creates, error) : connectionLost(error);
      await delay(PAUSE_MS);
    }
  }
}

/** A server that still replays may not have got as far as the commit. */
async function refuseStandby(session: PostgresSession): Promise<void> {
  const [row] = await session.query<{ recovers: boolean }>('select pg_catalog.pg_is_in_recovery() as recovers');
  if (row?.recovers !== false) throw new Error('the server is in recovery');
}

function stillAnswers(session: PostgresSession): Promise<boolean> {
  return session.query('select').then(
    () => true,
    () => false,
  );
}

function connectionLost(cause: unknown): FluxError {
  return new FluxError('instance_unavailable', 'The connection was lost before the names were swapped.', {
    hint: 'Nothing was changed. Run the command again.',
    cause,
  });
}

function outcomeUnknown(creates: string, cause: unknown): FluxError {
  return new FluxError(
    'instance_unavailable',
    'The connection was lost while the names were being swapped, and the server could not be asked since then; they may be swapped or not.',
    {
      hint: `Look at the undo data in \`flux doctor\` before you run the command again, which would remove older undo data: if ${creates} is there, the names were swapped, and \`flux backup restore --undo\` swaps them back.`,
      details: { outcome: 'unknown', undoName: creates },
      cause,
    },
  );
}
