import { FluxError } from '@flux/contract/errors';
import { connectPostgres, type PostgresSession } from '../../postgres/connect.ts';
import { findSameNames } from '../../postgres/manifest/prerequisites/same-names.ts';
import { quoteIdentifier } from '../../postgres/sql/quote.ts';
import type { PostgresTarget } from '../../postgres/target.ts';

/**
 * Refuses a tenant that has something of the same name as something that it uses of `public`, since both would be in one schema.
 *
 * @throws FluxError `not_ready`
 */
export async function refuseSameNames(session: PostgresSession, schema: string): Promise<void> {
  const same = await findSameNames(session, schema);
  if (same.length === 0) return;
  const named = same.slice(0, 5).map(({ own, ofPublic }) => `${own} and ${ofPublic}`);
  const more = same.length > named.length ? `; and ${same.length - named.length} more` : '';
  throw new FluxError(
    'not_ready',
    `The schema ${schema} is called public in a database of its own, and these would be in it twice: ${named.join('; ')}${more}. Nothing was changed.`,
    { hint: 'Rename the objects of the project, or restore it into the pool without --mode v1_dedicated.' },
  );
}

/**
 * The schema of a tenant becomes the one that the API of a dedicated project shows. What it uses of the pool's `public` is moved into it
 * first, so that `public.citext` means the same as before. References between objects follow; text in functions does not change.
 *
 * No code of the owner runs: ALTER ... SET SCHEMA calls none, and an empty database has no event triggers.
 *
 * @param admin a superuser, who may move what belongs to extensions
 */
export async function becomePublic(admin: PostgresTarget, schema: string): Promise<void> {
  await using session = await connectPostgres(admin);
  const quoted = quoteIdentifier(schema);
  await session.run('BEGIN');
  await refuseSameNames(session, schema);
  const fixed = await moveExtensions(session, quoted);
  for (const { kind, identity } of await listOwnObjects(session)) await session.run(`ALTER ${kind} ${identity} SET SCHEMA ${quoted}`);
  await session.run('DROP SCHEMA IF EXISTS public');
  await session.run(`ALTER SCHEMA ${quoted} RENAME TO public`);
  await setRelocatable(session, fixed, false);
  await session.query(`update flux.flux_migrations set tenant_schema = 'public' where tenant_schema = $1`, [schema]);
  await session.run('COMMIT');
}

/**
 * Some extensions have the name of their schema in their functions and cannot be moved. They end up in a schema of that name again, so they
 * are made movable for the time of this transaction (as the manual of PostGIS does it).
 *
 * @returns those that are not movable
 */
async function moveExtensions(session: PostgresSession, quoted: string): Promise<readonly string[]> {
  const extensions = await session.query<{ name: string; movable: boolean }>(
    `select extname as name, extrelocatable as movable from pg_catalog.pg_extension
     where extnamespace = (select oid from pg_catalog.pg_namespace where nspname = 'public') order by oid`,
  );
  const fixed = extensions.filter(({ movable }) => !movable).map(({ name }) => name);
  await setRelocatable(session, fixed, true);
  for (const { name } of extensions) await session.run(`ALTER EXTENSION ${quoteIdentifier(name)} SET SCHEMA ${quoted}`);
  return fixed;
}

async function setRelocatable(session: PostgresSession, names: readonly string[], movable: boolean): Promise<void> {
  if (names.length === 0) return;
  await session.query('update pg_catalog.pg_extension set extrelocatable = $2 where extname = any ($1::name[])', [names, movable]);
}

const CATALOGS: readonly (readonly [catalog: string, column: string, where?: string])[] = [
  ['pg_class', 'rel', `o.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')`],
  [
    'pg_type',
    'typ',
    `(o.typrelid = 0 OR EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = o.typrelid AND c.relkind = 'c'))
     AND NOT EXISTS (SELECT FROM pg_catalog.pg_type e WHERE e.typarray = o.oid)`,
  ],
  ['pg_proc', 'pro'],
  ['pg_operator', 'opr'],
  ['pg_opclass', 'opc'],
  ['pg_opfamily', 'opf'],
  ['pg_collation', 'coll'],
  ['pg_conversion', 'con'],
  ['pg_ts_dict', 'dict'],
  ['pg_ts_config', 'cfg'],
  ['pg_ts_parser', 'prs'],
  ['pg_ts_template', 'tmpl'],
  ['pg_statistic_ext', 'stx'],
];

/** Everything in `public` that comes with nothing else, with the keywords of its kind. */
async function listOwnObjects(session: PostgresSession): Promise<readonly { readonly kind: string; readonly identity: string }[]> {
  const parts = CATALOGS.map(
    ([catalog, column, where = 'true']) =>
      `SELECT CASE WHEN i.type IN ('function', 'procedure', 'aggregate') THEN 'ROUTINE' ELSE upper(replace(i.type, ' object', '')) END AS kind, i.identity
       FROM pg_catalog.${catalog} o, pg_catalog.pg_identify_object('pg_catalog.${catalog}'::regclass, o.oid, 0) i
       WHERE o.${column}namespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'public') AND ${where}
         -- Members of extensions follow them; an owned sequence follows its table.
         AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.${catalog}'::regclass AND d.objid = o.oid
           AND (d.deptype = 'e' OR (d.refclassid = 'pg_catalog.pg_class'::regclass AND d.deptype IN ('a', 'i') AND i.type = 'sequence')))`,
  );
  return await session.query(parts.join('\nUNION ALL '));
}
