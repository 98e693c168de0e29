import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';
import { type MigrationMark, REPEATABLE_PREFIX } from '@flux/contract/applied';
import { FluxError } from '@flux/contract/errors';
import {
  compareNames,
  describeWayDown,
  flywayVersion,
  isFlywayBaseline,
  isFlywayCallback,
  isNumberedName,
  undoesAnother,
} from '@flux/contract/sql/file-names';
import { unreadable } from './unreadable.ts';

/** A file of a folder of migrations, under the name that the ledger knows it by. */
export interface FolderEntry {
  readonly path: string;
  /** The base name; of a migration that is a folder, also that of the folder: `20260101_init/migration.sql`. */
  readonly name: string;
}

/** What a folder holds. */
export interface FolderContent {
  /** In the order in which they run. */
  readonly entries: readonly FolderEntry[];
  /** Files that a push of the folder does not run, each with the reason. */
  readonly leftOut: readonly { readonly name: string; readonly why: string }[];
}

/** Names of the one file that runs in a folder per migration: Prisma and drizzle; diesel and Hasura. */
const STEP_FILES = ['migration.sql', 'up.sql'];
/** Migrations in other languages that stand among those in SQL. */
const OTHER_LANGUAGES = /^\d+[_.-].*\.(?:[cm]?[jt]s|py|rb|go|java|php|xml|ya?ml|json)$/i;

/**
 * Reads a folder of migrations as the tool that laid it out would: pairs of up and down, Flyway's names, one folder per migration.
 *
 * @throws FluxError `local_file` for a folder that cannot be read, `usage` for one that cannot be understood or is empty
 */
export async function readMigrationFolder(folder: string): Promise<FolderContent> {
  await refuseSqitch(folder);
  if (await isFolderOfDowns(folder))
    throw new FluxError('usage', `${folder} has the ways down of the migrations in the folder beside it. Nothing was run.`, {
      hint: 'Push the folder of the ways up. To run one of its files on purpose: `flux push <file> --mode raw`.',
    });
  const { sqlNames, folders, others } = await listFolder(folder);
  const steps = await findSteps(folder, folders);
  if (sqlNames.length === 0 && steps.length > 0) return { entries: steps, leftOut: [] };
  if (sqlNames.length === 0)
    throw new FluxError('usage', `There are no .sql files in ${folder}.`, {
      hint: 'Name a file, or a folder with files such as 001_init.sql.',
    });
  if (isStepFolder(folder, sqlNames)) {
    const name = STEP_FILES.find((step) => sqlNames.includes(step)) ?? '';
    return { entries: [entryOf(join(folder, name))], leftOut: sqlNames.filter((other) => other !== name).map((other) => leftOutOf(other)) };
  }
  const [step] = steps;
  if (step !== undefined)
    throw new FluxError(
      'usage',
      `${folder} has both SQL files and folders with one migration each, such as ${step.name}. Nothing was run.`,
      {
        hint: 'Push the files, and each folder, by name.',
      },
    );
  const hasFlyway = sqlNames.some((name) => flywayVersion(name) !== undefined);
  const baseline = sqlNames.find((name) => isFlywayBaseline(name));
  if (hasFlyway && baseline !== undefined)
    throw new FluxError(
      'usage',
      `${baseline} is a baseline of Flyway: it stands for the versions up to its own, and would run beside them.`,
      {
        hint: 'Move it out of the folder; on an empty database the versioned files do the same.',
      },
    );
  const all = new Set(sqlNames);
  const down = sqlNames.filter((name) => describeWayDown(name) !== undefined || undoesAnother(name, all));
  const callbacks = hasFlyway ? sqlNames.filter((name) => isFlywayCallback(name)) : [];
  const nested = await findNestedSql(folder, folders);
  const entries = sqlNames.filter((name) => !down.includes(name) && !callbacks.includes(name)).map((name) => entryOf(join(folder, name)));
  if (entries.length === 0)
    throw new FluxError('usage', `${folder} has only files that undo migrations, such as ${down[0] ?? callbacks[0]}. Nothing was run.`, {
      hint: 'Push the folder of the migrations. To run such a file on purpose: `flux push <file> --mode raw`.',
    });
  return {
    entries,
    leftOut: [
      ...down.map((name) => leftOutOf(name)),
      ...callbacks.map((name) => ({ name, why: 'a callback of Flyway' })),
      ...others.map((name) => ({ name, why: 'not SQL' })),
      ...nested.map((name) => ({ name, why: 'in a subfolder' })),
    ],
  };
}

/** Whether a single file undoes a migration, by its name or beside the others of its folder; the reason, else undefined. */
export async function describeSingleWayDown(path: string): Promise<string | undefined> {
  const name = basename(path);
  const why = describeWayDown(name);
  if (why !== undefined) return why;
  if (await isFolderOfDowns(dirname(path))) return 'in a folder of ways down';
  const names = await namesOrNone(dirname(path));
  return undoesAnother(name, new Set(names)) ? 'the way down of another file beside it' : undefined;
}

