import { z } from 'zod';
import type { PostgresSession } from '../connect.ts';
import { inScope, notOfExtension, qualified, type Scope, scopeParameter } from './scope.ts';

/** What a server needs besides Postgres and its extensions, so that an archive can be restored there. */
export interface HostNeeds {
  /** Libraries of C functions that belong to no extension, as the functions name them. */
  readonly libraries: readonly string[];
  /** Libraries of the functions of its extensions, without the folder of Postgres. */
  readonly extensionLibraries: readonly string[];
  /** Those libraries that the source's server loads at its start; null when the login may not read that. */
  readonly preload: readonly string[] | null;
  /** Settings of libraries whose value is the name of the database, such as `cron.database_name`. */
  readonly settingsWithDatabase: readonly string[];
  /** Text search dictionaries that belong to no extension; most templates read files of the server. */
  readonly dictionaries: readonly { readonly name: string; readonly template: string; readonly options: string | null }[];
  /** Collations of pg_catalog that initdb found on the source's host, and that objects use. */
  readonly collations: readonly string[];
}

export const hostNeedsSchema: z.ZodType<HostNeeds> = z.strictObject({
  libraries: z.array(z.string()),
  extensionLibraries: z.array(z.string()),
  preload: z.array(z.string()).nullable(),
  settingsWithDatabase: z.array(z.string()),
  dictionaries: z.array(z.strictObject({ name: z.string(), template: z.string(), options: z.string().nullable() })),
  collations: z.array(z.string()),
});

/** Reads what objects in scope need of their server. Needs no privileges. */
export async function readHostNeeds(session: PostgresSession, scope: Scope): Promise<HostNeeds> {
  const [row] = await session.query<Omit<HostNeeds, 'preload'> & { preload: string | null }>(
    `SELECT
       ARRAY(SELECT DISTINCT p.probin::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
         WHERE l.lanname = 'c' AND p.probin IS NOT NULL AND ${inScope('n')} AND ${notOfExtension('pg_proc', 'p.oid')} ORDER BY 1) AS libraries,
       ARRAY(SELECT DISTINCT regexp_replace(p.probin::text, '^.libdir/', '') FROM pg_depend d JOIN pg_proc p ON p.oid = d.objid
         JOIN pg_extension x ON x.oid = d.refobjid AND ($2::text[] IS NULL OR x.extname = ANY ($2::text[]))
         WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND p.probin IS NOT NULL ORDER BY 1) AS "extensionLibraries",
       (SELECT setting FROM pg_settings WHERE name = 'shared_preload_libraries') AS preload,
       ARRAY(SELECT name FROM pg_settings WHERE name LIKE '%.%' AND setting = current_database() ORDER BY 1) AS "settingsWithDatabase",
       coalesce((SELECT json_agg(json_build_object('name', ${qualified('n.nspname', 'd.dictname')}, 'template', ${qualified('m.nspname', 't.tmplname')},
           'options', d.dictinitoption) ORDER BY d.oid)
         FROM pg_ts_dict d JOIN pg_namespace n ON n.oid = d.dictnamespace JOIN pg_ts_template t ON t.oid = d.dicttemplate
         JOIN pg_namespace m ON m.oid = t.tmplnamespace
         WHERE ${inScope('n')} AND ${notOfExtension('pg_ts_dict', 'd.oid')}
           AND (m.nspname = 'pg_catalog' OR NOT ${notOfExtension('pg_ts_template', 't.oid')})), '[]') AS dictionaries,
       ARRAY(SELECT DISTINCT c.collname::text FROM pg_depend d JOIN pg_collation c ON c.oid = d.refobjid
         WHERE d.refclassid = 'pg_collation'::regclass AND c.collnamespace = 'pg_catalog'::regnamespace AND d.objid >= 16384 ORDER BY 1) AS collations`,
    [scopeParameter(scope), scope.selection?.extensions ?? null],
  );
  if (row === undefined) throw new Error('a query without FROM returned no row');
  return { ...row, preload: row.preload === null ? null : usedOf(namesIn(row.preload), row) };
}

/** A library that is loaded at the start is needed when functions of the database are in it; others belong to the host. */
function usedOf(
  preload: readonly string[],
  { libraries, extensionLibraries }: Pick<HostNeeds, 'libraries' | 'extensionLibraries'>,
): string[] {
  const used = new Set([...libraries, ...extensionLibraries].map(plainName));
  return preload.filter((name) => used.has(plainName(name))).map(plainName);
}

/** `$libdir/pg_cron.so` is `pg_cron`. */
function plainName(library: string): string {
  return library.replace(/^.*\//, '').replace(/\.so$/, '');
}

/** The setting is a list with commas, whose parts may be quoted. */
function namesIn(setting: string): string[] {
  return setting
    .split(',')
    .map((part) => part.trim().replace(/^"(.*)"$/, '$1'))
    .filter((part) => part !== '');
}
