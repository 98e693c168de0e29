import { readlinkSync } from 'node:fs';
import { lstat, open, readdir, readlink, realpath, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { FluxError } from '@flux/contract/errors';
import { runProcess } from '../system/process.ts';
import { adviseOnInstalling } from './install-advice.ts';
import type { PostgresTools } from './target.ts';

/** What every sandbox shows: programs and libraries of the system. */
const SYSTEM = ['/usr', '/lib', '/lib32', '/lib64', '/bin', '/sbin', '/etc/ld.so.cache'];
/** What Debian keeps behind links from there: which of several libraries is meant, and dictionaries that are made from others. */
const BEHIND_LINKS = ['/etc/alternatives', '/var/cache/postgresql/dicts'];
/** Folders for software beside that of the system. A library in one of them may be shown, alone. */
const LIBRARY_FOLDERS = ['/opt/', '/nix/store/', '/gnu/store/'];
const MAX_LINKS = 8;

/**
 * The folders and files that a sandbox must show, read-only, so that these programs run there: their own folder with
 * symbolic links resolved, the installation around it (libraries and share), the system's libraries, and what links in the folders of
 * Postgres lead to, which whoever administers this host has put there. Only paths that exist; none of them lies below another.
 *
 * @param libraries absolute paths of libraries that functions of a source name; those that are none, or lie where they do not belong, are
 *   left out: the paths are other people's
 */
export async function sandboxPathsOf(tools: PostgresTools, libraries: readonly string[] = []): Promise<readonly string[]> {
  const programs = [tools.postgres, tools.initdb, tools.pgDump, tools.pgRestore].filter((path) => path !== undefined);
  const wanted = [...SYSTEM, ...BEHIND_LINKS];
  const bins = new Set(await Promise.all(programs.map(async (program) => dirname(await findStill(program, tools.major)))));
  // The path as it was found is what gets executed, so it must exist there too.
  for (const program of programs) wanted.push(dirname(program));
  const configured: string[] = [];
  for (const bin of bins) {
    // A program that was moved looks for its libraries and its share folder beside its own folder; the rest of what lies
    // there (it may be somebody's home) stays hidden.
    wanted.push(bin, join(dirname(bin), 'lib'), join(dirname(bin), 'share'));
    configured.push(...(await configuredFolders(bin)));
  }
  wanted.push(...configured);
  for (const folder of configured)
    for (const place of [folder, join(folder, 'tsearch_data'), join(folder, 'extension')]) wanted.push(...(await linkTargets(place)));
  for (const library of libraries) if (await isForeignLibrary(library)) wanted.push(library);
  const there: string[] = [];
  for (const path of new Set(wanted)) if ((await stat(path).catch(() => undefined)) !== undefined) there.push(path);
  return there.filter((path) => !there.some((other) => other !== path && path.startsWith(`${other}/`)));
}

/** The path of a program without symbolic links. @throws FluxError `postgres_missing` when it was removed since it was found */
async function findStill(program: string, major: number): Promise<string> {
  try {
    return await realpath(program);
  } catch (error) {
    throw new FluxError('postgres_missing', `${program} was there when Flux looked for PostgreSQL ${major}, and is not any more.`, {
      hint: `${adviseOnInstalling(major, `postgresql-${major}`)}, then repeat the command.`,
      cause: error,
    });
  }
}

/**
 * Where the symbolic links of a folder lead, one hop after the other, when the last is a plain file. Most of them are other names of a file
 * beside them (PostGIS has hundreds): these lead nowhere else.
 */
async function linkTargets(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const links = entries.filter((entry) => entry.isSymbolicLink()).map((entry) => join(folder, entry.name));
  return (await Promise.all(links.filter(leadsElsewhere).map(followLink))).flat();
}

function leadsElsewhere(link: string): boolean {
  try {
    // At once: handing hundreds of them to threads takes a tenth of a second.
    return readlinkSync(link).includes('/');
  } catch {
    return false;
  }
}

async function followLink(link: string): Promise<string[]> {
  if (!(await stat(link).catch(() => undefined))?.isFile()) return [];
  const hops: string[] = [];
  for (let at = link; hops.length < MAX_LINKS; ) {
    if (!(await lstat(at)).isSymbolicLink()) return hops;
    at = resolve(dirname(at), await readlink(at));
    hops.push(at);
  }
  return [];
}

/** Whether a path is that of a shared library in a folder for software, without any link on its way. */
async function isForeignLibrary(path: string): Promise<boolean> {
  if (!isAbsolute(path) || !LIBRARY_FOLDERS.some((folder) => path.startsWith(folder))) return false;
  if ((await realpath(path).catch(() => undefined)) !== path || !(await lstat(path)).isFile()) return false;
  await using file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return false;
  // The magic number of ELF.
  const start = await file.read(Buffer.alloc(4), 0, 4, 0);
  return start.buffer.toString('latin1') === '\x7fELF';
}

async function configuredFolders(binFolder: string): Promise<string[]> {
  const answer = await runProcess(join(binFolder, 'pg_config'), ['--sharedir', '--pkglibdir', '--libdir']).catch(() => undefined);
  return answer?.exitCode === 0 ? answer.stdout.split('\n').filter(isAbsolute) : [];
}
