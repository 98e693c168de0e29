/** What a manifest is about: a whole database, or one schema of it. */
export interface Scope {
  /** The only schema, null for the whole database. */
  readonly schema: string | null;
  /** Roles whose grants are Flux's own. */
  readonly internalRoles: readonly string[];
}

/**
 * SQL condition: the schema `alias` is one whose objects pg_dump dumps, and is in scope. `$1` is the schema or null. Objects
 * in pg_*, and in information_schema, are not dumped whoever made them.
 */
export function inScope(alias: string): string {
  return `(${alias}.nspname !~ '^pg_' AND ${alias}.nspname <> 'information_schema' AND ($1::text IS NULL OR ${alias}.nspname = $1::text))`;
}

/**
 * SQL condition: the object is no member of an extension; those come back with CREATE EXTENSION and belong to its version. Nor
 * is it a function or cast that a range type brought with it, which pg_dump does not mention either.
 */
export function notOfExtension(catalog: string, oid: string): string {
  const kinds = catalog === 'pg_proc' || catalog === 'pg_cast' ? `IN ('e', 'i')` : `= 'e'`;
  return `NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = '${catalog}'::regclass AND e.objid = ${oid} AND e.deptype ${kinds})`;
}

/** SQL expression: the name of something in a schema, each part quoted when it must be. */
export function qualified(schema: string, name: string): string {
  return `quote_ident(${schema}) || '.' || quote_ident(${name})`;
}
