import type { PostgresSession } from '../../connect.ts';
import type { LeftOut } from '../../manifest.ts';
import { databaseWideQueries } from '../objects/database-wide.ts';
import { rightsQueries } from '../objects/rights.ts';
import { isDumpable, qualified, type Scope, scopeParameter } from '../scope.ts';
import type { Matched } from './match.ts';

const leftOut = (kind: string, name: string, reason: string): LeftOut => ({ kind, name, reason });

/** Something that a restore makes although its schema is not backed up. */
export interface MadeOutside {
  readonly schema: string | null;
  readonly name: string;
}

/** Names what a scope leaves out of the backups: schemas, rows, and what belongs to no schema when schemas are chosen. */
export async function readUnselected(
  session: PostgresSession,
  scope: Scope,
  { withoutRows }: Matched,
  made: readonly MadeOutside[],
): Promise<LeftOut[]> {
  const { selection } = scope;
  if (selection === undefined) return [];
  const isChosen = selection.wanted.schemas.length > 0;
  const parameter = scopeParameter(scope);
  const others = await session.query<{ name: string; plain: string }>(
    `SELECT quote_ident(n.nspname) AS name, n.nspname AS plain FROM pg_namespace n WHERE ${isDumpable('n')} AND n.nspname <> ALL ($1::text[]) ORDER BY 1`,
    [parameter],
  );
  const partitions = await session.query<{ name: string; parent: string; schema: string }>(PARTITIONS_OUTSIDE, [parameter]);
  const views = await session.query<{ name: string; table: string }>(VIEWS_OF_TABLES, [parameter, selection.withoutRows]);
  return [
    ...others.map(({ name, plain }) => {
      const needed = made.filter(({ schema }) => schema === plain).map((one) => one.name);
      const besides = needed.length === 0 ? '' : ` A restore makes what the rest needs of it: ${needed.join(', ')}.`;
      return leftOut(
        'schema',
        name,
        `The schema ${name} is ${isChosen ? 'not among those that' : 'excluded by'} the project's settings${isChosen ? ' choose' : ''}.${besides}`,
      );
    }),
    ...withoutRows
      .filter(({ schema, partitions: parts }) =>
        [schema, ...parts.map((part) => part.schema)].some((name) => selection.schemas.includes(name)),
      )
      .map(({ name, partitions: parts }) =>
        leftOut(
          'rows',
          name,
          `The rows of ${name}${parts.length === 0 ? '' : `, with its ${parts.length} partitions,`} are excluded by the project's settings.`,
        ),
      ),
    ...partitions.map(({ name, parent, schema }) =>
      leftOut(
        'rows',
        name,
        `It is a partition of ${parent}, and its schema ${schema} is not backed up: ${parent} comes back without its rows.`,
      ),
    ),
    ...views.map(({ name, table }) =>
      leftOut('materialized_view', name, `A restore computes it anew, without the rows of ${table}, which are excluded.`),
    ),
    ...(selection.databaseWide && !selection.publications ? await readPublications(session) : []),
    ...(selection.databaseWide ? [] : await readDatabaseWide(session, selection.extensions ?? [])),
  ];
}

/** Partitions outside of the scope of tables inside. */
const PARTITIONS_OUTSIDE = `SELECT ${qualified('n.nspname', 'c.relname')} AS name, ${qualified('pn.nspname', 'p.relname')} AS parent, n.nspname AS schema
  FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_class p ON p.oid = i.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace
  WHERE c.relispartition AND c.relkind IN ('r', 'p') AND pn.nspname = ANY ($1::text[]) AND n.nspname <> ALL ($1::text[]) ORDER BY 1`;

/** Materialized views that read a table without rows, directly or through others. */
const VIEWS_OF_TABLES = `SELECT ${qualified('n.nspname', 'c.relname')} AS name, min(${qualified('tn.nspname', 't.relname')}) AS table
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN LATERAL (
    WITH RECURSIVE reach(oid) AS (
      SELECT c.oid UNION
      SELECT x.oid FROM reach r CROSS JOIN LATERAL (
        SELECT d.refobjid AS oid FROM pg_rewrite w JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
          WHERE w.ev_class = r.oid AND d.refclassid = 'pg_class'::regclass
        UNION ALL SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = r.oid) x
    ) SELECT oid FROM reach) reached
  JOIN pg_class t ON t.oid = reached.oid JOIN pg_namespace tn ON tn.oid = t.relnamespace
  WHERE c.relkind = 'm' AND n.nspname = ANY ($1::text[]) AND ${qualified('tn.nspname', 't.relname')} = ANY ($2::text[]) GROUP BY 1 ORDER BY 1`;

async function readPublications(session: PostgresSession): Promise<LeftOut[]> {
  const rows = await session.query<{ name: string }>('SELECT quote_ident(pubname) AS name FROM pg_publication ORDER BY 1');
  return rows.map(({ name }) =>
    leftOut('publication', name, 'A publication of the database names what is not backed up, so all of them are left out.'),
  );
}

const OF_NO_SCHEMA = "It belongs to no schema, and the project's settings choose schemas (--schema).";

/** What belongs to no schema; an extension only when it does not come with the chosen schemas. */
async function readDatabaseWide(session: PostgresSession, extensions: readonly string[]): Promise<LeftOut[]> {
  const [server] = await session.query<{ major: number }>(`SELECT current_setting('server_version_num')::int / 10000 AS major`);
  const major = server?.major ?? 0;
  const queries = [
    ...databaseWideQueries(major).filter(({ only }) => only === 'database-wide'),
    ...rightsQueries(major).filter(({ about }) => about === 'default privileges'),
  ];
  const found: LeftOut[] = [];
  for (const { sql } of queries) {
    const rows = await session.query<{ kind: string; name: string | null }>(sql, sql.includes('$2') ? [[''], []] : [['']]);
    for (const { kind, name } of rows) if (name !== null) found.push(leftOut(kind, name, OF_NO_SCHEMA));
  }
  const rest = await session.query<{ kind: string; name: string }>(
    `SELECT 'extension' AS kind, quote_ident(e.extname) AS name FROM pg_extension e WHERE e.extname <> ALL ($1::text[])
     UNION ALL SELECT 'subscription', quote_ident(s.subname) FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid WHERE d.datname = current_database()
     UNION ALL SELECT 'large_object', 'large objects' WHERE EXISTS (SELECT FROM pg_largeobject_metadata) ORDER BY 1, 2`,
    [extensions],
  );
  const ofExtension = "Nothing in the schemas that the project's settings choose needs it.";
  return [...found, ...rest.map(({ kind, name }) => leftOut(kind, name, kind === 'extension' ? ofExtension : OF_NO_SCHEMA))];
}
