/** The scope of a manifest: a whole database, or one schema of it. */
export interface Scope {
  /** The only schema, null for the whole database. */
  readonly schema: string | null;
  /** Roles whose grants are Flux's own. */
  readonly internalRoles: readonly string[];
}

/**
 * SQL condition: pg_dump dumps the objects of the schema `alias`, and it is in scope. `$1` is the schema or null. Objects in pg_* and in
 * information_schema are never dumped.
 */
export function inScope(alias: string): string {
  return `(${alias}.nspname !~ '^pg_' AND ${alias}.nspname <> 'information_schema' AND ($1::text IS NULL OR ${alias}.nspname = $1::text))`;
}

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
