import { type RunnableText, readRunnable } from './runnable.ts';
import type { SqlPlace, SqlStatement } from './split.ts';
import type { TextRefusal } from './way-up.ts';

const MOST_LINES = 3;

/** Whether a statement only opens a transaction. */
function isTransactionBegin(statement: SqlStatement): boolean {
  return matches(statement, /^(BEGIN|START TRANSACTION)( |$)/);
}

/** Whether a statement commits a transaction without chaining another one. */
function isTransactionEnd(statement: SqlStatement): boolean {
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
  {
    pattern: /^ALTER TABLE .*DETACH PARTITION .{0,300}CONCURRENTLY$/,
    why: `cannot run in a transaction, and ${ONE_TRANSACTION}`,
    hint: OUTSIDE,
  },
];

/** A file that would run in one transaction. */
export interface ScriptText extends RunnableText {
  /** BEGIN and COMMIT around the whole file, which are left out of the statements. */
  readonly around: readonly [SqlStatement, SqlStatement] | undefined;
}

/** Why a file is not run, and the statement. */
export interface ScriptRefusal extends TextRefusal {
  readonly statement?: SqlStatement | undefined;
}

/** Reads what of a file runs, without a transaction of its own around all of it. */
export function readScript(text: string): ScriptText {
  const runnable = readRunnable(text);
  const { statements } = runnable;
  const [first, last] = [statements[0], statements.at(-1)];
  if (first === undefined || last === undefined || first === last || !isTransactionBegin(first) || !isTransactionEnd(last))
    return { ...runnable, around: undefined };
  return { ...runnable, statements: statements.slice(1, -1), around: [first, last] };
}

/** Why a file cannot run in the transaction of a push: the first such place of the file; of a plain dump, all of them. */
export function findRefusal(filename: string, script: ScriptText): ScriptRefusal | undefined {
  if (script.refusal !== undefined) return script.refusal;
  const obstacles = findObstacles(script);
  const [first] = obstacles;
  if (first === undefined) return undefined;
  if (script.isDump) return refuseDump(filename, first, obstacles);
  const { name, statement, refusal, line, column } = first;
  return { line, column, problem: `${name} ${refusal.why}`, hint: refusal.hint, statement };
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
function findObstacles(script: ScriptText): readonly Obstacle[] {
  const found: Obstacle[] = [];
  for (const statement of script.statements) {
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
export function describeDumpRestore(filename: string): string {
  return `Restore it with psql: \`psql "$(flux project credentials --field postgres.url)" -1 -f ${filename}\`; \`pg_dump --no-owner --no-acl -N auth -N flux\` leaves out roles that may be missing, and what every project has already.`;
}

function refuseDump(filename: string, first: Obstacle, obstacles: readonly Obstacle[]): ScriptRefusal {
  const lines = new Map<string, number[]>();
  for (const { name, line } of obstacles) lines.set(name, [...(lines.get(name) ?? []), line]);
  const names = [...lines].map(([name, all]) => {
    const more = all.length > MOST_LINES ? ` and ${all.length - MOST_LINES} more` : '';
    return `${name} (line${all.length === 1 ? '' : 's'} ${all.slice(0, MOST_LINES).join(', ')}${more})`;
  });
  return {
    line: first.line,
    column: first.column,
    problem: `this is a plain dump of pg_dump, and a push cannot run ${names.join(', ')}`,
    hint: `${describeDumpRestore(filename)} A dump with \`pg_dump --inserts\` can be pushed.`,
    statement: first.statement,
  };
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
