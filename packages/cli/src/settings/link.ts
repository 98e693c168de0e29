import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { FluxError } from '@flux/contract/errors';
import { writeFileAtomically } from './atomic-file.ts';

/** The content of a `flux.json`. */
export interface Link {
  /** Full path of the file. */
  readonly path: string;
  readonly folder: string;
  readonly slug: string | null;
  readonly hash: string | null;
}

/** Looks for `flux.json` in a folder and its parents. The text is not parsed here: a broken file matters only to commands that need it. */
export async function findLinkFile(cwd: string): Promise<{ readonly path: string; readonly text: string } | null> {
  for (let folder = resolve(cwd); ; folder = dirname(folder)) {
    const path = join(folder, 'flux.json');
    try {
      return { path, text: await readFile(path, 'utf8') };
    } catch (cause) {
      const code = (cause as NodeJS.ErrnoException).code;
      if (code !== 'ENOENT' && code !== 'ENOTDIR') {
        throw new FluxError('local_file', `${path} cannot be read (${code}).`, { hint: 'Check its permissions.', cause });
      }
    }
    if (folder === dirname(folder)) return null;
  }
}

/** @throws FluxError `local_file` when the text is not a JSON object with strings in `slug` and `hash` */
export function parseLink(path: string, text: string): Link {
  const value = parseObject(path, text);
  const field = (name: 'slug' | 'hash'): string | null => {
    const found = value[name];
    if (found === undefined || found === null || found === '') return null;
    if (typeof found === 'string') return found;
    throw new FluxError('local_file', `"${name}" in ${path} is not a string.`, { hint: 'Run `flux init` to write it again.' });
  };
  return { path, folder: dirname(path), slug: field('slug'), hash: field('hash') };
}

/**
 * Writes slug and hash into `flux.json`, and leaves its other members alone, except for secrets: the file is committed to a repository.
 *
 * @returns the names of the members that were removed
 */
export async function writeLink(path: string, existing: string | null, slug: string, hash: string): Promise<string[]> {
  const members = Object.entries(existing === null ? {} : parseObject(path, existing));
  const dropped = members.filter(([name, value]) => isSecret(name, value)).map(([name]) => name);
  const kept = Object.fromEntries(members.filter(([name]) => !dropped.includes(name)));
  await writeFileAtomically(path, `${JSON.stringify({ ...kept, slug, hash }, null, 2)}\n`, 0o644);
  return dropped;
}

/** Whether a member holds a secret, by its name, or because it is an address with a password. Members inside it count too. */
function isSecret(name: string, value: unknown): boolean {
  if (
    /secret|passw|token|credential|(?:api|anon|private|service|role|jwt)key|connectionstring|dsn$/.test(
      name.toLowerCase().replace(/[^a-z]/g, ''),
    )
  )
    return true;
  if (typeof value === 'string') return /^[a-z][a-z0-9+.-]*:\/\/[^/@\s]*:[^/@\s]+@/i.test(value);
  return typeof value === 'object' && value !== null && Object.entries(value).some(([inner, member]) => isSecret(inner, member));
}

function parseObject(path: string, text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new FluxError('local_file', `${path} is not valid JSON: ${(cause as Error).message}.`, {
      hint: 'Correct it, or remove it and run `flux init`.',
      cause,
    });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new FluxError('local_file', `${path} does not contain a JSON object.`, { hint: 'It looks like {"slug": "...", "hash": "..."}.' });
}
