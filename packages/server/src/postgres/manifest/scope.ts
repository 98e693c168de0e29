import type { Selection } from './selection/data.ts';

/** The scope of a manifest: a whole database, a part of it, or one schema of it. */
export interface Scope {
  /** The schema of a tenant, null for a database. */
  readonly schema: string | null;
  /** Roles whose grants are Flux's own. */
  readonly internalRoles: readonly string[];
  /** The part of the database; undefined for all of it. */
  readonly selection?: Selection | undefined;
}

/**
 * `$1` of every query with one of the conditions below: the names of the schemas in scope, and the empty name for what belongs to no schema;
 * null when everything is in scope.
 */
export function scopeParameter({ schema, selection }: Scope): readonly string[] | null {
  if (schema !== null) return [schema];
  if (selection === undefined) return null;
  return [...selection.schemas, ...(selection.databaseWide ? [''] : [])];
}

/** Whether what belongs to no schema is in scope: casts, event triggers, publications, large objects and the like. */
export function isDatabaseWide({ schema, selection }: Scope): boolean {
  return schema === null && selection?.databaseWide !== false;
}

/** Whether an extension (its plain name) is in scope. Those of a tenant are among its prerequisites. */
export function hasExtension({ selection }: Scope, name: string): boolean {
  return selection === undefined || selection.extensions === null || selection.extensions.includes(name);
}

/**
 * SQL condition: pg_dump dumps the objects of the schema `alias`, and it is in scope. Objects in pg_* and in information_schema are never
 * dumped.
 */
export function inScope(alias: string): string {
  return `(${isDumpable(alias)} AND ($1::text[] IS NULL OR ${alias}.nspname = ANY ($1::text[])))`;
}

/** SQL condition: the schema `alias` is not one of the system's. */
export function isDumpable(alias: string): string {
  return `(${alias}.nspname !~ '^pg_' AND ${alias}.nspname <> 'information_schema')`;
}

/** SQL condition: what belongs to no schema is in scope. */
export const DATABASE_WIDE = `($1::text[] IS NULL OR '' = ANY ($1::text[]))`;

/** SQL condition that is always true: `$1` must occur in every query. */
export const ANY_SCOPE = `($1::text[] IS NULL OR true)`;

/**
 * SQL condition: the object is not a member of an extension, since CREATE EXTENSION recreates those for its version, nor a function or
 * cast that was created with a range type, which pg_dump does not list either.
 */
export function notOfExtension(catalog: string, oid: string): string {
  const kinds = catalog === 'pg_proc' || catalog === 'pg_cast' ? `IN ('e', 'i')` : `= 'e'`;
  return `NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = '${catalog}'::regclass AND e.objid = ${oid} AND e.deptype ${kinds})`;
}

/** SQL expression: the name of something in a schema, each part quoted when it must be. */
export function qualified(schema: string, name: string): string {
  return `quote_ident(${schema}) || '.' || quote_ident(${name})`;
}
