import { access, constants, open, readdir, realpath } from 'node:fs/promises';
import { basename, delimiter, isAbsolute, join } from 'node:path';
import { FluxError } from '@flux/contract/errors';
import { runProcess } from '../system/process.ts';
import { adviseOnInstalling } from './install-advice.ts';
import type { PostgresToolbox, PostgresTools } from './target.ts';

/** Where distributions put one folder per major, each with a `bin` in it. */
const MAJOR_PARENTS = ['/usr/lib/postgresql', '/usr/local/lib/postgresql', '/opt/postgresql'];
/** Parents of folders that carry the major in their name: `/usr/pgsql-16/bin`, `/opt/homebrew/opt/postgresql@16/bin`. */
const NAMED_PARENTS = ['/usr', '/opt/homebrew/opt', '/usr/local/opt', '/home/linuxbrew/.linuxbrew/opt'];
const NAMED_FOLDER = /^(?:pgsql-|postgresql@)\d+$/;

const SERVER = ['postgres', 'initdb'] as const;
const CLIENT = ['pg_dump', 'pg_restore'] as const;
type Program = (typeof SERVER)[number] | (typeof CLIENT)[number];
type Need = 'server' | 'client' | 'both';

/**
 * Finds the Postgres programs of this host, once; the next call sees what was installed later.
 *
 * Order: the given folders (each a `bin` folder, or one that holds `<major>/bin`), the places of distributions, then
 * `searchPath`. A folder may hold only the server's or only the client's programs: they are combined by major, and of
 * several folders with the same program the first wins. Programs that do not start are skipped; scripts that start a
 * program are taken from the given folders only.
 *
 * @param folders from the settings
 * @param searchPath the value of PATH
 */
export async function findPostgresTools(folders: readonly string[], searchPath = ''): Promise<PostgresToolbox> {
  const searched = await candidateFolders(folders, searchPath.split(delimiter));
  const isGiven = (folder: string) => folders.some((given) => folder === given || folder.startsWith(`${given}/`));
  const found = (await Promise.all(searched.map((folder) => inspectFolder(folder, isGiven(folder) ? 'any' : 'binary')))).flat();
  const byMajor = combine(found);
  const has = (tools: PostgresTools | undefined, need: Need) => tools !== undefined && missingOf(tools, need).length === 0;
  return {
    majors: () => [...byMajor.values()].filter((tools) => has(tools, 'both')).map((tools) => tools.major),
    require(major, need) {
      const tools = byMajor.get(major);
      if (tools !== undefined && has(tools, need)) return tools;
      throw missingError(major, need, tools, byMajor, searched);
    },
  };
}

interface FoundPrograms {
  readonly major: number;
  readonly version: string;
  readonly folder: string;
  readonly programs: Partial<Record<Program, string>>;
}

/** Server and client programs in one folder are separate: each reports its own version. */
async function inspectFolder(folder: string, form: ProgramForm): Promise<FoundPrograms[]> {
  const found = await Promise.all([SERVER, CLIENT].map((names) => inspectPrograms(folder, names, form)));
  return found.filter((part) => part !== undefined);
}

async function inspectPrograms(folder: string, names: readonly Program[], form: ProgramForm): Promise<FoundPrograms | undefined> {
  const programs: Partial<Record<Program, string>> = {};
  for (const name of names) {
    const path = join(folder, name);
    if (await isProgram(path, form)) programs[name] = path;
  }
  const first = Object.values(programs)[0];
  if (first === undefined) return undefined;
  const answer = await runProcess(first, ['--version']).catch(() => undefined);
  const parsed = answer?.exitCode === 0 ? parseVersion(answer.stdout) : undefined;
  return parsed && { ...parsed, folder, programs };
}

/** Reads what `<program> --version` prints, for example `pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`. */
export function parseVersion(text: string): { readonly major: number; readonly version: string } | undefined {
  const match = /\(PostgreSQL\) ((\d+)(?:\.\d+|devel|beta\d+|rc\d+)?)/.exec(text);
  return match?.[1] === undefined ? undefined : { version: match[1], major: Number(match[2]) };
}

