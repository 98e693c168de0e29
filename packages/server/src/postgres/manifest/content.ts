import type { PostgresSession } from '../connect.ts';
import { estimatedTableBytes } from '../estimated-size.ts';
import type { TableContent } from '../manifest.ts';
import type { ExportedSnapshot } from '../snapshot.ts';
import { quoteIdentifier } from '../sql/quote.ts';
import { digestCopy } from './digest-copy.ts';
import { type DigestColumn, rowHash } from './digest-expression.ts';
import { hasExtension, inScope, type Scope, scopeParameter } from './scope.ts';
import { shareOut } from './share-out.ts';

/** Progress: how many of how many tables are done, and how many of how many bytes. */
export interface ContentProgress {
  readonly tablesDone: number;
  readonly tablesTotal: number;
  readonly bytesDone: number;
  readonly bytesTotal: number;
}

export interface ContentRequest {
  readonly snapshot: Pick<ExportedSnapshot, 'session' | 'releaseLocks'>;
  /** Workers of the snapshot that share the work; at least one. */
  readonly workers: readonly PostgresSession[];
  readonly scope: Scope;
  readonly major: number;
  /**
   * How a table is read. `select` has the server compute the digest. `copy` computes it here from the lines of COPY, as `digestOf` of the
   * content says. `count` counts those lines only.
   */
  readonly reading: (table: { readonly name: string; readonly runsCode: boolean }) => 'select' | 'copy' | 'count';
  /** Tables, as SQL, whose rows are not dumped: recorded as empty, which is what they are after a restore. */
  readonly withoutRows?: ReadonlySet<string> | undefined;
  readonly onProgress?: ((progress: ContentProgress) => void) | undefined;
}

interface Relation {
  readonly schema: string;
  readonly table: string;
  readonly name: string;
  readonly kind: TableContent['kind'];
  readonly relkind: string;
  readonly populated: boolean;
  /** Whether the role may read every row: pg_dump needs to as well, except for what it leaves out. */
  readonly readable: boolean;
  readonly extension: string | null;
  readonly condition: string | null;
  /** Whether planning a query of it can run functions that are not written in C: those of its indexes and statistics. */
  readonly runsCode: boolean;
  readonly root: string | null;
  readonly readsOtherServers: boolean;
  readonly bytes: string;
  readonly columns: ReadonlyArray<DigestColumn & { readonly generated: '' | 's' | 'v' }>;
}

/**
 * Counts and digests the content of every table in one scan each, largest first, spread over the sessions.
 *
 * The digest of a table is the sum of a 64-bit hash of each row: independent of the order of rows, unlike a hash of the whole
 * and unlike XOR not blind to pairs. A random change is missed with a probability of 2^-64; a second seed would double the cost for
 * 2^-128. It is no defence against rows forged to match a sum; the SHA-256 of the artifact is.
 *
 * To plan a query of a table, Postgres simplifies the expressions of its indexes and statistics: it inlines functions written in SQL, which
 * fails when they name something without its schema, and it executes immutable functions with constant arguments, with the rights of the
 * session. pg_dump never does, because COPY plans nothing. Such tables are read with COPY, too; their generated columns are not read.
 */
