import type * as z from 'zod';
import type { Action } from './action.ts';

/** Method and path of a route, which is all a client needs. */
export interface Endpoint {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Below the prefix of its API; `:name` is a parameter. */
  readonly path: string;
}

/**
 * One route: what validation, OpenAPI and the typed client need.
 *
 * Query and body of every route but a GET are strict objects at every depth, and a route without them accepts none: an ignored
 * member might be a `dryRun`.
 */
export interface Route extends Endpoint {
  readonly summary: string;
  /** The action that the caller must be allowed to do. */
  readonly access: Action;
  readonly params?: z.ZodType;
  readonly query?: z.ZodType;
  readonly body?: z.ZodType;
  /** The body is a file of any size, sent as `application/octet-stream`, and is read while it arrives. */
  readonly bytes?: true;
  /** Limit of the body; 1 MiB when absent. */
  readonly maxBodyBytes?: number;
  /** Absent when the answer is not JSON. */
  readonly answer?: z.ZodType;
  /** 202 answers with an operation that continues; its address is in `Location`. */
  readonly status: 200 | 201 | 202;
}

/** A route that answers with JSON. */
export type JsonRoute = Route & { readonly answer: z.ZodType };

/** Names of the parameters in a path: `'hash' | 'id'` of `/projects/:hash/backups/:id`. */
export type ParamsIn<Path extends string> = Path extends `${string}:${infer Name}/${infer Rest}`
  ? Name | ParamsIn<`/${Rest}`>
  : Path extends `${string}:${infer Name}`
    ? Name
    : never;

/** Inserts values into a path and appends a query; values are encoded, undefined ones are left out. */
export function buildPath(
  path: string,
  params: Readonly<Record<string, string>>,
  query: Readonly<Record<string, string | number | undefined>> = {},
): string {
  const filled = path.replace(/:([a-z]+)/gi, (_, name: string) => encodeURIComponent(params[name] ?? ''));
  const pairs = Object.entries(query).flatMap(([key, value]) =>
    value === undefined ? [] : [`${encodeURIComponent(key)}=${encodeURIComponent(value)}`],
  );
  return pairs.length === 0 ? filled : `${filled}?${pairs.join('&')}`;
}
