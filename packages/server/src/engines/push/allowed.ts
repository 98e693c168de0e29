import { FluxError } from '@flux/contract/errors';
import type { RunnableText } from '@flux/contract/sql/runnable';
import type { SqlPlace, SqlStatement } from '@flux/contract/sql/split';

/** The first 500 characters of a statement: enough to recognise it, short enough for a terminal. */
export function excerptOf(statement: SqlStatement): string {
  return [...statement.text.slice(0, 1000)].slice(0, 500).join('');
}

/** The error for text that is not sent to the server. */
export function refuseText(filename: string, place: SqlPlace, problem: string, hint: string, statement?: SqlStatement): FluxError {
  return new FluxError('sql_not_allowed', `${filename}:${place.line}: ${problem}. Nothing of this file was applied.`, {
    hint,
    details: {
      filename,
      problem,
      advice: hint,
      line: place.line,
      column: place.column,
      ...(statement && { statement: excerptOf(statement) }),
    },
  });
}

/** Whether a statement only opens a transaction. */
export function isTransactionBegin(statement: SqlStatement): boolean {
  return matches(statement, /^(BEGIN|START TRANSACTION)( |$)/);
}

/** Whether a statement commits a transaction without chaining another one. */
export function isTransactionEnd(statement: SqlStatement): boolean {
  return matches(statement, /^(COMMIT|END)( WORK| TRANSACTION)?( AND NO CHAIN)?$/);
}

interface Refusal {
  readonly pattern: RegExp;
  readonly why: string;
  readonly hint: string;
}

const ONE_TRANSACTION = 'each file runs in one transaction together with its row in the ledger';
const OUTSIDE = 'Run it with psql and the URI that `flux project credentials` prints.';

const REFUSALS: readonly Refusal[] = [
  {
    pattern: /^(BEGIN|START TRANSACTION|COMMIT|END|ROLLBACK|ABORT|SAVEPOINT|RELEASE|PREPARE TRANSACTION)( |$)/,
    why: `controls a transaction, and ${ONE_TRANSACTION}`,
    hint: 'Take it out of the file; split the file where a transaction must end.',
  },
  {
    pattern: /^COPY (.* )?FROM STDIN( |$)/,
    why: 'reads data from a terminal, and only SQL is sent to the server',
    hint: `Turn the data into INSERT statements (\`pg_dump --inserts\` does), or load it with psql and the URI that \`flux project credentials\` prints.`,
  },
  {
    pattern: /^(CREATE|DROP) (DATABASE|TABLESPACE)( |$)|^ALTER SYSTEM( |$)/,
    why: 'affects the whole server, not only this project',
    hint: 'Take it out of the file; Flux creates the database of a project.',
  },
  { pattern: /^VACUUM( |$)|^CLUSTER$|^DISCARD ALL$/, why: `cannot run in a transaction, and ${ONE_TRANSACTION}`, hint: OUTSIDE },
  {
    pattern: /^(CREATE (UNIQUE )?|DROP )INDEX CONCURRENTLY( |$)/,
    why: `cannot run in a transaction, and ${ONE_TRANSACTION}`,
    hint: `Leave out CONCURRENTLY, which blocks writes while the index is built. Or: ${OUTSIDE}`,
  },
  {
    pattern: /^REINDEX (INDEX |TABLE |SCHEMA |DATABASE |SYSTEM )?CONCURRENTLY( |$)|^REINDEX (SCHEMA|DATABASE|SYSTEM)( |$)/,
    why: `cannot run in a transaction, and ${ONE_TRANSACTION}`,
    hint: OUTSIDE,
  },
  { pattern: /^ALTER TABLE .*DETACH PARTITION .*CONCURRENTLY$/, why: `cannot run in a transaction, and ${ONE_TRANSACTION}`, hint: OUTSIDE },
];

/**
 * Refuses what cannot run in the transaction of a push. The error names the first such place of the file; of a plain dump, all of them.
 *
 * @throws FluxError `sql_not_allowed`
 */
export function ensureAllowed(filename: string, script: RunnableText, statements: readonly SqlStatement[]): void {
  if (script.refusal !== undefined) throw refuseText(filename, script.refusal, script.refusal.problem, script.refusal.hint);
  const obstacles = findObstacles(script, statements);
  const [first] = obstacles;
  if (first === undefined) return;
  if (script.isDump) throw refuseDump(filename, obstacles);
  const { name, statement, refusal } = first;
  throw refuseText(filename, first, `${name} ${refusal.why}`, refusal.hint, statement);
}

