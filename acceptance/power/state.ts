import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EngineKind } from '@flux/contract/labels';
import type { Flux, TestProject } from '../harness/flux.ts';
import { psql, readRows } from '../harness/postgres.ts';
import { catalogUri, superuserUri } from '../harness/superuser.ts';
import type { Data } from './scenario.ts';

/** Rows and objects of one schema, as its owner sees them. */
export async function readData(uri: string, schema: string): Promise<Data> {
  const rows = [...(await readRows(uri, schema))].map(([table, text]) => [table, `${text.split('\n').length - 1} rows, ${digest(text)}`]);
  return { rows: Object.fromEntries(rows), objects: await psql(uri, objectsOf(schema)) };
}

/**
 * Has Postgres write down what it has. A sequence goes on up to 32 numbers later after a crash than it stood before, unless
 * there was a checkpoint since its last use (src/backend/commands/sequence.c, SEQ_LOG_VALS).
 */
export async function settle(flux: Flux, engine: EngineKind, shortId: string): Promise<void> {
  await psql(superuserUri(flux, engine === 'v1_dedicated' ? `p-${shortId}` : 'shared', 'postgres'), 'checkpoint');
}

const privileges = (of: string) => `array(select a::text from unnest(${of}) a order by 1)`;

/** One line for each object: kind, name, owner, definition, privileges. Sources: the manual, chapter 53 (system catalogs). */
function objectsOf(schema: string): string {
  const relations = (columns: string, from: string, where = 'true') =>
    `select ${columns} from ${from} where c.relnamespace = (select oid from s) and ${where}`;
  const described = (words: string) => `concat_ws(' ', ${words})`;
  const parts = [
    relations(
      `'relation', c.relname::text, ${described(`c.relkind, c.relrowsecurity, c.relowner::regrole, ${privileges('c.relacl')}`)}`,
      'pg_class c',
      `c.relkind <> 'S'`,
    ),
    relations(
      `'column', c.relname || '.' || a.attname, ${described('format_type(atttypid, atttypmod), attnotnull, attidentity, pg_get_expr(adbin, adrelid)')}`,
      'pg_class c join pg_attribute a on a.attrelid = c.oid left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum',
      `a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'v', 'm')`,
    ),
    relations(`'index', c.relname::text, pg_get_indexdef(c.oid)`, 'pg_class c', `c.relkind = 'i'`),
    relations(`'view', c.relname::text, pg_get_viewdef(c.oid)`, 'pg_class c', `c.relkind in ('v', 'm')`),
    relations(
      `'constraint', c.relname || '.' || k.conname, pg_get_constraintdef(k.oid)`,
      'pg_constraint k join pg_class c on c.oid = k.conrelid',
    ),
    relations(
      `'policy', c.relname || '.' || p.polname, ${described('polcmd, polroles::regrole[], pg_get_expr(polqual, polrelid)')}`,
      'pg_policy p join pg_class c on c.oid = p.polrelid',
    ),
    relations(`'comment', c.relname::text, obj_description(c.oid, 'pg_class')`, 'pg_class c'),
    `select 'function', f.oid::regprocedure::text, ${described(`pg_get_functiondef(f.oid), proowner::regrole, ${privileges('proacl')}`)}
      from pg_proc f where pronamespace = (select oid from s)`,
    `select 'sequence', sequencename::text, (to_jsonb(q) - 'schemaname')::text from pg_sequences q where schemaname = '${schema}'`,
    `select 'schema', '', ${described(`nspowner::regrole, ${privileges('nspacl')}`)} from pg_namespace where oid = (select oid from s)`,
  ];
  return `with s as (select oid from pg_namespace where nspname = '${schema}'), objects (kind, name, what) as (${parts.join(' union all ')})
    select kind || ' ' || name || ': ' || what from objects where what is not null order by 1`;
}

/** What the catalog says of a project: how it is, what it still does, and what backups it has. */
export async function readCatalog(flux: Flux, { hash }: Pick<TestProject, 'hash'>): Promise<CatalogState> {
  const of = (table: string, columns: string, where: string) =>
    `(select coalesce(json_agg(concat_ws(' ', ${columns}) order by id), '[]') from ${table} where project_id = p.id and ${where})`;
  const unfinished = `in ('queued', 'running')`;
  const sql = `select json_build_object(
      'lifecycle', concat_ws(' ', lifecycle, 'on', engine, migration_state),
      'operations', ${of('operations', 'kind', `state ${unfinished}`)},
      'unfinishedBackups', ${of('backups', 'status', `status ${unfinished}`)},
      'backups', ${of('backups', 'kind, status, artifact_validation, restore_verification, sha256', `status <> 'failed'`)})
    from projects p where hash = '${hash}'`;
  return JSON.parse(await psql(catalogUri(flux), sql)) as CatalogState;
}

/** Lines of the catalog about one project; empty lists when nothing is under way. */
export interface CatalogState {
  readonly lifecycle: string;
  readonly operations: readonly string[];
  readonly unfinishedBackups: readonly string[];
  readonly backups: readonly string[];
}

/** First 12 hex digits of a project's id: names in Postgres and folders are made of it. */
export async function shortIdOf(flux: Flux, { hash }: Pick<TestProject, 'hash'>): Promise<string> {
  return (await psql(catalogUri(flux), `select left(replace(id::text, '-', ''), 12) from projects where hash = '${hash}'`)).trim();
}

/** SHA-256 of every artifact and manifest of a project. */
export async function readFiles(flux: Flux, { hash }: Pick<TestProject, 'hash'>): Promise<readonly string[]> {
  const id = (await psql(catalogUri(flux), `select id from projects where hash = '${hash}'`)).trim();
  const folder = join(flux.dataFolder, 'backups', id);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .map((name) => digest(readFileSync(join(folder, name))))
    .sort();
}

function digest(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}