/** Whether a recorded migration lies in the folder of a file that is pushed alone: a push of that folder would run the file as well. */
export async function hasRecordedNeighbour(path: string, applied: readonly MigrationMark[]): Promise<boolean> {
  const folder = dirname(path);
  // It is the state of a whole database, and never counts as part of a folder of migrations.
  if (basename(path) === 'schema.sql') return false;
  for (const name of await namesOrNone(folder)) {
    const rows = applied.filter((row) => row.filename === name && !row.version.startsWith(REPEATABLE_PREFIX));
    if (rows.length === 0 || name === basename(path)) continue;
    const bytes = await readFile(join(folder, name)).catch(() => null);
    const checksum = bytes === null ? null : createHash('sha256').update(bytes).digest('hex');
    if (rows.some((row) => row.checksum === checksum)) return true;
  }
  return false;
}

/** Whether a folder holds the ways down of those in the folder beside it: `down/` and `up/`. */
async function isFolderOfDowns(folder: string): Promise<boolean> {
  if (!/^(?:downs?|undo|rollbacks?|revert)$/i.test(basename(folder))) return false;
  const beside = await readdir(dirname(folder)).catch((): string[] => []);
  return beside.some((name) => /^(?:ups?|do|deploy|apply|migrations?)$/i.test(name));
}

/** The entry of a single file: what a push of its folder would make of it. */
export function entryOf(path: string): FolderEntry {
  const name = basename(path);
  return { path, name: isStep(path) ? `${basename(dirname(path))}/${name}` : name };
}

/** Whether a file is the migration that its folder stands for. */
export function isStep(path: string): boolean {
  const folder = dirname(path);
  if (!STEP_FILES.includes(basename(path))) return false;
  return isNumberedName(`${basename(folder)}.sql`) || isMigrationsName(basename(dirname(folder)));
}

/** Whether a file lies in a folder of migrations: below one that is called so, or beside a numbered file. */
export async function isAmongMigrations(path: string, root: string): Promise<boolean> {
  const below = relative(root, dirname(path));
  const folders = below.startsWith('..') ? [basename(dirname(path))] : [basename(root), ...below.split(sep)];
  if (folders.some(isMigrationsName)) return true;
  const names = await namesOrNone(dirname(path));
  return names.some(isNumberedName);
}

function isMigrationsName(name: string): boolean {
  return /^(?:db[-_]|sql[-_]|schema[-_])?migrations?$/i.test(name);
}

/** The names of the .sql files of a folder. @throws FluxError `local_file` */
export async function listSqlNames(folder: string): Promise<readonly string[]> {
  return (await listFolder(folder)).sqlNames;
}

/** A folder that cannot be listed cannot be pushed; as a neighbour it has nothing to say. */
function namesOrNone(folder: string): Promise<readonly string[]> {
  return listSqlNames(folder).catch((): readonly string[] => []);
}

async function listFolder(folder: string) {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    throw unreadable(folder, cause);
  });
  const seen = entries.filter(({ name }) => !name.startsWith('.'));
  const files = seen.filter((entry) => !entry.isDirectory()).map(({ name }) => name);
  return {
    sqlNames: files.filter((name) => /\.sql$/i.test(name)).sort(compareNames),
    others: files.filter((name) => OTHER_LANGUAGES.test(name)).sort(compareNames),
    folders: seen.filter((entry) => entry.isDirectory()).map(({ name }) => name),
  };
}

async function findSteps(folder: string, folders: readonly string[]): Promise<readonly FolderEntry[]> {
  const found: FolderEntry[] = [];
  for (const name of [...folders].sort(compareNames)) {
    const names = await namesOrNone(join(folder, name));
    const step = STEP_FILES.find((file) => names.includes(file));
    if (step !== undefined && isStep(join(folder, name, step))) found.push(entryOf(join(folder, name, step)));
  }
  return found;
}

function isStepFolder(folder: string, sqlNames: readonly string[]): boolean {
  return STEP_FILES.some((name) => sqlNames.includes(name) && isStep(join(folder, name)));
}

async function findNestedSql(folder: string, folders: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const name of folders) {
    const names = await namesOrNone(join(folder, name));
    if (names.length > 0) found.push(`${name}/`);
  }
  return found;
}

function leftOutOf(name: string): { readonly name: string; readonly why: string } {
  return { name, why: describeWayDown(name) ?? 'the way down of another file' };
}

/** Sqitch keeps the order of its changes in a plan; their names have none. */
async function refuseSqitch(folder: string): Promise<void> {
  for (const place of [folder, dirname(folder)]) {
    const names = await readdir(place).catch((): string[] => []);
    if (!names.includes('sqitch.plan')) continue;
    if (place !== folder && !/^(?:deploy|revert|verify)$/i.test(basename(folder))) continue;
    throw new FluxError(
      'usage',
      `${folder} belongs to a project of Sqitch, whose order is in ${join(place, 'sqitch.plan')} and not in its names.`,
      {
        hint: 'Run `sqitch deploy` with the URI that `flux project credentials --field postgres.url` prints, or push single files.',
      },
    );
  }
}
