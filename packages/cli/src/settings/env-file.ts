/** The names that a `.env` next to flux.json may set. Everything else in it belongs to the project. */
export const FILE_NAMES = ['FLUX_API_BASE', 'FLUX_API_TOKEN', 'FLUX_DASHBOARD_BASE', 'FLUX_DEFAULT_MODE'] as const;

/**
 * Reads `NAME=value` lines: comments, `export`, single and double quotes; no expansion of variables. `util.parseEnv` is no
 * replacement: it cuts an unquoted value at a `#` inside it, and an unclosed quote in one line swallows the lines after it.
 */
export function parseEnvFile(text: string): Map<string, string> {
  const values = new Map<string, string>();
  for (const line of text.split(/\r?\n/)) {
    const match = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*$/.exec(line);
    if (match === null) continue;
    const [, name = '', raw = ''] = match;
    const quoted = /^(["'])(.*?)\1\s*(?:#.*)?$/.exec(raw);
    values.set(name, quoted === null ? raw.replace(/(?:^|\s+)#.*$/, '') : (quoted[2] ?? ''));
  }
  return values;
}
