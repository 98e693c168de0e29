import { FluxError } from '@flux/contract/errors';
import type { SqlPlace, SqlScript, SqlStatement } from '@flux/contract/sql/split';

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
 * Refuses what cannot run in the transaction of a push; the error names the first such statement of the file.
 *
 * @throws FluxError `sql_not_allowed`
 */
export function ensureAllowed(filename: string, statements: readonly SqlStatement[], backslash: SqlScript['backslash']): void {
  for (const statement of statements) {
    // What follows COPY FROM STDIN is data and may contain anything, so the first problem in the file is reported.
    if (backslash !== undefined && backslash.start < statement.end) break;
    const refusal = REFUSALS.find(({ pattern }) => matches(statement, pattern));
    if (refusal === undefined) continue;
    throw refuseText(filename, statement, `${nameOf(statement)} ${refusal.why}`, refusal.hint, statement);
  }
  if (backslash === undefined) return;
  throw refuseText(
    filename,
    backslash,
    'a backslash starts a psql command, and only SQL can be sent to the server',
    `Take the line out of the file, or run the file with psql and the URI that \`flux project credentials\` prints.`,
  );
}

function nameOf(statement: SqlStatement): string {
  const [first = '', ...rest] = statement.words;
  if (first === 'COPY') return 'COPY ... FROM STDIN';
  const known = rest.findIndex((word) => !KEYWORDS.has(word));
  return [first, ...rest.slice(0, known < 0 ? rest.length : known)].join(' ');
}

const KEYWORDS = new Set(
  'TRANSACTION WORK DATABASE TABLESPACE SYSTEM UNIQUE INDEX CONCURRENTLY ALL SCHEMA TABLE TO SAVEPOINT PREPARED'.split(' '),
);

function matches(statement: SqlStatement, pattern: RegExp): boolean {
  return pattern.test(statement.words.join(' '));
}
