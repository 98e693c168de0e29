import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { type Flux, startFlux, type TestProject } from '../harness/flux.ts';
import { run, runWell } from '../harness/process.ts';
import { leaveOut } from '../harness/sandbox.ts';
import { siegeChapter } from './attack.ts';

const attack = siegeChapter('Volumes that refuse to be written');

/** Mounts a file system in memory for the time of some work. */
async function withVolume<T>(options: string, work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'flux-volume-'));
  try {
    await runWell('mount', ['-t', 'tmpfs', '-o', `mode=0755,${options}`, 'flux-test', folder]);
    return await work(folder);
  } finally {
    await run('umount', [folder]);
    rmSync(folder, { recursive: true });
  }
}

async function whyNoMount(): Promise<string | undefined> {
  return withVolume('size=64k', async () => undefined).catch((error: Error) => error.message);
}

/** Uses up every inode, and returns what frees them. */
function useUpInodes(folder: string): () => void {
  const place = join(folder, 'filler');
  mkdirSync(place);
  try {
    for (let index = 0; ; index += 1) writeFileSync(join(place, String(index)), '');
  } catch (error) {
    expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC');
  }
  return () => rmSync(place, { recursive: true });
}

/** Everything below a folder of backups that is a file. */
const filesIn = (folder: string) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.includes('filler'))
    .map((entry) => entry.name);

async function createBackup(flux: Flux, project: TestProject, ...more: string[]) {
  return flux.flux('backup', 'create', ...project.flags, ...more);
}

const why = await whyNoMount();
describe('a volume of its own', why === undefined ? {} : leaveOut(`nothing can be mounted here: ${why}`), () => {
  attack(
    'The backup volume becomes read-only, and writable again',
    'a create says so and leaves nothing; list and download go on; then all is as before',
    () =>
      withVolume('size=64m', async (volume) => {
        await using flux = await startFlux({ env: { FLUX_BACKUPS_LOCAL_DIR: volume } });
        const shop = await flux.createProject('shop', 'v2_shared');
        await flux.push(shop, 'create table t (id int); insert into t values (1);');
        expect((await createBackup(flux, shop, '--verify')).exitCode).toBe(0);
        const before = filesIn(volume);

        await runWell('mount', ['-o', 'remount,ro', volume]);
        const refused = await createBackup(flux, shop);
        expect(refused.exitCode).toBe(1);
        expect(refused.stderr).toMatch(/read-only file system/i);
        expect(refused.stderr).toContain('FLUX_BACKUPS_LOCAL_DIR');
        expect(filesIn(volume)).toEqual(before);
        const { backups } = JSON.parse((await flux.flux('backup', 'list', ...shop.flags, '--json')).stdout) as {
          backups: { id: string; tier: string }[];
        };
        const good = backups.find(({ tier }) => tier === 'restorable')?.id ?? '';
        const verified = await flux.flux('backup', 'verify', ...shop.flags, '--id', good);
        expect([0, 10], verified.stderr).toContain(verified.exitCode);
        const downloaded = await flux.flux('backup', 'download', ...shop.flags, '--id', good, '-o', join(flux.folder, 'a.dump'));
        expect(downloaded.exitCode, downloaded.stderr).toBe(0);

        await runWell('mount', ['-o', 'remount,rw', volume]);
        const created = await createBackup(flux, shop, '--verify');
        expect(created.exitCode, created.stderr).toBe(0);
        return `create ended with ${refused.exitCode}, a verification meanwhile with ${verified.exitCode}, download worked`;
      }),
    180_000,
  );

  attack(
    'The backup volume has space and no inodes',
    'a create says that it is full and leaves nothing; with inodes it works',
    () =>
      withVolume('size=64m,nr_inodes=200', async (volume) => {
        await using flux = await startFlux({ env: { FLUX_BACKUPS_LOCAL_DIR: volume } });
        const shop = await flux.createProject('shop', 'v2_shared');
        await flux.push(shop, 'create table t (id int); insert into t values (1);');
        const free = useUpInodes(volume);
        const before = filesIn(volume);
        const full = await createBackup(flux, shop);
        expect(full.exitCode).toBe(1);
        expect(full.stderr).toContain('The backup volume is full.');
        expect(full.stderr).toContain('df -i');
        expect(filesIn(volume)).toEqual(before);
        free();
        const created = await createBackup(flux, shop, '--verify');
        expect(created.exitCode, created.stderr).toBe(0);
        return 'full, said with `df -i`; afterwards created and verified';
      }),
    180_000,
  );

  attack(
    'The data folder has no inodes left',
    'a new project is refused and leaves nothing; others are served; with inodes it works',
    () =>
      withVolume('size=1g,nr_inodes=20000', async (volume) => {
        await using flux = await startFlux({ under: volume, env: { FLUX_VERIFY_STANDBY: 'off' } });
        const shop = await flux.createProject('shop', 'v1_dedicated');
        const instances = readdirSync(join(flux.dataFolder, 'instances'));
        const free = useUpInodes(volume);
        const refused = await flux.flux('create', 'late', '--mode', 'v1_dedicated');
        expect(refused.exitCode).not.toBe(0);
        const [reason] = /^.*(?:no space left|full).*$/im.exec(refused.stderr) ?? [];
        expect(reason, refused.stderr).toBeDefined();
        expect(readdirSync(join(flux.dataFolder, 'instances'))).toEqual(instances);
        const listed = await flux.flux('list');
        expect(listed.stdout).toMatch(/^shop +\w+ +running/m);
        free();
        const created = await flux.flux('create', 'late', '--mode', 'v1_dedicated');
        expect(created.exitCode, created.stderr).toBe(0);
        const backup = await createBackup(flux, shop, '--verify');
        expect(backup.exitCode, backup.stderr).toBe(0);
        return `refused with ${refused.exitCode}: ${reason?.replace(/^Error: /, '')}`;
      }),
    240_000,
  );

  attack('A start on a data folder that is read-only', 'it ends at once and says why', () =>
    withVolume('size=8m', async (volume) => {
      mkdirSync(join(volume, 'data'));
      await runWell('mount', ['-o', 'remount,ro', volume]);
      const started = Date.now();
      const error = await startFlux({ env: { FLUX_DATA_DIR: join(volume, 'data') } }).then(
        (flux) => flux[Symbol.asyncDispose]().then(() => ''),
        (failure: Error) => failure.message,
      );
      expect(error).toMatch(/The data folder .* cannot be written: .*read-only file system/is);
      expect(error).toContain('FLUX_DATA_DIR');
      expect(Date.now() - started).toBeLessThan(15_000);
      return `ended after ${Date.now() - started} ms`;
    }),
  );
});
