import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Flux, startFlux, type TestProject } from './harness/flux.ts';
import { run, runWell } from './harness/process.ts';
import { leaveOut } from './harness/sandbox.ts';

const SIZE_BYTES = 12 * 2 ** 20;
/** About 10 MB that do not compress: an artifact of it and another one never fit together. */
const DATA = `
  create table noise (id bigint primary key, bytes text not null);
  insert into noise select i, string_agg(md5(i::text || ':' || j::text), '') from generate_series(1, 2000) i, generate_series(1, 250) j group by i;`;

/** A command line that mounts a small file system on a folder, for itself alone, and then becomes another program. */
function inNamespace(folder: string, command: readonly string[]): readonly string[] {
  const script = `mount -t tmpfs -o size=${SIZE_BYTES},mode=0711 flux-test "$0" && exec setpriv --ambient-caps=-all --inh-caps=-all "$@"`;
  return ['unshare', '--user', '--map-current-user', '--mount', '--keep-caps', 'sh', '-c', script, folder, ...command];
}

/** How a small file system can be had here: root mounts one, an ordinary user does so in a namespace of its own. */
async function findMeans(): Promise<'mount' | 'namespace' | string> {
  const probe = mkdtempSync(join(tmpdir(), 'flux-probe-'));
  try {
    if (process.getuid?.() === 0) {
      const mounted = await run('mount', ['-t', 'tmpfs', '-o', `size=${SIZE_BYTES}`, 'flux-test', probe]);
      if (mounted.exitCode === 0) {
        await runWell('umount', [probe]);
        return 'mount';
      }
    }
    const [command = '', ...args] = inNamespace(probe, ['true']);
    const entered = await run(command, args).catch((error: Error) => ({ exitCode: 1, stderr: error.message }));
    return entered.exitCode === 0 ? 'namespace' : `no small file system can be mounted here: ${entered.stderr.trim()}`;
  } finally {
    rmSync(probe, { recursive: true });
  }
}

const means = await findMeans();
const isPossible = means === 'mount' || means === 'namespace';
const options = isPossible ? {} : leaveOut(means);

let flux: Flux;
let project: TestProject;
/** The backup volume, as a path of this process. */
let volume: string;

beforeAll(async () => {
  if (!isPossible) return;
  flux = await startFlux({
    prepare: async (folder) => {
      const place = join(folder, 'volume');
      mkdirSync(place);
      if (means === 'mount') await runWell('mount', ['-t', 'tmpfs', '-o', `size=${SIZE_BYTES},mode=0711`, 'flux-test', place]);
    },
    wrap: (command, folder) => {
      const place = join(folder, 'volume');
      const told = ['env', `FLUX_BACKUPS_LOCAL_DIR=${place}`, ...command];
      return means === 'mount' ? told : inNamespace(place, told);
    },
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

it('fails a create on a full volume, leaves nothing, and works again when there is room', options, async () => {
  const filler = join(volume, 'filler');
  writeFileSync(filler, Buffer.alloc(SIZE_BYTES - 3 * 2 ** 20));

  for (let attempt = 0; attempt < 2; attempt++) {
    const full = await flux.flux('backup', 'create', ...project.flags);
    expect(full.stdout).toBe('');
    expect(full.stderr).toContain('Error: The backup volume is full.\n');
    expect(full.stderr).toContain('Free space in FLUX_BACKUPS_LOCAL_DIR or delete old backups, then run the command again.');
    expect(full.exitCode).toBe(1);
  }

  const folders = readdirSync(volume, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect(folders.flatMap((entry) => readdirSync(join(volume, entry.name)))).toEqual([]);
  const verbose = await flux.flux('backup', 'list', ...project.flags, '--verbose');
  expect(verbose.stdout.split('\n').slice(1, 3)).toEqual([
    'Verification:             Backup not complete',
    'Safe destructive actions: Blocked until verification',
  ]);
  expect(verbose.stdout).toMatch(/^ +Status: +failed\n +Failure: +The backup volume is full\.$/m);

  rmSync(filler);
  const created = await flux.flux('backup', 'create', ...project.flags, '--verify');
  expect(created.exitCode).toBe(0);
  const folder = readdirSync(volume).find((name) => /^[0-9a-f-]{36}$/.test(name)) ?? '';
  const artifact = readdirSync(join(volume, folder)).find((name) => name.endsWith('.dump')) ?? '';
  expect(statSync(join(volume, folder, artifact)).size).toBeGreaterThan(3 * 2 ** 20);
});

it('keeps the good backup when the next one does not fit', options, async () => {
  const full = await flux.flux('backup', 'create', ...project.flags);
  expect(full.exitCode).toBe(1);
  expect(full.stderr).toContain('The backup volume is full');

  const { backups } = JSON.parse((await flux.flux('backup', 'list', ...project.flags, '--json')).stdout) as {
    backups: { id: string; tier: string }[];
  };
  const good = backups.find(({ tier }) => tier === 'restorable');
  expect(good).toBeDefined();
  const target = join(flux.folder, 'good.dump');
  expect((await flux.flux('backup', 'download', ...project.flags, '--id', good?.id ?? '', '-o', target)).exitCode).toBe(0);
  expect(existsSync(target)).toBe(true);
});
