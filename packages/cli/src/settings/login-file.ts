import { chmod, mkdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { FluxError } from '@flux/contract/errors';
import { writeFileAtomically } from './atomic-file.ts';

/** What `flux login` stores: a token, and the only control plane it may be sent to. */
export interface Login {
  readonly apiBase: string | null;
  readonly token: string;
}

/** Path of the file that `flux login` writes. */
export function loginPath(home: string): string {
  return join(home, '.flux', 'config.json');
}

/** @throws FluxError `local_file` when the file exists but is not what `flux login` writes */
export async function readLogin(home: string): Promise<Login | null> {
  const path = loginPath(home);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw new FluxError('local_file', `${path} cannot be read (${code}).`, { hint: 'Check its permissions.', cause });
  }
  try {
    const value = JSON.parse(text) as Record<string, unknown>;
    if (typeof value.token === 'string') return { token: value.token, apiBase: typeof value.apiBase === 'string' ? value.apiBase : null };
    return null;
  } catch (cause) {
    throw new FluxError('local_file', `${path} is not valid JSON.`, { hint: 'Run `flux logout`, then `flux login`.', cause });
  }
}

/** Stores a login: the file 0600 in a folder 0700, replaced in one step. */
export async function writeLogin(home: string, login: Login): Promise<string> {
  const path = loginPath(home);
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await chmod(dirname(path), 0o700);
  } catch (cause) {
    throw new FluxError('local_file', `The folder ${dirname(path)} cannot be created (${(cause as NodeJS.ErrnoException).code}).`, {
      cause,
    });
  }
  await writeFileAtomically(path, `${JSON.stringify(login, null, 2)}\n`, 0o600);
  return path;
}

/** Removes the stored login. Resolves to false when there was none. */
export async function removeLogin(home: string): Promise<boolean> {
  try {
    await rm(loginPath(home));
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw new FluxError('local_file', `${loginPath(home)} cannot be removed.`, { cause });
  }
}
