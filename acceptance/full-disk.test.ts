import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Flux, startFlux, type TestProject } from './harness/flux.ts';
import { run } from './harness/process.ts';

const SIZE_BYTES = 12 * 2 ** 20;
/** About 10 MB that do not compress: an artifact of it and another one never fit together. */
const DATA = `
  create table noise (id bigint primary key, bytes text not null);
  insert into noise select i, string_agg(md5(i::text || ':' || j::text), '') from generate_series(1, 2000) i, generate_series(1, 250) j group by i;`;

/** How a small file system can be had here; bubblewrap(1) mounts one that only the server sees, also for an ordinary user. */
async function findMeans(): Promise<'mount' | 'bubblewrap' | string> {
  const probe = join('/tmp', `flux-probe-${process.pid}`);
  mkdirSync(probe);
  try {
    if (process.getuid?.() === 0) {
      const mounted = await run('mount', ['-t', 'tmpfs', '-o', `size=${SIZE_BYTES}`, 'flux-test', probe]);
      if (mounted.exitCode === 0) {
        await run('umount', [probe]);
        return 'mount';
      }
    }
    const wrapped = await run('bwrap', ['--dev-bind', '/', '/', '--size', String(SIZE_BYTES), '--tmpfs', probe, 'true']).catch(
      (error: Error) => ({ exitCode: 1, stderr: error.message }),
    );
    return wrapped.exitCode === 0 ? 'bubblewrap' : `neither mount nor bwrap can make a small file system here: ${wrapped.stderr.trim()}`;
  } finally {
    rmSync(probe, { recursive: true });
  }
}

const means = await findMeans();
const isPossible = means === 'mount' || means === 'bubblewrap';
if (!isPossible) console.log(`full-disk: skipped, ${means}`);

let flux: Flux;
let project: TestProject;
/** The backup volume, as a path of this process. */
let volume: string;

beforeAll(async () => {
  if (!isPossible) return;
  flux = await startFlux({
    env: { FLUX_BACKUPS_LOCAL_DIR: '' },
    prepare: async (folder) => {
      mkdirSync(join(folder, 'volume'));
      if (means === 'mount') await run('mount', ['-t', 'tmpfs', '-o', `size=${SIZE_BYTES},mode=0711`, 'flux-test', join(folder, 'volume')]);
    },
    wrap: (command, folder) => [
      ...(means === 'mount'
        ? ['env']
        : ['bwrap', '--dev-bind', '/', '/', '--size', String(SIZE_BYTES), '--tmpfs', join(folder, 'volume'), 'env']),
      `FLUX_BACKUPS_LOCAL_DIR=${join(folder, 'volume')}`,
      ...command,
    ],
  });
  volume = join(means === 'mount' ? '/' : `/proc/${flux.pid()}/root`, flux.folder, 'volume');
  project = await flux.createProject('crowded', 'v1_dedicated');
  await flux.push(project, DATA);
});
afterAll(async () => {
  if (!isPossible) return;
  await flux?.stop();
  if (means === 'mount' && flux !== undefined) await run('umount', [join(flux.folder, 'volume')]);
  await flux?.[Symbol.asyncDispose]();
});

it.runIf(isPossible)('fails a create on a full volume, leaves nothing, and works again when there is room', async () => {
  const filler = join(volume, 'filler');
  writeFileSync(filler, Buffer.alloc(SIZE_BYTES - 3 * 2 ** 20));

  for (let attempt = 0; attempt < 2; attempt++) {
    const full = await flux.flux('backup', 'create', ...project.flags);
    expect(full.stdout).toBe('');
    expect(full.stderr).toContain('Error: There is no room left on the backup volume.\n');
    expect(full.stderr).toContain('Free some space where FLUX_BACKUPS_LOCAL_DIR is or delete old backups, then run the command again.\n');
    expect(full.exitCode).toBe(1);
  }

  const folders = readdirSync(volume, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect(folders.flatMap((entry) => readdirSync(join(volume, entry.name)))).toEqual([]);
  const verbose = await flux.flux('backup', 'list', ...project.flags, '--verbose');
  expect(verbose.stdout.split('\n').slice(1, 3)).toEqual([
    'Verification:             Backup not complete',
    'Safe destructive actions: Blocked until verification',
  ]);
  expect(verbose.stdout).toMatch(/^ +Status: +failed\n +Failure: +There is no room left on the backup volume\.$/m);

  rmSync(filler);
  const created = await flux.flux('backup', 'create', ...project.flags, '--verify');
  expect(created.exitCode).toBe(0);
  const [folder = ''] = readdirSync(volume);
  const artifact = readdirSync(join(volume, folder)).find((name) => name.endsWith('.dump')) ?? '';
  expect(statSync(join(volume, folder, artifact)).size).toBeGreaterThan(3 * 2 ** 20);
});

it.runIf(isPossible)('keeps the good backup when the next one does not fit', async () => {
  const full = await flux.flux('backup', 'create', ...project.flags);
  expect(full.exitCode).toBe(1);
  expect(full.stderr).toContain('There is no room left');

  const { backups } = JSON.parse((await flux.flux('backup', 'list', ...project.flags, '--json')).stdout) as {
    backups: { id: string; tier: string }[];
  };
  const good = backups.find(({ tier }) => tier === 'restorable');
  expect(good).toBeDefined();
  const target = join(flux.folder, 'good.dump');
  expect((await flux.flux('backup', 'download', ...project.flags, '--id', good?.id ?? '', '-o', target)).exitCode).toBe(0);
  expect(existsSync(target)).toBe(true);
});
