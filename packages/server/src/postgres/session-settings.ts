import { quoteLiteral } from './sql/quote.ts';

/** Settings of a session by name. */
export type SessionSettings = Readonly<Record<string, string>>;

/**
 * What bounds every session of ours that asks for nothing else: for how long it waits for a lock that somebody holds, and for a statement.
 * Nothing waits for ever for a user's session.
 */
export const OUR_BOUNDS = { lock_timeout: '30s', statement_timeout: '10min' } as const satisfies SessionSettings;

/** For sessions whose statements take as long as the data is large; the time limit of the whole work bounds them. */
export const UNBOUNDED = { statement_timeout: '0' } as const satisfies SessionSettings;

/** Of what the host's configuration sets, these change neither a text nor a lock nor a right: memory, costs and plans, logs. */
const OF_THE_HOST_KEPT =
  "(coalesce(s.unit, '') IN ('B', 'kB', '8kB', 'MB') OR s.vartype = 'real' OR s.name ~ '^(enable_|jit|geqo|parallel_|max_parallel|plan_|log_|track_|debug_|trace_|commit_|wal_|synchronous_|update_process)')";

/**
 * SQL, one statement: the settings of this session that a database, a role or the host has given and that the session may change, each
 * with the value that Postgres has built in, which is set in the same step. Rows of `name`, `value`.
 *
 * The owner of a database can give settings to it (ALTER DATABASE ... SET), a role to itself, an operator to the host. They decide how text
 * is written and read, what is locked and for how long, and whether anything can be written at all. Nothing here is a list of those that
 * were noticed: pg_settings knows them by their context.
 */
export const RESET_GIVEN_SETTINGS = `
  SELECT s.name, s.boot_val AS value, pg_catalog.set_config(s.name, s.boot_val, false)
  FROM pg_catalog.pg_settings s
  WHERE s.boot_val IS NOT NULL AND s.setting IS DISTINCT FROM s.boot_val
    AND (s.context = 'user' OR (s.context = 'superuser' AND pg_catalog.current_setting('is_superuser') = 'on'))
    AND (s.source IN ('global', 'database', 'user', 'database user', 'client')
      OR (s.source IN ('configuration file', 'command line', 'environment variable') AND NOT ${OF_THE_HOST_KEPT}))
    AND s.name NOT IN ('search_path', 'client_encoding', 'lc_messages', 'application_name')`;

/** SQL, one statement: the settings that every session of ours has. A given `role` would be chosen again by RESET, and pg_settings does not show it. */
export function applySettings(settings: SessionSettings): string {
  const calls = Object.entries({ role: 'none', ...settings }).map(
    ([name, value]) => `pg_catalog.set_config(${quoteLiteral(name)}, ${quoteLiteral(value)}, false)`,
  );
  return `SELECT ${calls.join(', ')}`;
}

/**
 * The same for a program of Postgres, as the environment variable that libpq reads. Blanks and backslashes are escaped as libpq's `options`
 * wants it.
 *
 * @param own options of the target itself, which come first: of two values for one setting, the later counts. Source: the manual, "Database Connection Control Functions".
 */
export function libpqOptions(settings: SessionSettings, own?: string): Record<string, string> {
  const options = [
    ...(own === undefined ? [] : [own]),
    ...Object.entries(settings).map(([name, value]) => `-c ${name}=${value.replaceAll(/[\\\s]/g, '\\$&')}`),
  ];
  return options.length === 0 ? {} : { PGOPTIONS: options.join(' ') };
}
