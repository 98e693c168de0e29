import { quoteIdentifier, quoteLiteral, splitQualifiedName, unquoteIdentifier } from '../sql/quote.ts';
import type { ChangedDefinition } from './changed-definitions.ts';
import { type Facts, parseFacts } from './facts.ts';
import { type Appended, splitAppended } from './objects/appended.ts';

/** One text of a definition that Postgres generated from an expression, a query or a statement. */
export interface Piece {
  readonly kind: string;
  /** Name of the object, as SQL text. */
  readonly name: string;
  /** Which fact of the definition it is; empty when it is the definition itself. */
  readonly fact: string;
  readonly expected: string;
  readonly found: string;
  /** All facts of the object; empty when the definition is one text. */
  readonly facts: Facts;
}

/** How an object can be created again. */
export interface Attempt {
  /** Runs first; its row is passed to `make`. Without a row the attempt is skipped. */
  readonly about?: string;
  make(facts: Readonly<Record<string, string | null>>): readonly string[];
  /** Returns one row with the new object's definition according to Postgres, as `definition`. */
  readonly read: string;
}

/** Facts that are texts of expressions or queries; all others are values, whose text a restore never changes. */
const EXPRESSIONS: Readonly<Record<string, readonly string[]>> = {
  view: ['query'],
  materialized_view: ['query'],
  table: ['partitioned by'],
  column: ['default'],
  index: ['definition'],
  policy: ['using', 'check'],
  domain: ['default', 'checks'],
  publication: ['tables'],
};
/** Kinds whose definition is one statement or clause, with what Flux appends to it. */
const STATEMENTS: Readonly<Record<string, Appended | undefined>> = {
  constraint: undefined,
  function: undefined,
  procedure: undefined,
  trigger: 'enabled',
  rule: 'enabled',
  statistics: 'target',
};

/** The pieces in which a definition differs; undefined when it differs in anything but the text of an expression. */
export function piecesOf({ kind, name, expected, found }: ChangedDefinition): readonly Piece[] | undefined {
  if (Object.hasOwn(STATEMENTS, kind)) {
    const [before, after] = [statementOf(kind, expected), statementOf(kind, found)];
    if (before.appended !== after.appended) return undefined;
    return [{ kind, name, fact: '', expected: before.statement, found: after.statement, facts: {} }];
  }
  const expressions = EXPRESSIONS[kind];
  if (expressions === undefined) return undefined;
  const [before, after] = [parseFacts(expected), parseFacts(found)];
  const pieces: Piece[] = [];
  for (const fact of new Set([...Object.keys(before), ...Object.keys(after)])) {
    if (JSON.stringify(before[fact]) === JSON.stringify(after[fact])) continue;
    // A column without a default, in a table whose parent has one, is dumped as DEFAULT NULL, and Postgres may store that with a cast.
    const wanted = kind === 'column' && fact === 'default' && before.generated === undefined ? (before[fact] ?? 'NULL') : before[fact];
    const texts = expressions.includes(fact) ? pairUp(fact, wanted, after[fact]) : undefined;
    if (texts === undefined) return undefined;
    pieces.push(...texts.map((text) => ({ kind, name, facts: before, ...text })));
  }
  return pieces;
}

function statementOf(kind: string, definition: string): { readonly statement: string; readonly appended: string } {
  const what = STATEMENTS[kind];
  return what === undefined ? { statement: definition, appended: '' } : splitAppended(what, definition);
}

/** A fact is one text, an object of texts by name, or the tables of a publication: name, row filter, columns. */
function pairUp(fact: string, before: unknown, after: unknown): Pick<Piece, 'fact' | 'expected' | 'found'>[] | undefined {
  if (typeof before === 'string' && typeof after === 'string') return [{ fact, expected: before, found: after }];
  if (Array.isArray(before) && Array.isArray(after)) {
    const filters = (tables: unknown[]) =>
      Object.fromEntries(tables.map((table) => [String((table as unknown[])[0]), (table as unknown[])[1]]));
    const others = (tables: unknown[]) => JSON.stringify(tables.map((table) => (table as unknown[]).with(1, null)));
    return others(before) === others(after) ? pairUp(fact, filters(before), filters(after)) : undefined;
  }
  if (typeof before !== 'object' || typeof after !== 'object' || before === null || after === null) return undefined;
  const [texts, others] = [before as Record<string, string>, after as Record<string, string>];
  const names = [...new Set([...Object.keys(texts), ...Object.keys(others)])].filter((name) => texts[name] !== others[name]);
  if (names.some((name) => typeof texts[name] !== 'string' || typeof others[name] !== 'string')) return undefined;
  return names.map((name) => ({ fact: `${fact}.${name}`, expected: texts[name] as string, found: others[name] as string }));
}

