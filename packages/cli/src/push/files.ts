import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { basename, join, relative, resolve, sep } from 'node:path';
import { findApplied, type MigrationMark, REPEATABLE_PREFIX } from '@flux/contract/applied';
import { displaySafe } from '@flux/contract/display';
import { FluxError } from '@flux/contract/errors';
import { flywayVersion, isNumberedName, isRepeatableName } from '@flux/contract/sql/file-names';
import { identifyingText } from '@flux/contract/sql/runnable';
import { decodeSqlFile } from './decode.ts';
import {
  describeSingleWayDown,
  entryOf,
  type FolderContent,
  type FolderEntry,
  hasRecordedNeighbour,
  isAmongMigrations,
  isStep,
  listSqlNames,
  readMigrationFolder,
} from './folder.ts';
import { unreadable } from './unreadable.ts';

/** When a file runs: with each push, exactly once, or after each change. */
export type PushMode = 'raw' | 'versioned' | 'repeatable';

/** One SQL file, read. */
export interface SqlFile {
  readonly path: string;
  /** Its base name; of a migration that is a folder, `<folder>/migration.sql`. */
  readonly filename: string;
  /** As it is sent, in UTF-8. */
  readonly sql: string;
  /** SHA-256 of the text that identifies the file, lowercase hex. */
  readonly checksum: string;
  /** SHA-256 of the bytes, under which earlier releases recorded it. */
  readonly formerChecksum: string;
  readonly mode: PushMode;
  /** Version of a versioned file, id of a repeatable one, the base name of a raw one. */
  readonly version: string;
  readonly convertedFrom: 'UTF-16' | null;
}

/** The files of a push, and those of its folder that it does not run. */
export interface CollectedFiles {
  readonly files: readonly SqlFile[];
  readonly leftOut: FolderContent['leftOut'];
}

/** Where `flux push` looks without an argument, in order. */
export const DEFAULT_PLACES = ['migrations/', 'flux/migrations/', 'sql/migrations/', 'sql/', 'schema.sql'] as const;

/** What the flags of a push say about its files. */
export interface CollectChoices {
  readonly mode?: PushMode | undefined;
  /** Id of a single repeatable file, instead of its path. */
  readonly id?: string | undefined;
}

/**
 * Reads the files to push, in the order in which they run: versioned files by name, repeatable ones after them.
 *
 * A single file gets the mode and the version that a push of its folder would give it, so that the folder skips it later.
 *
 * @param roots folders in which the default places are looked for; ids of repeatable files are relative to the last one
 * @throws FluxError `local_file` for a file that cannot be read, is not text or is empty; `usage` when nothing was found, two files have
 *   one version, or a file undoes a migration
 */
export async function collectSqlFiles(
  target: string | undefined,
  roots: readonly string[],
  { mode, id }: CollectChoices = {},
): Promise<CollectedFiles> {
  const found = target === undefined ? await findDefault(roots) : resolve(roots[0] ?? '.', target);
  const root = roots.at(-1) ?? '.';
  const info = await statOrExplain(found);
  if (!info.isDirectory()) {
    const chosen = mode ?? (await modeOfSingle(found, root, target !== undefined));
    if (id !== undefined && chosen !== 'repeatable')
      throw new FluxError('usage', '--id names a repeatable file, and this one is not.', {
        hint: 'Add --mode repeatable, or leave --id out.',
      });
    return { files: [await readSqlFile(entryOf(found), chosen, root, id)], leftOut: [] };
  }
  if (mode === 'raw')
    throw new FluxError('usage', `${found} is a folder, and --mode raw would run each of its files again with every push.`, {
      hint: 'Leave --mode out, or name a single file.',
    });
  if (id !== undefined)
    throw new FluxError('usage', `--id names a single repeatable file, and ${found} is a folder.`, { hint: 'Name the file.' });

  const { entries, leftOut } = await readMigrationFolder(found);
  const files: SqlFile[] = [];
  for (const entry of entries)
    files.push(await readSqlFile(entry, mode ?? (isRepeatableName(entry.name) ? 'repeatable' : 'versioned'), root));
  assertDistinct(files);
  return { files: [...files.filter((file) => file.mode !== 'repeatable'), ...files.filter((file) => file.mode === 'repeatable')], leftOut };
}

/**
 * Treats a raw file as what the ledger makes of it: it was pushed with its folder, or as a repeatable one, before; or its folder was
 * pushed, and would run it as a migration the next time.
 */
