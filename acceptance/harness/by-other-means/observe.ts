import { join } from 'node:path';
import { findClient } from '../postgres.ts';
import { runWell } from '../process.ts';
import { dumpDefinitions, type KeptDefinitions, keepDefinitions } from './definitions.ts';
import { QUESTIONS, SEQUENCES, TABLES } from './questions.ts';

/** A database, or one schema of it, that is observed. */
export interface Place {
  /** URI of a role that sees everything: a superuser. */
  readonly uri: string;
  /** Only this schema, as a tenant has one. */
  readonly schema?: string;
  /** Names that differ by design between two places (a project's roles, a tenant's schema), and what both are called in findings. */
  readonly renames?: readonly (readonly [name: string, as: string])[];
  /** Schemas of which nothing is observed. */
  readonly without?: readonly string[];
}

/** What is in a place at one moment: aspect, name, value. Two are compared by `compare.ts`. */
export interface Observation {
  readonly facts: ReadonlyMap<string, ReadonlyMap<string, string>>;
  /** `pg_dump -s` as a file, from which the same definitions can be made again. */
  readonly kept: KeptDefinitions;
  readonly place: Place;
}

/**
 * Settings of our own sessions, which win over those of the database and the role: the same text for the same data everywhere.
 * `lc_monetary` and `row_security` are for superusers and everyone alike.
 */
const SETTINGS: Readonly<Record<string, string>> = {
  search_path: 'pg_catalog',
  quote_all_identifiers: 'off',
  default_transaction_read_only: 'off',
  default_transaction_isolation: 'read committed',
  statement_timeout: '0',
  lock_timeout: '0',
  datestyle: 'ISO, YMD',
  intervalstyle: 'postgres',
  extra_float_digits: '3',
  bytea_output: 'hex',
  xmloption: 'content',
  timezone: 'UTC',
  row_security: 'off',
};
/** libpq splits at blanks unless they are escaped. */
const PGOPTIONS = Object.entries(SETTINGS)
  .map(([name, value]) => `-c ${name}=${value.replaceAll(' ', '\\ ')}`)
  .join(' ');

/** Environment of every program that looks at a place. */
export const LOOK_ENV = { PGOPTIONS };

/** Observes a place: rows, sequences, definitions, and all that `questions.ts` asks. The place is only read. */
export async function observe(place: Place): Promise<Observation> {
  const facts = new Map<string, Map<string, string>>();
  const add = (aspect: string, name: string, value: string | null) => {
    const of = facts.get(aspect) ?? new Map<string, string>();
    facts.set(aspect, of);
    const key = rename(place, name);
    const before = of.get(key);
    of.set(key, [...(before === undefined ? [] : before.split('\n')), rename(place, value ?? 'none')].sort().join('\n'));
  };
  const asked = QUESTIONS.filter((question) => place.schema === undefined || question.ofDatabase !== true);
  const answers = await ask(
    place,
    asked.map(({ aspect, sql }) => `select json_build_array('${aspect}', q.name, q.value) from (${sql}) q(name, value)`),
  );
  for (const [aspect = '', name = '', value = null] of answers as [string, string, string | null][]) add(aspect, name, value);
  for (const [aspect, name, value] of await readContents(place)) add(aspect, name, value);
  const definitions = await dumpDefinitions(place);
  for (const [name, text] of definitions) add('definition', name, text);
  return { facts, place, kept: await keepDefinitions(place) };
}

/** The md5 of the ordered rows of every table, and what each sequence would give next. */
async function readContents(place: Place): Promise<[string, string, string][]> {
  const tables = (await ask(place, [TABLES])) as { name: string; only: string; columns: [string, boolean][] }[];
  const sequences = (await ask(place, [`select to_json(q.name) from (${SEQUENCES}) q(name)`])) as string[];
  const literal = (text: string) => `'${text.replaceAll("'", "''")}'`;
  // Names of objects in rows follow their schema to its new name, as regclass does; texts that look like them do not.
  // The schema alone is a name as well, which renames know by the dot behind it.
  const renamed = (text: string) =>
    (place.renames ?? []).reduce((sql, [name, as]) => `replace(${sql}, ${literal(name)}, ${literal(as)})`, `${text}::text || '.'`);
  const rows = tables.map(({ name, only, columns }) => {
    const row = columns.map(([column, isName]) => (isName ? renamed(`t.${column}`) : `t.${column}`)).join(', ');
    return `select json_build_array('rows', ${literal(name)}, count(*) || ' rows ' || coalesce(md5(string_agg(q.h, '' order by q.h collate "C")), 'none'))
      from (select md5(row(${row})::text) as h from ${only}${name} t) q`;
  });
  const next = sequences.map(
    (name) =>
      `select json_build_array('sequence', ${literal(name)}, last_value || case when is_called then ' is called' else '' end) from ${name}`,
  );
  // Postgres plans a query with the functions of a table's indexes, and those may need the schema where they are.
  const path = `set search_path = pg_catalog, "${place.schema ?? 'public'}"`;
  return (await ask(place, [path, ...rows, ...next])) as [string, string, string][];
}

/** Bytes that are invalid in UTF-8 cannot be sent as text. */
const AS_IT_IS = `select current_setting('server_encoding') = 'SQL_ASCII' as has_none \\gset
\\if :has_none
set client_encoding = 'SQL_ASCII';
\\endif
`;

/** Runs queries that each give JSON in one column. */
async function ask(place: Place, queries: readonly string[]): Promise<unknown[]> {
  const out = await runWell(join(findClient(), 'psql'), ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-d', place.uri, '-f', '-'], {
    input: AS_IT_IS + queries.map((sql) => `${fillIn(place, sql)};\n`).join(''),
    env: { ...LOOK_ENV, PGCLIENTENCODING: 'UTF8' },
  });
  return out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown);
}

/** A question about this place. */
function fillIn(place: Place, sql: string): string {
  return sql
    .replaceAll('$schemas', schemasOf(place))
    .replaceAll('$roles', rolesOf(place))
    .replaceAll('$whole', String(place.schema === undefined));
}

function schemasOf({ schema, without = [] }: Place): string {
  if (schema !== undefined) return `n.nspname = '${schema}'`;
  const names = ['information_schema', ...without].map((name) => `'${name}'`).join(', ');
  return `n.nspname !~ '^pg_' and n.nspname not in (${names})`;
}

/** Whose default rights without a schema count: in one schema, those of its owner. */
function rolesOf({ schema }: Place): string {
  return schema === undefined ? 'true' : `d.defaclrole = (select nspowner from pg_namespace where nspname = '${schema}')`;
}

/** A text of a place in the words that both places share. */
export function rename({ renames = [] }: Place, text: string): string {
  return renames.reduce((renamed, [name, as]) => renamed.replaceAll(name, as), text);
}
