import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { lockFolder } from '../../src/system/folder-lock.ts';

const top = mkdtempSync(join(tmpdir(), 'flux-lock-'));
afterAll(() => rmSync(top, { recursive: true, force: true }));

function makeFolder(name: string): string {
  const path = join(top, name);
  mkdirSync(path);
  return path;
}

const source = (name: string) => fileURLToPath(new URL(`../../src/${name}`, import.meta.url));
/** Another process that locks a folder, tells how that went, and keeps it or is gone. */
const script = (path: string) =>
  `import(${JSON.stringify(source('system/folder-lock.ts'))}).then(({ lockFolder }) => lockFolder(${JSON.stringify(path)})).then(() => 'taken', (error) => error.code).then((how) => { process.stdout.write(how); process.kill(process.pid, 'SIGKILL'); })`;

/** Locks a folder from within namespaces of its own, where `from` is mounted on it. */
function lockInside(namespaces: readonly string[], from: string, path: string): string {
  const line = `mount --bind "$1" "$2" && exec "$3" -e "$4"`;
  const answer = spawnSync('unshare', [...namespaces, 'sh', '-c', line, 'sh', from, path, process.execPath, script(path)], {
    encoding: 'utf8',
    cwd: source('..'),
  });
  return answer.stdout || answer.stderr;
}

it('refuses a second claim under the same path, under a link, and lets go', async () => {
  const folder = makeFolder('plain');
  const other = join(top, 'link');
  symlinkSync(folder, other);
  const release = await lockFolder(folder);
  for (const path of [folder, `${folder}/`, other])
    await expect(lockFolder(path)).rejects.toMatchObject({ code: 'data_folder_locked', message: expect.stringContaining(path) });
  await release();
  expect(readdirSync(folder)).toEqual([]);
  await (await lockFolder(other))();
});

it('takes over from a process that was killed', async () => {
  const folder = makeFolder('killed');
  expect(spawnSync(process.execPath, ['-e', script(folder)], { encoding: 'utf8' }).stdout).toBe('taken');
  expect(existsSync(join(folder, 'server.lock'))).toBe(true);
  const release = await lockFolder(folder);
  expect(readdirSync(folder)).toEqual(['server.lock']);
  await release();
});

it('claims a folder whose path is longer than that of a socket may be', async () => {
  const folder = makeFolder('x'.repeat(200));
  const release = await lockFolder(folder);
  await expect(lockFolder(folder)).rejects.toMatchObject({ code: 'data_folder_locked' });
  await release();
});

const cannotMount = spawnSync('unshare', ['-m', '-n', 'true']).status !== 0;

it.skipIf(cannotMount)('refuses a bind mount of the folder, in another network namespace too (needs the right to unshare)', async () => {
  const folder = makeFolder('bound');
  const mounted = makeFolder('mounted');
  expect(lockInside(['-m'], folder, mounted)).toBe('taken');
  const release = await lockFolder(folder);
  expect(lockInside(['-m'], folder, mounted)).toBe('data_folder_locked');
  expect(lockInside(['-m', '-n'], folder, mounted)).toBe('data_folder_locked');
  await release();
});