export async function readContent(request: ContentRequest): Promise<TableContent[]> {
  const { snapshot, workers, major, reading } = request;
  const listed = await listRelations(snapshot.session, request.scope);
  const relations = listed.filter(({ extension }) => extension === null || hasExtension(request.scope, extension));
  const contents = new Map<string, TableContent>();
  const queue: Relation[] = [];
  const copied: Relation[] = [];
  for (const relation of relations) {
    const reason = whyNotRead(relation);
    if (request.withoutRows?.has(relation.name) && reason === undefined) contents.set(relation.name, withoutRows(relation));
    else if (reason === undefined) (reading(relation) === 'select' ? queue : copied).push(relation);
    else contents.set(relation.name, unread(relation, reason));
  }
  const bytesTotal = bytesOf(queue) + bytesOf(copied);
  const tablesTotal = queue.length + copied.length;
  let tablesDone = 0;
  let bytesDone = 0;
  const batches = [...copied.map((relation) => [relation]), ...inBatches(queue)];
  await shareOut(batches, workers, async (session, batch) => {
    const how = reading(batch[0] as Relation);
    const read = how === 'select' ? scan(session, batch, major) : copyTables(session, batch, how);
    for (const content of await read) contents.set(content.name, content);
    await snapshot.releaseLocks(session);
    tablesDone += batch.length;
    bytesDone += bytesOf(batch);
    request.onProgress?.({ tablesDone, tablesTotal, bytesDone, bytesTotal });
  });
  return [...contents.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * Number of small tables read in one statement: separate round trips would take longer than reading them. The statement has a lock on each
 * of them and on each of their indexes.
 */
const BATCH_TABLES = 16;
const BATCH_BYTES = 4 * 2 ** 20;

function inBatches(relations: readonly Relation[]): Relation[][] {
  const batches: Relation[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const relation of relations) {
    const batch = batches.at(-1);
    bytes += Number(relation.bytes);
    if (batch !== undefined && batch.length < BATCH_TABLES && bytes <= BATCH_BYTES) batch.push(relation);
    else {
      batches.push([relation]);
      bytes = Number(relation.bytes);
    }
  }
  return batches;
}

function bytesOf(relations: readonly Relation[]): number {
  return relations.reduce((sum, { bytes }) => sum + Number(bytes), 0);
}

async function scan(session: PostgresSession, batch: readonly Relation[], major: number): Promise<TableContent[]> {
  const sql = batch.map((relation, index) => {
    const stored = relation.columns.filter(({ generated }) => generated === '');
    const generated = relation.columns.filter((column) => column.generated === 's');
    const digest = `coalesce(sum(${rowHash(stored, major)}), 0)::text`;
    const digestGenerated = generated.length > 0 ? `coalesce(sum(${rowHash(generated, major)}), 0)::text` : 'NULL::text';
    // The condition is one that an extension has registered for its own configuration table; pg_dump appends it in the same way.
    const one = (condition: string, part: 'dumped' | 'all') =>
      `SELECT ${index} AS i, '${part}' AS part, count(*) AS rows, ${digest} AS digest, ${digestGenerated} AS generated FROM ONLY ${quoteIdentifier(relation.schema)}.${quoteIdentifier(relation.table)} ${condition}`;
    return isPartlyDumped(relation) ? [one(relation.condition ?? '', 'dumped'), one('', 'all')] : [one('', 'dumped')];
  });
  const statements = sql.flat();
  const rows = await session.query<ScannedRow>(
    statements.length === 1 ? (statements[0] as string) : statements.map((one) => `(${one}\n)`).join('\nUNION ALL\n'),
  );
  if (rows.length !== statements.length) throw new Error(`counting ${batch.length} tables returned ${rows.length} rows`);
  const whole = new Map(rows.filter(({ part }) => part === 'all').map((row) => [row.i, row]));
  return rows
    .filter(({ part }) => part === 'dumped')
    .map(({ i, rows: count, digest, generated }) => {
      const relation = batch[i] as Relation;
      const { name, kind } = relation;
      const content = {
        name,
        kind,
        rows: Number(count),
        digest,
        ...(generated === null ? {} : { generatedDigest: generated }),
        ...placeOf(relation),
        ...undumpedOf({ rows: count, digest }, whole.get(i)),
      };
      if (isLeftToExtension(relation)) return { ...content, ...leftToExtension(relation) };
      if (kind !== 'materialized_view') return { ...content, comparison: 'exact' as const };
      return { ...content, comparison: 'recomputed' as const, reason: 'a restore runs the query of a materialized view again' };
    });
}

interface ScannedRow {
  readonly i: number;
  readonly part: 'dumped' | 'all';
  readonly rows: string;
  readonly digest: string;
  readonly generated: string | null;
}

/** The extension has some of the rows dumped, by a condition. */
function isPartlyDumped({ condition }: Relation): boolean {
  return condition !== null && condition.trim() !== '';
}

/** The digest of a part is a sum over its rows, so that the digest of the other part is the difference. */
function undumpedOf(dumped: Pick<ScannedRow, 'rows' | 'digest'>, all: ScannedRow | undefined): Pick<TableContent, 'undumped'> {
  if (all === undefined) return {};
  return { undumped: { rows: Number(all.rows) - Number(dumped.rows), digest: (BigInt(all.digest) - BigInt(dumped.digest)).toString() } };
}

async function copyTables(session: PostgresSession, batch: readonly Relation[], how: 'copy' | 'count'): Promise<TableContent[]> {
  const contents: TableContent[] = [];
  for (const relation of batch) {
    const { name, kind } = relation;
    const { rows, digest } = await digestCopy(session, relation);
    const content = {
      name,
      kind,
      rows,
      ...placeOf(relation),
      // COPY refuses generated columns, and any query of the table would be planned.
      ...(relation.columns.some(({ generated }) => generated === 's') ? { generatedDigest: null } : {}),
      comparison: 'exact' as const,
      ...(isLeftToExtension(relation) ? leftToExtension(relation) : {}),
    };
    if (how === 'copy') contents.push({ ...content, digest, digestOf: 'copy' });
    else contents.push({ reason: 'its indexes call functions that are not run here', ...content, digest: null });
  }
  return contents;
}

/** What is known about a relation beside its rows. */
function placeOf({ root, readsOtherServers }: Relation): Pick<TableContent, 'root' | 'readsOtherServers'> {
  return { ...(root === null ? {} : { root }), ...(readsOtherServers ? { readsOtherServers } : {}) };
}

/** SQL expression: the query of the materialized view `c` reads a foreign table, through views, other materialized views or partitions too. */
const READS_OTHER_SERVERS = `c.relkind = 'm' AND EXISTS (
       WITH RECURSIVE reach(oid) AS (
         SELECT c.oid UNION
         SELECT x.oid FROM reach r CROSS JOIN LATERAL (
           SELECT d.refobjid AS oid FROM pg_rewrite w JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
             WHERE w.ev_class = r.oid AND d.refclassid = 'pg_class'::regclass
           UNION ALL SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = r.oid
         ) x
       ) SELECT FROM reach JOIN pg_class f ON f.oid = reach.oid WHERE f.relkind = 'f')`;

function whyNotRead(relation: Relation): WhyNot | undefined {
  if (relation.relkind === 'f') return { comparison: 'not_dumped', reason: 'the rows of a foreign table live on another server' };
  // Read anyway where that is possible: only the number of its rows tells what would be lost with it.
  if (isLeftToExtension(relation) && !(relation.populated && relation.readable)) return leftToExtension(relation);
  if (!relation.populated) return { comparison: 'recomputed', reason: 'the materialized view is not populated' };
  if (relation.kind === 'materialized_view' && !relation.readable)
    return { comparison: 'recomputed', reason: 'the role that dumps may not read the materialized view' };
  if (relation.kind === 'materialized_view' && relation.runsCode)
    return { comparison: 'recomputed', reason: 'the indexes of the materialized view call functions, so that its rows are not read' };
  return undefined;
}

/** pg_dump leaves a member of an extension to CREATE EXTENSION, unless the extension has registered it as configuration. */
function isLeftToExtension({ extension, condition }: Relation): boolean {
  return extension !== null && condition === null;
}

function leftToExtension({ extension }: Relation): WhyNot {
  return {
    comparison: 'not_dumped',
    reason: `the table belongs to the extension ${extension}, so that pg_dump leaves it out`,
    extension: extension as string,
  };
}

type WhyNot = Pick<TableContent, 'comparison' | 'reason' | 'extension'>;

function unread(relation: Relation, why: WhyNot): TableContent {
  const { name, kind } = relation;
  return { name, kind, rows: 0, digest: null, ...placeOf(relation), ...why };
}

function withoutRows(relation: Relation): TableContent {
  const { name, kind, columns } = relation;
  return {
    name,
    kind,
    rows: 0,
    digest: '0',
    ...(columns.some(({ generated }) => generated === 's') ? { generatedDigest: '0' } : {}),
    ...placeOf(relation),
    comparison: 'exact',
    reason: "its rows are excluded by the project's settings",
  };
}

/** SQL expression: an expression of an index or of statistics of the table `c` uses a function that is not in C, or a domain. */
const RUNS_CODE = `coalesce(x.condition, '') = '' AND EXISTS (
       SELECT FROM (
         SELECT 'pg_class'::regclass AS classid, i.indexrelid AS objid FROM pg_index i
           WHERE i.indrelid = c.oid AND (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL)
         UNION ALL SELECT 'pg_statistic_ext'::regclass, s.oid FROM pg_statistic_ext s WHERE s.stxrelid = c.oid
       ) o JOIN pg_depend d ON d.classid = o.classid AND d.objid = o.objid
       LEFT JOIN pg_operator q ON d.refclassid = 'pg_operator'::regclass AND q.oid = d.refobjid
       LEFT JOIN pg_proc p ON p.oid = CASE WHEN d.refclassid = 'pg_proc'::regclass THEN d.refobjid ELSE q.oprcode END
       LEFT JOIN pg_language l ON l.oid = p.prolang
       LEFT JOIN pg_type t ON d.refclassid = 'pg_type'::regclass AND t.oid = d.refobjid
       WHERE l.lanname NOT IN ('c', 'internal') OR t.typtype = 'd')`;

/** Tables with rows of their own. Parents of partitions have none; temporary tables belong to their sessions. */
async function listRelations(session: PostgresSession, scope: Scope): Promise<Relation[]> {
  return await session.query<Relation & object>(
    `SELECT n.nspname AS schema, c.relname AS table, quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name, c.relkind,
       CASE WHEN c.relkind = 'm' THEN 'materialized_view' WHEN c.relispartition THEN 'partition' ELSE 'table' END AS kind,
       c.relispopulated AS populated, has_table_privilege(c.oid, 'SELECT') AND NOT row_security_active(c.oid) AS readable, x.extname AS extension, x.condition, ${RUNS_CODE} AS "runsCode",
       ${READS_OTHER_SERVERS} AS "readsOtherServers",
       CASE WHEN c.relispartition THEN (SELECT quote_ident(rn.nspname) || '.' || quote_ident(r.relname) FROM pg_class r JOIN pg_namespace rn ON rn.oid = r.relnamespace
         WHERE r.oid = pg_partition_root(c.oid)) END AS root,
       (CASE WHEN c.relkind = 'f' THEN 0 ELSE ${estimatedTableBytes('c')} END)::int8 AS bytes, coalesce(a.columns, '[]') AS columns
     FROM pg_class c
     JOIN pg_namespace n ON n.oid = c.relnamespace
     LEFT JOIN LATERAL (
       SELECT json_agg(json_build_object('name', a.attname, 'type', CASE WHEN t.typnamespace = 'pg_catalog'::regnamespace THEN t.typname ELSE '' END,
         'typeModifier', a.atttypmod, 'generated', a.attgenerated)) AS columns
       FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
     ) a ON true
     LEFT JOIN LATERAL (
       SELECT e.extname, e.extcondition[array_position(e.extconfig, c.oid)] AS condition
       FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
       WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
     ) x ON true
     WHERE c.relkind IN ('r', 'm', 'f') AND c.relpersistence <> 't' AND ${inScope('n')}
     ORDER BY bytes DESC, name`,
    [scopeParameter(scope)],
  );
}
