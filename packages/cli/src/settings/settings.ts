import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { FluxError } from '@flux/contract/errors';
import { DEFAULT_API_BASE, normaliseApiBase } from './api-base.ts';
import { FILE_NAMES, parseEnvFile } from './env-file.ts';
import { findLinkFile } from './link.ts';
import { loginPath, readLogin } from './login-file.ts';

/** The settings of a run, in order of precedence: flags, environment, `.env.local`, `.env`, `~/.flux/config.json`. */
export interface Settings {
  readonly apiBase: string;
  readonly token: string | null;
  /** Why a stored token must not be used; null when there is no such token. */
  readonly tokenRefusal: string | null;
  /** Where the token comes from, for messages. */
  readonly tokenSource: string | null;
  readonly defaultMode: string | null;
  readonly linkFile: { readonly path: string; readonly text: string } | null;
}

/** Where settings may come from. */
export interface SettingsSources {
  readonly apiBaseFlag: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly home: string;
}

/** Reads the settings of a run. @throws FluxError `usage` or `local_file` */
export async function readSettings({ apiBaseFlag, env, cwd, home }: SettingsSources): Promise<Settings> {
  const linkFile = await findLinkFile(cwd);
  const files = linkFile === null ? new Map<string, Found>() : await readEnvFiles(dirname(linkFile.path));
  const find = (name: (typeof FILE_NAMES)[number]): Found | null => {
    const value = env[name];
    return value !== undefined && value !== '' ? { value, source: name } : (files.get(name) ?? null);
  };

  const login = await readLogin(home);
  const base = apiBaseFlag === undefined ? find('FLUX_API_BASE') : { value: apiBaseFlag, source: '--api-base' };
  const loginBase = login?.apiBase == null ? null : normaliseApiBase(login.apiBase, `apiBase in ${loginPath(home)}`);
  const apiBase = base === null ? (loginBase ?? DEFAULT_API_BASE) : normaliseApiBase(base.value, base.source);

  const token = find('FLUX_API_TOKEN');
  const rest = { apiBase, defaultMode: find('FLUX_DEFAULT_MODE')?.value ?? null, linkFile };
  if (token !== null) return { ...rest, token: token.value.trim(), tokenSource: token.source, tokenRefusal: null };
  if (login === null) return { ...rest, token: null, tokenSource: null, tokenRefusal: null };
  // The `.env` of a cloned repository may name any address, so the stored token is sent only to the control plane that issued it.
  if (loginBase !== null && loginBase !== apiBase) {
    return { ...rest, token: null, tokenSource: null, tokenRefusal: `The stored login is for ${loginBase}, not for ${apiBase}.` };
  }
  return { ...rest, token: login.token, tokenSource: loginPath(home), tokenRefusal: null };
}

interface Found {
  readonly value: string;
  readonly source: string;
}

async function readEnvFiles(folder: string): Promise<Map<string, Found>> {
  const found = new Map<string, Found>();
  for (const name of ['.env', '.env.local']) {
    const path = join(folder, name);
    let text: string;
    try {
      text = await readFile(path, 'utf8');
    } catch (cause) {
      const code = (cause as NodeJS.ErrnoException).code;
      if (code === 'ENOENT' || code === 'EISDIR') continue;
      throw new FluxError('local_file', `${path} cannot be read (${code}).`, { hint: 'Check its permissions.', cause });
    }
    const values = parseEnvFile(text);
    for (const key of FILE_NAMES) {
      const value = values.get(key);
      if (value !== undefined && value !== '') found.set(key, { value, source: `${key} in ${path}` });
    }
  }
  return found;
}
