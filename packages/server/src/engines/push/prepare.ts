import { findRefusal, readScript } from '@flux/contract/sql/script';
import { placeAt, type SqlStatement } from '@flux/contract/sql/split';
import { refuseText } from './allowed.ts';

/** A half of a surrogate pair without its other half. */
const HALF_PAIR = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

/** A file that may run in one transaction, split into statements and into the chunks that are sent. */
export interface PreparedScript {
  readonly filename: string;
  /** The text that runs: what is left out of the file is blank, so that offsets and lines are those of the file. */
  readonly sql: string;
  readonly statements: readonly SqlStatement[];
  readonly chunks: readonly ScriptChunk[];
  readonly warnings: readonly string[];
  /** Whether pg_dump wrote it. */
  readonly isDump: boolean;
}

/** Neighbouring statements that are sent to the server as one text. */
export interface ScriptChunk {
  /** Number of the first statement, counted from 0, and number of statements. */
  readonly first: number;
  readonly count: number;
}

/**
 * How much goes to the server at once. A whole file would be fastest, but the server keeps the parse trees of all statements
 * of one message in memory, many times the size of their text.
 */
const CHUNK = { characters: 1 << 20, statements: 5000 };

/**
 * Splits a file and refuses what cannot run inside one transaction, before anything runs.
 *
 * @throws FluxError `sql_not_allowed` with `details: {statement, line, column}`
 */
export function prepareScript(sql: string, filename: string): PreparedScript {
  // Half of a character would be sent as another one.
  const half = HALF_PAIR.exec(sql)?.index ?? -1;
  if (half >= 0) throw refuseText(filename, placeAt(sql, half), 'the file contains half of a character', 'Save the file as UTF-8 text.');
  const nul = sql.indexOf('\0');
  if (nul >= 0) throw refuseText(filename, placeAt(sql, nul), 'the file contains a NUL character', 'Save the file as UTF-8 text.');
  const script = readScript(sql);
  const refusal = findRefusal(filename, script);
  if (refusal !== undefined) throw refuseText(filename, refusal, refusal.problem, refusal.hint, refusal.statement);
  const { statements, isDump } = script;
  const warnings: string[] = [];
  if (script.around !== undefined) {
    const [first, last] = script.around;
    warnings.push(
      `${filename}: ${first.words.join(' ')} in line ${first.line} and ${last.words.join(' ')} in line ${last.line} were left out; each file is one transaction anyway.`,
    );
  }
  if (script.ownersLeftOut > 0)
    warnings.push(
      `${filename}: ${script.ownersLeftOut} ALTER ... OWNER TO of this dump were left out; what a push creates belongs to the owner of the project.`,
    );
  return { filename, sql: script.sql, statements, chunks: chunksOf(statements), warnings, isDump };
}

/** The script with a text in which more is blank; a statement of which nothing is left is none. */
export function blankedScript(script: PreparedScript, sql: string): PreparedScript {
  const statements = script.statements.filter(({ start, end }) => sql.slice(start, end).trim() !== '');
  return { ...script, sql, statements, chunks: chunksOf(statements) };
}

function chunksOf(statements: readonly SqlStatement[]): ScriptChunk[] {
  const chunks: ScriptChunk[] = [];
  let first = 0;
  for (let index = 0; index < statements.length; index++) {
    const start = statements[first]?.start ?? 0;
    const nextEnd = statements[index + 1]?.end;
    if (nextEnd !== undefined && nextEnd - start <= CHUNK.characters && index + 1 - first < CHUNK.statements) continue;
    chunks.push({ first, count: index + 1 - first });
    first = index + 1;
  }
  return chunks;
}