export async function asRecorded(file: SqlFile, applied: readonly MigrationMark[], id: string): Promise<SqlFile> {
  if (file.mode !== 'raw') return file;
  const version = versionOf(file.filename);
  const isVersioned = findApplied({ ...file, version }, applied) !== undefined || (await hasRecordedNeighbour(file.path, applied));
  if (isVersioned) return { ...file, mode: 'versioned', version };
  return applied.some((row) => row.version === REPEATABLE_PREFIX + id) ? { ...file, mode: 'repeatable', version: id } : file;
}

/** Version in the name of a file: the digits before the first `_`, else the whole base name; of a folder's migration, that of the folder. */
export function versionOf(filename: string): string {
  const slash = filename.indexOf('/');
  const base = slash < 0 ? filename.replace(/\.sql$/i, '') : filename.slice(0, slash);
  return /^([0-9]+)_/.exec(base)?.[1] ?? base;
}

/** Id of a repeatable file: its path below the project's folder, so that two with one base name are two. */
export function idOf(path: string, root: string): string {
  return relative(root, path).split(sep).join('/');
}

/** The default `schema.sql` never counts as part of a folder of migrations. @throws FluxError `usage` for a file that undoes a migration */
async function modeOfSingle(path: string, root: string, isNamed: boolean): Promise<PushMode> {
  const name = basename(path);
  const down = await describeSingleWayDown(path);
  if (down !== undefined)
    throw new FluxError('usage', `${name} is ${down}, so it would undo a migration. Nothing was run.`, {
      hint: 'To run it on purpose, unrecorded: `--mode raw`.',
    });
  if (isRepeatableName(name)) return 'repeatable';
  if (isNumberedName(name) || isStep(path)) return 'versioned';
  if (!isNamed) return 'raw';
  return (await isAmongMigrations(path, root)) ? 'versioned' : 'raw';
}

async function findDefault(roots: readonly string[]): Promise<string> {
  for (const root of roots) {
    for (const place of DEFAULT_PLACES) {
      const path = join(root, place);
      const info = await stat(path).catch(() => null);
      if (info === null) continue;
      if (info.isDirectory() ? await holdsMigrations(path) : !place.endsWith('/')) return path;
    }
  }
  throw new FluxError('usage', `There is nothing to push: no .sql files in ${DEFAULT_PLACES.join(', ')}.`, {
    hint: 'Name a file or a folder: `flux push ./migrations`.',
  });
}

async function holdsMigrations(folder: string): Promise<boolean> {
  if ((await listSqlNames(folder)).length > 0) return true;
  return readMigrationFolder(folder).then(
    () => true,
    () => false,
  );
}

async function statOrExplain(path: string) {
  try {
    return await stat(path);
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

async function readSqlFile({ path, name }: FolderEntry, mode: PushMode, root: string, id = idOf(path, root)): Promise<SqlFile> {
  // What an answer says of the ledger has none, so that such a name would never be found in it.
  const recorded = mode === 'repeatable' ? id : name;
  if (/\p{Cc}/u.test(name + recorded))
    throw new FluxError('local_file', `The name of ${displaySafe(recorded)} has control characters in it.`, {
      hint: 'Rename it: its name is shown, and recorded in the ledger.',
    });
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw unreadable(path, cause);
  }
  const { text: sql, convertedFrom } = decodeSqlFile(path, bytes);
  if (sql.trim() === '') throw new FluxError('local_file', `${path} is empty.`, { hint: 'Write some SQL into it, or remove it.' });
  const version = { versioned: versionOf(name), repeatable: id, raw: name.replace(/\.sql$/i, '') }[mode];
  return { path, filename: name, sql, checksum: sha256(identifyingText(sql)), formerChecksum: sha256(bytes), mode, version, convertedFrom };
}

function sha256(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

/** `1_a.sql` and `001_b.sql` have the same version, which is a mistake; so have `V1__a.sql` and `V1.0__b.sql`. */
function assertDistinct(files: readonly SqlFile[]): void {
  const seen = new Map<string, SqlFile>();
  for (const file of files) {
    if (file.mode === 'raw') continue;
    const flyway = file.mode === 'versioned' ? flywayVersion(file.filename) : undefined;
    const version = flyway === undefined ? file.version : `V${flyway}`;
    const key = `${file.mode} ${/^\d+$/.test(version) ? BigInt(version) : version}`;
    const other = seen.get(key);
    if (other !== undefined) {
      throw new FluxError('usage', `Two files have the version ${version}: ${other.filename} and ${file.filename}. Nothing was run.`, {
        hint: 'Give one of them another number.',
      });
    }
    seen.set(key, file);
  }
}