interface Obstacle extends SqlPlace {
  readonly start: number;
  readonly name: string;
  readonly refusal: Omit<Refusal, 'pattern'>;
  readonly statement?: SqlStatement;
}

const PSQL: Omit<Refusal, 'pattern'> = {
  why: 'starts a psql command, and only SQL can be sent to the server',
  hint: 'Take the line out of the file, or run the file with psql and the URI that `flux project credentials` prints.',
};

/** In the order of the file. */
function findObstacles(script: RunnableText, statements: readonly SqlStatement[]): readonly Obstacle[] {
  const found: Obstacle[] = [];
  for (const statement of statements) {
    const refusal = REFUSALS.find(({ pattern }) => matches(statement, pattern)) ?? readingRefusal(statement);
    if (refusal !== undefined) found.push({ ...placeOf(statement), name: nameOf(statement), refusal, statement });
  }
  for (const line of script.psqlLines) found.push({ ...placeOf(line), name: line.command, refusal: PSQL });
  if (script.backslash !== undefined) found.push({ ...script.backslash, name: 'a backslash', refusal: PSQL });
  return found.sort((a, b) => a.start - b.start);
}

function placeOf({ start, line, column }: SqlPlace & { readonly start: number }) {
  return { start, line, column };
}

/** The server parses a file before any of it runs, so the strings would be read by the other rule than the file was written for. */
function readingRefusal({ text, words }: SqlStatement): Omit<Refusal, 'pattern'> | undefined {
  const [first, second, third] = words;
  const name = second === 'LOCAL' || second === 'SESSION' ? third : second;
  const isOff =
    first === 'SET' && name === 'STANDARD_CONFORMING_STRINGS'
      ? !/(?:=|\bTO\b)\s*'?(?:on|true|yes|1|default)'?$/i.test(text)
      : first === 'SELECT' && /set_config\s*\(\s*'standard_conforming_strings'\s*,\s*'(?:off|false|no|0)'/i.test(text.slice(0, 1000));
  if (!isOff) return undefined;
  return {
    why: 'turns standard_conforming_strings off: a backslash would then escape in every string of the file, but Postgres has read the whole file by the usual rule before that line runs',
    hint: "Take the line out, and write the strings that need a backslash as E'...'; or run the file with psql and the URI that `flux project credentials` prints.",
  };
}

/** How a plain dump is restored instead. */
export const RESTORE_DUMP =
  'Restore it with psql: `psql "$(flux project credentials --field postgres.url)" -1 -f <file>`; `pg_dump --no-owner --no-acl` names no roles that may be missing.';

function refuseDump(filename: string, obstacles: readonly Obstacle[]): FluxError {
  const lines = Map.groupBy(obstacles, ({ name }) => name);
  const names = [...lines].map(([name, places]) => {
    const shown = places.slice(0, 3).map(({ line }) => line);
    const more = places.length > shown.length ? ` and ${places.length - shown.length} more` : '';
    return `${name} (line${places.length === 1 ? '' : 's'} ${shown.join(', ')}${more})`;
  });
  const [first] = obstacles as [Obstacle];
  return refuseText(
    filename,
    first,
    `this is a plain dump of pg_dump, and a push cannot run ${names.join(', ')}`,
    `${RESTORE_DUMP.replace('<file>', filename)} A dump with \`pg_dump --inserts\` can be pushed.`,
    first.statement,
  );
}

function nameOf(statement: SqlStatement): string {
  const [first = '', ...rest] = statement.words;
  if (first === 'COPY') return 'COPY ... FROM STDIN';
  if (first === 'SET' || first === 'SELECT') return 'this statement';
  const known = rest.findIndex((word) => !KEYWORDS.has(word));
  return [first, ...rest.slice(0, known < 0 ? rest.length : known)].join(' ');
}

const KEYWORDS = new Set(
  'TRANSACTION WORK DATABASE TABLESPACE SYSTEM UNIQUE INDEX CONCURRENTLY ALL SCHEMA TABLE TO SAVEPOINT PREPARED'.split(' '),
);

function matches(statement: SqlStatement, pattern: RegExp): boolean {
  return pattern.test(statement.words.join(' '));
}
