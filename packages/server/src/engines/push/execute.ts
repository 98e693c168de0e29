import { FluxError } from '@flux/contract/errors';
import { type PostgresSession, serverErrorOf } from '../../postgres/connect.ts';
import { sqlFailed } from './failure.ts';
import type { PushChunk, PushPlan } from './plan.ts';

/** What must be the same after each chunk as before: that the transaction is ours, and that our text is read as we wrote it. */
interface SessionMark {
  readonly transaction: string;
  readonly strings: string;
  readonly encoding: string;
}

/** Reads the mark of the session. Names are qualified, because the file may have set another search_path. */
export async function markSession(session: PostgresSession): Promise<SessionMark> {
  const [mark] = await session.query<SessionMark>(
    `select pg_catalog.txid_current()::pg_catalog.text as transaction,
            pg_catalog.current_setting('standard_conforming_strings') as strings,
            pg_catalog.current_setting('client_encoding') as encoding`,
  );
  return mark as SessionMark;
}

/**
 * Runs every statement of a plan in the transaction that is open.
 *
 * A chunk goes as one text, because a round trip for each of 15,000 INSERTs takes seconds. The server answers for each
 * statement that ended well, so the number of answers tells which one failed; a position, where the server gives one, tells
 * the place in it.
 *
 * @throws FluxError `sql_failed`, `sql_not_allowed` when the transaction that is open afterwards is another one
 */
export async function executePlan(session: PostgresSession, plan: PushPlan, mark: SessionMark): Promise<void> {
  for (const chunk of plan.chunks) {
    await executeChunk(session, plan, chunk);
    const now = await markSession(session);
    if (now.transaction !== mark.transaction) throw leftTransaction(plan);
    const isLast = chunk === plan.chunks.at(-1);
    if (!isLast && (now.strings !== mark.strings || now.encoding !== mark.encoding)) throw changedReading(plan);
  }
}

/**
 * Checks what is only checked at the end of a transaction, so that a failure is told as one of this file, in a dry run too.
 *
 * @throws FluxError `sql_failed`
 */
export async function checkDeferred(session: PostgresSession, plan: PushPlan): Promise<void> {
  try {
    await session.run('SET CONSTRAINTS ALL IMMEDIATE');
  } catch (error) {
    const failure = serverErrorOf(error);
    throw failure === undefined ? error : sqlFailed(plan, plan.statements.length - 1, failure, 'at its end');
  }
}

async function executeChunk(session: PostgresSession, plan: PushPlan, chunk: PushChunk): Promise<void> {
  const start = plan.statements[chunk.first]?.start ?? 0;
  const end = plan.statements[chunk.first + chunk.count - 1]?.end ?? 0;
  let done = 0;
  try {
    await session.run(plan.sql.slice(start, end), () => done++);
  } catch (error) {
    const failure = serverErrorOf(error);
    throw failure === undefined ? error : sqlFailed(plan, { chunk, start, done }, failure);
  }
}

function leftTransaction(plan: PushPlan): FluxError {
  return new FluxError('sql_not_allowed', `${plan.filename} ended the transaction that it ran in; what ran before that point is applied.`, {
    hint: 'Look at the database before you push again; it has no line in the ledger.',
    details: { filename: plan.filename },
  });
}

function changedReading(plan: PushPlan): FluxError {
  return new FluxError(
    'sql_not_allowed',
    `${plan.filename} changes client_encoding or standard_conforming_strings, and what follows would be read as something else than it says. Nothing of this file was applied.`,
    { hint: 'Save the file as UTF-8 and take the SET statement out.', details: { filename: plan.filename } },
  );
}