function combine(found: readonly FoundPrograms[]): Map<number, PostgresTools> {
  const byMajor = new Map<number, PostgresTools>();
  for (const part of found) {
    const known = byMajor.get(part.major);
    const isServer = part.programs.postgres !== undefined;
    byMajor.set(part.major, {
      major: part.major,
      // The server's version takes precedence over the client's, because the server runs the restored database.
      version: known === undefined || (isServer && known.postgres === undefined) ? part.version : known.version,
      binFolder: known === undefined || (isServer && known.postgres === undefined) ? part.folder : known.binFolder,
      postgres: known?.postgres ?? part.programs.postgres,
      initdb: known?.initdb ?? part.programs.initdb,
      pgDump: known?.pgDump ?? part.programs.pg_dump,
      pgRestore: known?.pgRestore ?? part.programs.pg_restore,
    });
  }
  return new Map([...byMajor].sort(([a], [b]) => a - b));
}

function missingOf(tools: PostgresTools | undefined, need: Need): Program[] {
  const wanted: Program[] = [...(need === 'client' ? [] : SERVER), ...(need === 'server' ? [] : CLIENT)];
  const there = { postgres: tools?.postgres, initdb: tools?.initdb, pg_dump: tools?.pgDump, pg_restore: tools?.pgRestore };
  return wanted.filter((name) => there[name] === undefined);
}

function missingError(
  major: number,
  need: Need,
  tools: PostgresTools | undefined,
  byMajor: ReadonlyMap<number, PostgresTools>,
  searched: readonly string[],
): FluxError {
  const others = [...byMajor.keys()].filter((other) => missingOf(byMajor.get(other), need).length === 0);
  const here = others.length === 0 ? 'No other major version is installed.' : `Installed: ${others.join(', ')}.`;
  const packageName = need === 'client' ? `postgresql-client-${major}` : `postgresql-${major}`;
  return new FluxError(
    'postgres_missing',
    `PostgreSQL ${major} is needed, and ${missingOf(tools, need).join(', ')} of that major version cannot be found. ${here}`,
    {
      hint: `${adviseOnInstalling(major, packageName)}; or set FLUX_POSTGRES_BIN_DIRS to the folder that contains it.`,
      details: { major, need, majorsHere: others, searched },
    },
  );
}

async function candidateFolders(given: readonly string[], onPath: readonly string[]): Promise<string[]> {
  const candidates: string[] = [];
  for (const folder of given) candidates.push(folder, join(folder, 'bin'), ...(await majorFolders(folder)));
  for (const parent of MAJOR_PARENTS) candidates.push(...(await majorFolders(parent)));
  for (const parent of NAMED_PARENTS)
    for (const name of await namesIn(parent)) if (NAMED_FOLDER.test(name)) candidates.push(join(parent, name, 'bin'));
  // A relative entry of PATH would mean another folder for each process that uses it.
  candidates.push(...onPath.filter(isAbsolute));
  return [...new Set(candidates)];
}

/** The `bin` folders below a folder with one entry per major, newest first. */
async function majorFolders(parent: string): Promise<string[]> {
  const majors = (await namesIn(parent)).filter((name) => /^\d+$/.test(name));
  return majors.sort((a, b) => Number(b) - Number(a)).map((name) => join(parent, name, 'bin'));
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}

/** `any`: also a script, such as one that starts a program with libraries of its own. */
type ProgramForm = 'binary' | 'any';

async function isProgram(path: string, form: ProgramForm): Promise<boolean> {
  if (
    !(await access(path, constants.X_OK).then(
      () => true,
      () => false,
    ))
  )
    return false;
  // Debian's /usr/bin/pg_dump is a script that chooses a major by its own rules, wherever it is found.
  if (basename(await realpath(path)) === 'pg_wrapper') return false;
  if (form === 'any') return true;
  // Other scripts might do the same; they are used only from folders that the operator has configured.
  await using file = await open(path, 'r').catch(() => undefined);
  const start = await file?.read(Buffer.alloc(2), 0, 2, 0);
  return start !== undefined && start.buffer.toString('latin1') !== '#!';
}
