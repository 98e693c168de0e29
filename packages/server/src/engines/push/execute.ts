import { FluxError } from '@flux/contract/errors';
import { type PostgresSession, serverErrorOf } from '../../postgres/connect.ts';
import { sqlFailed } from './failure.ts';
import type { PreparedScript, ScriptChunk } from './prepare.ts';

/** What no chunk may change: the transaction, and how the server reads our text. */
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
 * Runs every statement of a script in the transaction that is open.
 *
 * A chunk goes as one text, because a round trip for each of 15,000 INSERTs takes seconds. The server answers each
 * successful statement, so the number of answers tells which one failed; a position, where the server gives one, tells the place in
 * it.
 *
 * @throws FluxError `sql_failed`, `sql_not_allowed` when the transaction that is open afterwards is another one
 */
export async function executeScript(session: PostgresSession, script: PreparedScript, mark: SessionMark): Promise<void> {
  for (const chunk of script.chunks) {
    await executeChunk(session, script, chunk);
    const now = await markSession(session);
    if (now.transaction !== mark.transaction) throw leftTransaction(script);
    const isLast = chunk === script.chunks.at(-1);
    if (!isLast && (now.strings !== mark.strings || now.encoding !== mark.encoding)) throw changedReading(script);
  }
}

/**
 * Checks deferred constraints, so that a failure is reported for this file, in a dry run too.
 *
 * @throws FluxError `sql_failed`
 */
export async function checkDeferred(session: PostgresSession, script: PreparedScript): Promise<void> {
  try {
    await session.run('SET CONSTRAINTS ALL IMMEDIATE');
  } catch (error) {
    const failure = serverErrorOf(error);
    throw failure === undefined ? error : sqlFailed(script, script.statements.length - 1, failure, 'at its end');
  }
}

async function executeChunk(session: PostgresSession, script: PreparedScript, chunk: ScriptChunk): Promise<void> {
  const start = script.statements[chunk.first]?.start ?? 0;
  const end = script.statements[chunk.first + chunk.count - 1]?.end ?? 0;
  let done = 0;
  try {
    await session.run(script.sql.slice(start, end), () => done++);
  } catch (error) {
    const failure = serverErrorOf(error);
    throw failure === undefined ? error : sqlFailed(script, { chunk, start, done }, failure);
  }
}

function leftTransaction(script: PreparedScript): FluxError {
  return new FluxError('sql_not_allowed', `${script.filename} ended its transaction; the statements before that point have been applied.`, {
    hint: 'Check the database before you push again; the file has no row in the ledger.',
    details: { filename: script.filename },
  });
}

function changedReading(script: PreparedScript): FluxError {
  return new FluxError(
    'sql_not_allowed',
    `${script.filename} changes client_encoding or standard_conforming_strings, so the server would misread the statements after it. Nothing of this file was applied.`,
    { hint: 'Save the file as UTF-8 and take the SET statement out.', details: { filename: script.filename } },
  );
}
