import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { awaitOrphans, findPostmaster, isSameProcess, stopPostmaster } from '../../instances/local/postmaster.ts';
import { signalProcess } from '../../system/process.ts';
import { commandLineOf, listProcesses } from '../../system/process-table.ts';
import { disposableFolders, removeDisposableFolders, SOCKET_PREFIX } from './folders.ts';

/**
 * Removes the remains of disposable instances of dead control planes: processes, then folders. Mounts need no sweep: they exist only in
 * namespaces, and end with their last process.
 */
export async function sweepDisposables(dataFolder: string, runFolder: string): Promise<void> {
  const kept = new Set<string>();
  for (const id of await readdir(join(dataFolder, 'disposable')).catch(() => [])) {
    const folders = disposableFolders(dataFolder, runFolder, id);
    if ((await hasLivingOwner(folders.owner)) ?? (await isYoung(folders.root))) {
      kept.add(folders.socket);
      continue;
    }
    // A server without a sandbox also has shared memory, which only the server itself can remove.
    const postmaster = await findPostmaster(folders.data);
    if (postmaster !== undefined) await stopPostmaster(postmaster, folders.data, 0);
    // The command line of each sandbox names this folder; a process with such a command line has outlived its owner.
    for (const entry of await listProcesses())
      if (PROGRAMS.has(entry.name) && (await commandLineOf(entry.pid)).includes(`${folders.root}/`) && (await isSameProcess(entry)))
        signalProcess(entry.pid, 'SIGKILL');
    await awaitOrphans(folders.data, 0);
    await removeDisposableFolders(folders);
  }
  for (const name of await readdir(runFolder).catch(() => [])) {
    const path = join(runFolder, name);
    if (name.startsWith(SOCKET_PREFIX) && !kept.has(path) && !(await isYoung(path))) await rm(path, { recursive: true, force: true });
  }
}

/** Also compares the name: an operator may be reading the log of the dead instance. */
const PROGRAMS: ReadonlySet<string> = new Set(['bwrap', 'unshare', 'sh', 'cp', 'postgres', 'pg_restore']);

/** Undefined without a readable mark: it was not completely created or removed. */
async function hasLivingOwner(path: string): Promise<boolean | undefined> {
  try {
    return await isSameProcess(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return undefined;
  }
}

/** Another worker may be creating it right now, with its mark not yet written or its folder not yet listed. */
async function isYoung(path: string): Promise<boolean> {
  const facts = await stat(path).catch(() => undefined);
  return facts !== undefined && Date.now() - facts.mtimeMs < 2000 && Date.now() >= facts.mtimeMs;
}
