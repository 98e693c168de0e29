/** Settings of a server by name, with plain values: quoting depends on how they reach it. */
export type ServerSettings = Readonly<Record<string, string>>;

/** The settings that all our servers share. */
export const COMMON_SETTINGS: ServerSettings = {
  timezone: 'UTC',
  log_timezone: 'UTC',
  // Flux parses messages in the log, so they must be in English.
  lc_messages: 'C',
  // A statement that failed may contain a password or a user's data: the log says what went wrong without the statement.
  log_min_error_statement: 'panic',
};

/** The settings as lines of a configuration file. */
export function renderConfigFile(settings: ServerSettings): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name} = ${quoteConfigValue(value)}\n`)
    .join('');
}

/** The settings as arguments of `postgres`. Nothing is quoted: no shell reads them. They are visible to every user of the host. */
export function settingArguments(settings: ServerSettings): readonly string[] {
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

/**
 * A value as a string of a configuration file. Unlike in SQL a backslash escapes there.
 * Source: src/backend/utils/misc/guc-file.l of Postgres, DeescapeQuotedString.
 */
export function quoteConfigValue(value: string): string {
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "''").replaceAll('\n', '\\n')}'`;
}
