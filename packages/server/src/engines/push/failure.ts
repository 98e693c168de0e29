import { FluxError } from '@flux/contract/errors';
import { offsetOfCharacter, placeAt } from '@flux/contract/sql/split';
import type { serverErrorOf } from '../../postgres/connect.ts';
import { excerptOf } from './allowed.ts';
import type { PreparedScript, ScriptChunk } from './prepare.ts';
import { shorten } from './shorten.ts';

type ServerError = NonNullable<ReturnType<typeof serverErrorOf>>;

/** Where a failure happened: in a chunk that begins at an offset of the file, after so many statements. */
interface ChunkFailure {
  readonly chunk: ScriptChunk;
  readonly start: number;
  readonly done: number;
}

/** Source of the codes: the manual, appendix A. */
const IN_TRANSACTION = new Set(['25001', '2D000']);
const LOCK_TIMEOUT = '55P03';
const SESSION_ENDED = /^57P0/;

/**
 * Describes a failure of the server as one of the file: which statement, in which line, and what the server said.
 *
 * @param where the number of the statement, or what is known of the chunk that failed
 * @returns `sql_failed`; `sql_not_allowed` for what the server itself refuses in a transaction; `instance_unavailable` when
 *   the server ended the session
 */
export function sqlFailed(script: PreparedScript, where: number | ChunkFailure, error: ServerError, moment = ''): FluxError {
  if (SESSION_ENDED.test(error.code ?? ''))
    return new FluxError('instance_unavailable', `Postgres ended the session that ran ${script.filename}: ${shorten(error.message)}`, {
      hint: 'Nothing of this file was applied; push it again when the server answers (`flux list`).',
      cause: error,
    });
  const { index, offset } = typeof where === 'number' ? { index: where, offset: undefined } : locate(script, where, error);
  const statement = script.statements[index];
  const place = offset === undefined ? statement : placeAt(script.sql, offset);
  const isRefusal = IN_TRANSACTION.has(error.code ?? '');
  const problem = shorten(error.message);
  const advice = adviceFor(error);
  const details = {
    filename: script.filename,
    problem,
    advice,
    ...(statement && { statement: excerptOf(statement) }),
    ...(place && { line: place.line, column: place.column }),
    sqlState: error.code,
    position: offset === undefined ? undefined : characterAt(script.sql, offset),
    detail: shortened(error.detail),
    hint: shortened(error.hint),
    context: shortened(error.where),
  };
  const at = [`${script.filename}:${place?.line ?? 1}`, moment].filter(Boolean).join(' ');
  return new FluxError(isRefusal ? 'sql_not_allowed' : 'sql_failed', `${at}: ${problem}`, {
    hint: `Nothing of ${script.filename} was applied. ${advice}`,
    details: Object.fromEntries(Object.entries(details).filter(([, value]) => value !== undefined)),
    cause: error,
  });
}

function shortened(text: string | undefined): string | undefined {
  return text === undefined ? undefined : shorten(text);
}

/** The text of a chunk is parsed as a whole before anything of it runs; only then may the position lie in a later statement. */
function locate(script: PreparedScript, failure: ChunkFailure, error: ServerError): { index: number; offset: number | undefined } {
  const last = failure.chunk.first + failure.chunk.count - 1;
  const index = Math.min(failure.chunk.first + failure.done, last);
  if (error.position === undefined) return { index, offset: undefined };
  const offset = failure.start + offsetOfCharacter(script.sql.slice(failure.start), Number(error.position));
  const found = script.statements.findIndex((statement) => statement.end >= offset);
  const byPosition = found < 0 || found > last ? last : found;
  if (byPosition === index || failure.done === 0) return { index: byPosition, offset };
  return { index, offset: undefined };
}

/** Number of the character at an offset, counted from 1 as Postgres does; a byte order mark is not a character of the text. */
function characterAt(sql: string, offset: number): number {
  let characters = 1;
  for (const _ of sql.slice(sql.startsWith('\uFEFF') ? 1 : 0, offset)) characters++;
  return characters;
}

function adviceFor(error: ServerError): string {
  if (IN_TRANSACTION.has(error.code ?? '')) return 'Each file runs in one transaction; run this statement with psql.';
  if (error.code === LOCK_TIMEOUT) return 'Another session has a lock that it needs; end that session and push again.';
  return 'Correct it and push again.';
}