/**
 * Ways to create the object of a piece again, best first. They leave its name and its table's name as they are wherever
 * the text of the definition has them, by renaming what is there. An empty copy of the table comes before the table itself,
 * whose rows would be read; only a definition that names the row type of its table needs the table.
 *
 * @param scratch a temporary schema
 */
export function attemptsFor(piece: Piece, scratch: string): readonly Attempt[] {
  const { kind, fact, expected, name } = piece;
  const parts = splitQualifiedName(name);
  const [schema = '', first = '', last = ''] = parts;
  const relation = `${schema}.${first}`;
  const copy = `${scratch}.${first}`;
  switch (kind) {
    case 'view':
    case 'materialized_view':
      return [just([`CREATE VIEW ${copy} AS ${expected}`], `SELECT pg_get_viewdef(${regclass(copy)}) AS definition`)];
    case 'table':
      return [
        just(
          [`CREATE TABLE ${copy} (LIKE ${relation}) PARTITION BY ${expected}`],
          `SELECT pg_get_partkeydef(${regclass(copy)}) AS definition`,
        ),
      ];
    case 'column':
      return [
        just(
          [`CREATE TABLE ${copy} (LIKE ${relation})`, ...setDefault(copy, last, piece)],
          `SELECT pg_get_expr(d.adbin, d.adrelid) AS definition FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
           WHERE d.adrelid = ${regclass(copy)} AND a.attname = ${quoteLiteral(unquoteIdentifier(last))}`,
        ),
      ];
    case 'constraint':
      return [`CREATE TABLE ${copy} (LIKE ${relation})`, undefined].map((prepare) => {
        const table = prepare === undefined ? relation : copy;
        const add = `ALTER TABLE ${table} ADD CONSTRAINT ${scratch} ${expected}`;
        return just(
          prepare === undefined ? [add] : [prepare, add],
          `SELECT pg_get_constraintdef(oid) AS definition FROM pg_constraint WHERE conrelid = ${regclass(table)} AND conname = '${scratch}'`,
        );
      });
    case 'domain':
      return [domainAttempt(piece, copy)];
    case 'policy': {
      const clause = fact === 'using' ? 'USING' : 'WITH CHECK';
      const stored = fact === 'using' ? 'polqual' : 'polwithcheck';
      return [
        just(
          [`ALTER POLICY ${last} ON ${relation} ${clause} (${expected})`],
          `SELECT pg_get_expr(${stored}, polrelid) AS definition FROM pg_policy WHERE polrelid = ${regclass(relation)} AND quote_ident(polname) = ${quoteLiteral(last)}`,
        ),
      ];
    }
    case 'statistics':
      return [
        just(
          [`ALTER STATISTICS ${name} RENAME TO ${scratch}`, expected],
          `SELECT pg_get_statisticsobjdef(s.oid) AS definition FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace
           WHERE quote_ident(n.nspname) || '.' || quote_ident(s.stxname) = ${quoteLiteral(name)}`,
        ),
      ];
    case 'function':
    case 'procedure':
      return [
        just(
          [expected],
          `SELECT pg_get_functiondef(p.oid) AS definition FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.prokind <> 'a'
           AND quote_ident(n.nspname) || '.' || quote_ident(p.proname) || '(' || pg_get_function_identity_arguments(p.oid) || ')' = ${quoteLiteral(name)}`,
        ),
      ];
    case 'publication': {
      const table = fact.slice('tables.'.length);
      return [
        just(
          [`CREATE PUBLICATION ${scratch} FOR TABLE ${table} WHERE (${expected})`],
          `SELECT pg_get_expr(r.prqual, r.prrelid) AS definition FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid WHERE p.pubname = '${scratch}'`,
        ),
      ];
    }
    case 'index':
      return onTable({
        rename: `ALTER INDEX ${relation} RENAME TO ${scratch}`,
        isNamedInSchema: true,
        table: `SELECT indrelid AS oid FROM pg_index WHERE indexrelid = ${regclass(relation)}`,
        expected,
        read: `SELECT pg_get_indexdef(${regclass(relation)}) AS definition`,
        scratch,
      });
    case 'trigger':
    case 'rule': {
      const [catalog, owner, naming, told] =
        kind === 'trigger'
          ? ['pg_trigger', 'tgrelid', 'tgname', 'pg_get_triggerdef(oid)']
          : ['pg_rewrite', 'ev_class', 'rulename', 'pg_get_ruledef(oid)'];
      return onTable({
        rename: `ALTER ${kind.toUpperCase()} ${last} ON ${relation} RENAME TO ${scratch}`,
        isNamedInSchema: false,
        table: `SELECT ${regclass(relation)} AS oid`,
        expected,
        read: `SELECT ${told} AS definition FROM ${catalog} WHERE ${owner} = ${regclass(relation)} AND quote_ident(${naming}) = ${quoteLiteral(last)}`,
        scratch,
      });
    }
    default:
      return [];
  }
}

