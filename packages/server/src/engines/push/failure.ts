import { FluxError } from '@flux/contract/errors';
import { describeDumpRestore } from '@flux/contract/sql/script';
import { offsetOfCharacter, placeAt, type SqlStatement } from '@flux/contract/sql/split';
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
const ENUM_VALUE_TOO_NEW = '55P04';
const NO_SUCH_OBJECT = '42704';
const NOT_ALLOWED = '42501';
/** Statements in which a name that does not exist may be that of a role. */
const NAMES_ROLES =
  /^(?:GRANT|REVOKE|ALTER DEFAULT PRIVILEGES|CREATE POLICY|ALTER POLICY|REASSIGN OWNED|DROP OWNED|SET (?:LOCAL |SESSION )?(?:ROLE|SESSION AUTHORIZATION)|(?:CREATE|ALTER|DROP) (?:ROLE|USER|GROUP|SCHEMA)) ?| OWNER TO/;

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
  const advice = adviceFor(script, statement, error);
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

function adviceFor(script: PreparedScript, statement: SqlStatement | undefined, error: ServerError): string {
  const advice = adviceOn(statement, error);
  return script.isDump ? `${advice} This is a plain dump of pg_dump. ${describeDumpRestore(script.filename)}` : advice;
}

function adviceOn(statement: SqlStatement | undefined, error: ServerError): string {
  const code = error.code ?? '';
  if (IN_TRANSACTION.has(code)) return 'Each file runs in one transaction; run this statement with psql.';
  if (code === LOCK_TIMEOUT) return 'Another session has a lock that it needs; end that session and push again.';
  if (code === ENUM_VALUE_TOO_NEW)
    return 'Postgres lets a new enum value be used only once the transaction that added it has ended, and each file is one transaction: move ALTER TYPE ... ADD VALUE into a file of its own before this one, and push again.';
  const words = statement?.words.join(' ') ?? '';
  if (code === NO_SUCH_OBJECT && NAMES_ROLES.test(words))
    return 'If it is a role: a project has its owner, whom CURRENT_USER names in any statement, and anon, authenticated and service_role. Name one of them, or leave the statement out.';
  if (code === NOT_ALLOWED && /^(?:CREATE|ALTER|DROP) (?:ROLE|USER|GROUP) /.test(words))
    return 'Roles belong to the whole server, so a push cannot change them: leave the statement out, and grant to anon, authenticated or service_role, which are there.';
  return 'Correct it and push again.';
}
