import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { findApplied, type MigrationMark } from '@flux/contract/applied';
import { FluxError } from '@flux/contract/errors';

/** When a file runs: with each push, exactly once, or after each change. */
export type PushMode = 'raw' | 'versioned' | 'repeatable';

/** One SQL file, read. */
export interface SqlFile {
  readonly path: string;
  readonly filename: string;
  readonly sql: string;
  /** SHA-256 of the bytes of the file, lowercase hex. */
  readonly checksum: string;
  readonly mode: PushMode;
  /** Version of a versioned file, id of a repeatable one, the base name of a raw one. */
  readonly version: string;
}

/** Where `flux push` looks without an argument, in order. */
export const DEFAULT_PLACES = ['migrations/', 'flux/migrations/', 'sql/migrations/', 'sql/', 'schema.sql'] as const;

/**
 * Reads the files to push, in the order in which they run: versioned files by name, repeatable ones after them.
 *
 * A single file gets the mode and the version that a push of its folder would give it, so that the folder skips it later.
 *
 * @param roots folders in which the default places are looked for
 * @throws FluxError `local_file` for a file that cannot be read, is not UTF-8 or is empty; `usage` when nothing was found or two files have one version
 */
export async function collectSqlFiles(
  target: string | undefined,
  roots: readonly string[],
  mode: PushMode | undefined,
): Promise<SqlFile[]> {
  const found = target === undefined ? await findDefault(roots) : resolve(roots[0] ?? '.', target);
  const info = await statOrExplain(found);
  if (!info.isDirectory()) return [await readSqlFile(found, mode ?? (await modeOfSingle(found, target !== undefined)))];
  if (mode === 'raw')
    throw new FluxError('usage', `${found} is a folder, and --mode raw would run each of its files again with every push.`, {
      hint: 'Leave --mode out, or name a single file.',
    });

  const names = (await listSqlNames(found)).sort(compareNaturally);
  if (names.length === 0)
    throw new FluxError('usage', `There are no .sql files in ${found}.`, {
      hint: 'Name a file, or a folder with files such as 001_init.sql.',
    });
  const files: SqlFile[] = [];
  for (const name of names) files.push(await readSqlFile(join(found, name), mode ?? (isRepeatableName(name) ? 'repeatable' : 'versioned')));
  assertDistinct(files);
  return [...files.filter((file) => file.mode !== 'repeatable'), ...files.filter((file) => file.mode === 'repeatable')];
}

/** Treats a raw file that the ledger knows as versioned: it was pushed with its folder before. */
export function asRecorded(file: SqlFile, applied: readonly MigrationMark[]): SqlFile {
  if (file.mode !== 'raw') return file;
  const version = versionOf(file.filename);
  return findApplied({ ...file, version }, applied) === undefined ? file : { ...file, mode: 'versioned', version };
}

/** Version in the name of a file: the digits before the first `_`, else the whole base name. */
export function versionOf(filename: string): string {
  const base = filename.replace(/\.sql$/i, '');
  return /^([0-9]+)_/.exec(base)?.[1] ?? base;
}

/** Natural order of names: `2_b.sql` before `10_a.sql`. */
export function compareNaturally(a: string, b: string): number {
  const left = a.match(/\d+|\D+/g) ?? [];
  const right = b.match(/\d+|\D+/g) ?? [];
  for (let index = 0; index < Math.min(left.length, right.length); index += 1) {
    const one = left[index] ?? '';
    const other = right[index] ?? '';
    if (/^\d/.test(one) && /^\d/.test(other)) {
      const difference = BigInt(one) - BigInt(other);
      if (difference !== 0n) return difference < 0n ? -1 : 1;
    } else if (one !== other) return one < other ? -1 : 1;
  }
  return left.length - right.length || (a < b ? -1 : a > b ? 1 : 0);
}

/** The default `schema.sql` never counts as part of a folder of migrations. */
async function modeOfSingle(path: string, isNamed: boolean): Promise<PushMode> {
  const name = basename(path);
  if (isRepeatableName(name)) return 'repeatable';
  if (isNumberedName(name)) return 'versioned';
  if (!isNamed) return 'raw';
  const folder = dirname(path);
  if (basename(folder) === 'migrations') return 'versioned';
  // A folder that cannot be listed cannot be pushed.
  const names = await listSqlNames(folder).catch(() => []);
  return names.some(isNumberedName) ? 'versioned' : 'raw';
}

function isNumberedName(name: string): boolean {
  return /^\d+[_.-]/.test(name);
}

function isRepeatableName(name: string): boolean {
  return name.startsWith('R__');
}

async function findDefault(roots: readonly string[]): Promise<string> {
  for (const root of roots) {
    for (const place of DEFAULT_PLACES) {
      const path = join(root, place);
      const info = await stat(path).catch(() => null);
      if (info === null) continue;
      if (info.isDirectory() ? (await listSqlNames(path)).length > 0 : !place.endsWith('/')) return path;
    }
  }
  throw new FluxError('usage', `There is nothing to push: no .sql files in ${DEFAULT_PLACES.join(', ')}.`, {
    hint: 'Name a file or a folder: `flux push ./migrations`.',
  });
}

async function listSqlNames(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries.filter((entry) => !entry.isDirectory() && /^[^.].*\.sql$/i.test(entry.name)).map((entry) => entry.name);
  } catch (cause) {
    throw unreadable(folder, cause);
  }
}

async function statOrExplain(path: string) {
  try {
    return await stat(path);
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

async function readSqlFile(path: string, mode: PushMode): Promise<SqlFile> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw unreadable(path, cause);
  }
  const filename = basename(path);
  const sql = decode(path, bytes);
  if (sql.trim() === '') throw new FluxError('local_file', `${path} is empty.`, { hint: 'Write some SQL into it, or remove it.' });
  const version = mode === 'versioned' ? versionOf(filename) : filename.replace(/\.sql$/i, '');
  return { path, filename, sql, checksum: createHash('sha256').update(bytes).digest('hex'), mode, version };
}

function decode(path: string, bytes: Buffer): string {
  let text: string;
  try {
    // The byte order mark stays: the control plane compares the checksum with the text that it receives.
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new FluxError('local_file', `${path} is not UTF-8 text.`, {
      hint: 'Convert it, for example with `iconv -t UTF-8`. A dump created with -Fc is not SQL.',
      cause,
    });
  }
  if (text.includes('\0'))
    throw new FluxError('local_file', `${path} contains a zero byte, so it is not a text file.`, {
      hint: 'A dump created with -Fc is restored with pg_restore.',
    });
  return text;
}

/** `1_a.sql` and `001_b.sql` have the same version, which is a mistake. */
function assertDistinct(files: readonly SqlFile[]): void {
  const seen = new Map<string, SqlFile>();
  for (const file of files) {
    if (file.mode === 'raw') continue;
    const key = `${file.mode} ${/^\d+$/.test(file.version) ? BigInt(file.version) : file.version}`;
    const other = seen.get(key);
    if (other !== undefined) {
      throw new FluxError('usage', `Two files have the version ${file.version}: ${other.filename} and ${file.filename}. Nothing was run.`, {
        hint: 'Give one of them another number.',
      });
    }
    seen.set(key, file);
  }
}

function unreadable(path: string, cause: unknown): FluxError {
  const code = (cause as NodeJS.ErrnoException).code;
  if (code === 'ENOENT') return new FluxError('local_file', `There is no file or folder ${path}.`, { hint: 'Check the path.', cause });
  return new FluxError('local_file', `${path} cannot be read (${code ?? 'unknown reason'}).`, { hint: 'Check its permissions.', cause });
}