/** For objects on a table whose definition names it: on an empty copy with the table's name, then on the table itself. */
function onTable(about: {
  /** Renames the existing object to free its name. */
  readonly rename: string;
  /** Whether its name also conflicts on another table of the schema. */
  readonly isNamedInSchema: boolean;
  /** Query for its table. */
  readonly table: string;
  readonly expected: string;
  readonly read: string;
  readonly scratch: string;
}): readonly Attempt[] {
  const { rename, isNamedInSchema, expected, read, scratch } = about;
  return [
    {
      about: `SELECT t.oid::regclass::text AS name, quote_ident(n.nspname) || '.' || '${scratch}_table' AS renamed,
          CASE c.relkind WHEN 'p' THEN pg_get_partkeydef(c.oid) END AS key
        FROM (${about.table}) t JOIN pg_class c ON c.oid = t.oid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind <> 'v'`,
      make: ({ name, renamed, key }) => [
        ...(isNamedInSchema ? [rename] : []),
        `ALTER TABLE ${name} RENAME TO ${scratch}_table`,
        `CREATE TABLE ${name} (LIKE ${renamed})${key ? ` PARTITION BY ${key}` : ''}`,
        expected,
      ],
      read,
    },
    just([rename, expected], read),
  ];
}

function setDefault(copy: string, column: string, { expected, facts }: Piece): readonly string[] {
  if (facts.generated === undefined) return [`ALTER TABLE ${copy} ALTER COLUMN ${column} SET DEFAULT ${expected}`];
  const storage = facts.generated === 'v' ? 'VIRTUAL' : 'STORED';
  return [
    `ALTER TABLE ${copy} DROP COLUMN ${column}`,
    `ALTER TABLE ${copy} ADD COLUMN ${column} ${String(facts.type)} GENERATED ALWAYS AS (${expected}) ${storage}`,
  ];
}

function domainAttempt({ fact, expected, facts }: Piece, copy: string): Attempt {
  const create = `CREATE DOMAIN ${copy} AS ${String(facts.type)}${facts.collation === undefined ? '' : ` COLLATE ${String(facts.collation)}`}`;
  if (fact === 'default')
    return just(
      [`${create} DEFAULT ${expected}`],
      `SELECT pg_get_expr(typdefaultbin, 0) AS definition FROM pg_type WHERE oid = ${quoteLiteral(copy)}::regtype`,
    );
  const constraint = quoteIdentifier(fact.slice('checks.'.length));
  return just(
    [create, `ALTER DOMAIN ${copy} ADD CONSTRAINT ${constraint} ${expected}`],
    `SELECT pg_get_constraintdef(oid) AS definition FROM pg_constraint WHERE contypid = ${quoteLiteral(copy)}::regtype`,
  );
}

function just(make: readonly string[], read: string): Attempt {
  return { make: () => make, read };
}

function regclass(name: string): string {
  return `${quoteLiteral(name)}::regclass`;
}
