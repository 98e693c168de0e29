import type { BackupScope } from '@flux/contract/backup-scope';
import { displaySafe } from '@flux/contract/display';
import { FluxError } from '@flux/contract/errors';
import { nearestWord } from '../../../system/nearest-word.ts';
import { type PostgresSession, sqlStateOf } from '../../connect.ts';
import { isDumpable, qualified } from '../scope.ts';
import { patternOf, patternParts } from './pattern.ts';

/** What the patterns of a scope match. */
export interface Matched {
  readonly schemas: readonly string[];
  readonly otherSchemas: readonly string[];
  /** Tables of any schema, as SQL, and the partitions of each. */
  readonly withoutRows: readonly MatchedTable[];
}

/** A table, or one of its partitions. */
interface TableName {
  readonly name: string;
  readonly schema: string;
}

/** A table that a pattern matches. */
export interface MatchedTable extends TableName {
  /** Those with rows of their own. */
  readonly partitions: readonly TableName[];
}

/** Whether a pattern that matches nothing is an error. Later, a schema that is left out may have been dropped. */
export type Strictness = 'every pattern' | 'chosen schemas';

/** Source: the manual, appendix A, `invalid_regular_expression`. */
const NOT_A_PATTERN = '2201B';
const MAX_NEAREST = 3;

/**
 * Finds the schemas and tables that patterns match.
 *
 * @throws FluxError `invalid_request` for a pattern that matches nothing, with names like it, or when no schema is left
 */
export async function matchScope(session: PostgresSession, wanted: BackupScope, strict: Strictness): Promise<Matched> {
  const rows = await session.query<{ name: string }>(`SELECT n.nspname AS name FROM pg_namespace n WHERE ${isDumpable('n')} ORDER BY 1`);
  const all = rows.map(({ name }) => name);
  const chosen = wanted.schemas.length === 0 ? all : await matchSchemas(session, '--schema', wanted.schemas, all, true);
  const excluded = await matchSchemas(session, '--exclude-schema', wanted.excludeSchemas, all, strict === 'every pattern');
  const schemas = all.filter((name) => chosen.includes(name) && !excluded.includes(name));
  if (schemas.length === 0)
    throw new FluxError('invalid_request', 'No schema is left to be backed up.', {
      hint: `The database has ${displaySafe(all.slice(0, 20).map(patternOf).join(', ')) || 'none'}.`,
    });
  const otherSchemas = all.filter((name) => !schemas.includes(name));
  return { schemas, otherSchemas, withoutRows: await matchTables(session, wanted.excludeTableData, strict) };
}

async function matchSchemas(
  session: PostgresSession,
  option: string,
  patterns: readonly string[],
  all: readonly string[],
  isStrict: boolean,
): Promise<readonly string[]> {
  const found = new Set<string>();
  for (const pattern of patterns) {
    const parts = patternParts(pattern);
    if (parts.length !== 1)
      throw new FluxError('invalid_request', `${option} ${pattern} is not the name of a schema.`, {
        hint: 'A name with a dot in it is written between double quotes.',
      });
    const rows = await orNoPattern(
      pattern,
      session.query<{ name: string }>(
        `SELECT n.nspname AS name FROM pg_namespace n WHERE ${isDumpable('n')} AND n.nspname::text ~ $1::text COLLATE pg_catalog."default"`,
        [parts[0]],
      ),
    );
    if (rows.length === 0 && isStrict) throw matchesNothing(option, pattern, 'schema', all.map(patternOf));
    for (const { name } of rows) found.add(name);
  }
  return [...found];
}

async function matchTables(session: PostgresSession, patterns: readonly string[], strict: Strictness): Promise<readonly MatchedTable[]> {
  const found = new Map<string, MatchedTable>();
  for (const pattern of patterns) {
    const parts = patternParts(pattern);
    if (parts.length !== 2)
      throw new FluxError('invalid_request', `--exclude-table-data ${pattern} does not name a schema and a table.`, {
        hint: `Write schema.table, or *.table for every schema: for example public.${pattern}.`,
      });
    const rows = await orNoPattern(
      pattern,
      session.query<MatchedTable & object>(
        `SELECT ${NAME} AS name, n.nspname AS schema, ${PARTITIONS} AS partitions ${FROM_TABLES} ${LIKE}`,
        parts,
      ),
    );
    if (rows.length === 0 && strict === 'every pattern') {
      const tables = await session.query<{ name: string }>(`SELECT ${NAME} AS name ${FROM_TABLES} ORDER BY 1`);
      throw matchesNothing(
        '--exclude-table-data',
        pattern,
        'table',
        tables.map(({ name }) => name),
      );
    }
    for (const row of rows) found.set(row.name, row);
  }
  return [...found.values()];
}

/** The rows of a partitioned table are in its partitions, wherever these are. */
const PARTITIONS = `coalesce((
    WITH RECURSIVE tree(oid) AS (SELECT c.oid UNION ALL SELECT i.inhrelid FROM tree JOIN pg_inherits i ON i.inhparent = tree.oid JOIN pg_class p ON p.oid = i.inhrelid AND p.relispartition)
    SELECT json_agg(json_build_object('name', ${qualified('pn.nspname', 'pc.relname')}, 'schema', pn.nspname) ORDER BY pc.oid)
    FROM tree JOIN pg_class pc ON pc.oid = tree.oid JOIN pg_namespace pn ON pn.oid = pc.relnamespace WHERE c.relkind = 'p' AND pc.relkind = 'r'), '[]')`;
const FROM_TABLES = `FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND ${isDumpable('n')}`;
const NAME = qualified('n.nspname', 'c.relname');
const LIKE = `AND n.nspname::text ~ $1::text COLLATE pg_catalog."default" AND c.relname::text ~ $2::text COLLATE pg_catalog."default" ORDER BY 1`;

function matchesNothing(option: string, pattern: string, what: string, all: readonly string[]): FluxError {
  const near = nearest(pattern, all);
  return new FluxError('invalid_request', `${option} ${pattern} matches no ${what} of the database.`, {
    hint:
      near.length === 0
        ? `It has no ${what} at all.`
        : `The nearest ${near.length === 1 ? 'name is' : 'names are'} ${displaySafe(near.join(', '))}.`,
    details: { pattern },
  });
}

function nearest(pattern: string, all: readonly string[]): readonly string[] {
  const left = [...all];
  const near: string[] = [];
  while (left.length > 0 && near.length < MAX_NEAREST) {
    const next = nearestWord(pattern, left);
    near.push(next);
    left.splice(left.indexOf(next), 1);
  }
  return near;
}

/** What Postgres refuses as a regular expression is an error of the pattern. */
async function orNoPattern<T>(pattern: string, matching: Promise<T>): Promise<T> {
  return await matching.catch((error: unknown) => {
    if (sqlStateOf(error) !== NOT_A_PATTERN) throw error;
    throw new FluxError('invalid_request', `${pattern} is not a pattern.`, {
      hint: 'Use * and ?, and write other signs between double quotes.',
      cause: error,
    });
  });
}
