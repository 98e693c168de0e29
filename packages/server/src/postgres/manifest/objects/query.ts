/** Reads one or more kinds of objects in one statement: rows of `kind`, `name`, `definition`. */
export interface ObjectQuery {
  /** For messages: which objects these are. */
  readonly about: string;
  /** `$1` is `scopeParameter`; `$2`, where it occurs, the internal roles. */
  readonly sql: string;
  /**
   * Where it applies; everywhere when it does not say. `database-wide`: what belongs to no schema, where that is in scope. `database`: not for
   * one schema of a pooled server. `tenant`: only there.
   */
  readonly only?: 'database-wide' | 'database' | 'tenant';
}

/** Creates the queries for one major version; the catalogs differ slightly between them. */
export type ObjectQueries = (major: number) => readonly ObjectQuery[];

/** SQL expression: an object of named facts as text, without those that are null. jsonb keeps its keys in one order. */
export function facts(pairs: Readonly<Record<string, string>>): string {
  const parts = Object.entries(pairs).map(([name, expression]) => `'${name}', ${expression}`);
  return `jsonb_strip_nulls(jsonb_build_object(${parts.join(', ')}))::text`;
}

/** SQL expression: the array sorted and as jsonb, null when it is null. */
export function sortedArray(array: string): string {
  return `(SELECT jsonb_agg(x ORDER BY x) FROM unnest(${array}) x)`;
}
