// `npm run bench`: every figure is a ratio against a raw tool, measured alternately in the same run. Prints a table and, last, JSON.
// `--quick` uses smaller databases and fewer pairs, to check that it works. `--major 17` fetches that major version and measures only create from it.
import { chownSync, copyFileSync, readFileSync, rmSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type Flux, ROOT, startFlux } from '../acceptance/harness/flux.ts';
import { findClient } from '../acceptance/harness/postgres.ts';
import { prepareMajor } from '../scripts/setup/second-major.mjs';
import { LARGE, MANY, type Shape, SMALL, WIDE } from './databases.ts';
import { watchMemory } from './memory.ts';
import { freshFolder, type Postgres, postgresAt, rawDump, rawServer, rawStart, rawStop, runQuietly, time } from './raw.ts';
import { comparePairs, type Figure, median } from './statistics.ts';

const isQuick = process.argv.includes('--quick');
const pairs = isQuick ? 2 : 5;
const major = process.argv.includes('--major') ? Number(process.argv[process.argv.indexOf('--major') + 1]) : undefined;
const other = major === undefined ? {} : settingsFor(major);
Object.assign(process.env, other);
const bin = findClient();
const figures: Figure[] = [];
const notes: string[] = [];

await using server = await startFlux({ env: { FLUX_LOG_LEVEL: 'warn', ...other } });
const scratch = freshFolder(join(server.folder, 'raw'));
const account = accountOf('postgres');
if (account !== undefined) chownSync(scratch, account.uid, account.gid);

if (major === undefined) await measureEverything();
else await measureCreate(await prepare('large', isQuick ? SMALL : LARGE));
report();

async function measureEverything(): Promise<void> {
  await measureStart();
  const small = await prepare('small', SMALL);
  await measureSmall(small);
  await measureDisposable(small);
  const large = await prepare('large', isQuick ? SMALL : LARGE);
  await measureLarge(large);
  for (const [name, shape] of isQuick
    ? []
    : ([
        ['wide', WIDE],
        ['many', MANY],
      ] as const))
    await describeShape(await prepare(name, shape), shape);
}

/** Settings that make everything here use one major version. */
function settingsFor(wanted: number): Record<string, string> {
  const prepared = prepareMajor(wanted);
  if (!('bin' in prepared) || prepared.bin === undefined)
    throw new Error(`PostgreSQL ${wanted} cannot be fetched: ${'refused' in prepared ? prepared.refused : ''}`);
  return { FLUX_POSTGRES_BIN_DIRS: prepared.bin, FLUX_POSTGRES_MAJOR: String(wanted) };
}

interface Project {
  readonly flags: readonly string[];
  readonly postgres: Postgres;
}

async function prepare(slug: string, shape: Shape): Promise<Project> {
  const created = JSON.parse(await flux('create', slug, '--mode', 'v1_dedicated', '--json')) as { summary: { hash: string } };
  const flags = ['--project', slug, '--hash', created.summary.hash];
  const uri = (await flux('project', 'credentials', ...flags, '--field', 'postgres.url')).trim();
  const postgres = postgresAt(bin, uri);
  process.stderr.write(`Filling "${shape.name}": ${shape.about} ...\n`);
  shape.fill(postgres);
  notes.push(
    `${slug}: ${shape.name}, ${(Number(postgres.sql('select pg_database_size(current_database())')) / 2 ** 20).toFixed(0)} MiB, PostgreSQL ${postgres.sql('show server_version')}`,
  );
  return { flags, postgres };
}

async function measureStart(): Promise<void> {
  const once = (args: string[]) => async () => ({ ms: await time(() => runQuietly(process.execPath, args)) });
  figures.push(
    await comparePairs(
      { figure: '`flux --version`', against: '`node -e 0`' },
      15,
      once([join(ROOT, 'packages/cli/bin/flux.js'), '--version']),
      once(['-e', '0']),
      { ratio: 1.5 },
    ),
  );
}

async function measureSmall({ flags }: Project): Promise<void> {
  await flux('backup', 'create', ...flags, '--verify');
  const runs: number[] = [];
  for (let i = 0; i < pairs; i++) {
    // The standby instance of a verification is replaced in the background; the next verification starts only after that.
    await pause(1500);
    runs.push(await time(() => flux('backup', 'create', ...flags, '--verify')));
  }
  const ms = median(runs);
  figures.push({
    figure: 'create + verify, 10 MB, from the prompt to the verdict',
    against: 'the clock',
    oursMs: ms,
    rawMs: 1000,
    ratio: ms / 1000,
    target: '<= 1.0 s',
    met: ms <= 1000,
    pairs,
  });
}

async function measureDisposable({ flags }: Project): Promise<void> {
  const raw = rawServer(bin, scratch, 54_329, account);
  const ours = async () => {
    const { proof } = JSON.parse(await flux('backup', 'verify', ...flags, '--latest', '--json')) as {
      proof: { phasesMs: { open: number } };
    };
    return { ms: proof.phasesMs.open };
  };
  const theirs = async () => {
    const ms = await time(() => rawStart(raw));
    await rawStop(raw);
    return { ms };
  };
  figures.push(
    await comparePairs({ figure: 'disposable instance ready for a query, sandboxed', against: 'initdb + start' }, pairs, ours, theirs, {
      ratio: 0.15,
      ms: 120,
    }),
  );
}

async function measureCreate({ flags, postgres }: Project): Promise<void> {
  const major = Number(postgres.sql('show server_version_num').slice(0, 2));
  const file = join(scratch, 'raw.dump');
  const create = async () => {
    let item = { sizeBytes: 0 };
    const ms = await time(async () => {
      item = (JSON.parse(await flux('backup', 'create', ...flags, '--json')) as { backup: { sizeBytes: number } }).backup;
    });
    return { ms, bytes: item.sizeBytes };
  };
  const goal = major >= 16 ? { ratio: 0.5, sizeRatio: 1.05 } : { ratio: 0.65, sizeRatio: 1.2 };
  figures.push(
    await comparePairs(
      { figure: `create, 1 GB, source of major ${major}`, against: 'plain `pg_dump -Fc > file` and fsync' },
      pairs,
      create,
      () => rawDump(postgres, file),
      goal,
    ),
  );
  const options = major >= 16 ? ['--compress=zstd:3'] : ['--compress=1'];
  figures.push(
    await comparePairs(
      { figure: 'create overhead', against: `pg_dump ${options.join(' ')}, no manifest` },
      pairs,
      create,
      () => rawDump(postgres, file, options),
      { ratio: 1.15 },
    ),
  );
}

async function measureLarge(project: Project): Promise<void> {
  const { flags, postgres } = project;
  const memory = watchMemory(server.pid());
  await measureCreate(project);
  const file = join(scratch, 'raw.dump');
  await rawDump(postgres, file, ['--compress=1']);
  const raw = rawServer(bin, scratch, 54_329, account);
  const restore = async () => {
    const ms = await time(async () => {
      await rawStart(raw);
      await raw.run('createdb', ['-h', scratch, '-p', String(raw.port), '-U', 'postgres', 'restored']);
      await raw.run('pg_restore', [
        '-j1',
        '--no-owner',
        '--no-acl',
        '-h',
        scratch,
        '-p',
        String(raw.port),
        '-U',
        'postgres',
        '-d',
        'restored',
        file,
      ]);
      await rawStop(raw);
    });
    return { ms };
  };
  const verify = async () => ({ ms: await time(() => flux('backup', 'verify', ...flags, '--latest')) });
  figures.push(
    await comparePairs(
      { figure: 'verify, 1 GB, with full content proof', against: 'initdb + start + `pg_restore -j1` + stop, no checks' },
      Math.min(pairs, 3),
      verify,
      restore,
      { ratio: 0.75 },
    ),
  );

  const target = join(scratch, 'downloaded.dump');
  const download = async () => {
    rmSync(target, { force: true });
    return { ms: await time(() => flux('backup', 'download', ...flags, '--latest', '-o', target)) };
  };
  const copy = async () => ({
    ms: await time(async () => {
      copyFileSync(file, join(scratch, 'copied.dump'));
      await runQuietly('sha256sum', [join(scratch, 'copied.dump')]);
    }),
  });
  figures.push(
    await comparePairs({ figure: 'download, 1 GB, checksummed', against: '`cp` of the file and `sha256sum`' }, pairs, download, copy, {
      ratio: 1.3,
    }),
  );
  const growth = memory.stop();
  const mib = growth / 2 ** 20;
  figures.push({
    figure: 'server memory growth in each of these',
    against: 'resident size before',
    oursMs: mib,
    rawMs: 64,
    ratio: mib / 64,
    target: '<= 64 MiB',
    met: mib <= 64,
    pairs: 1,
  });
}

async function describeShape({ flags }: Project, shape: Shape): Promise<void> {
  const create = await time(() => flux('backup', 'create', ...flags));
  const verify = await time(() => flux('backup', 'verify', ...flags, '--latest'));
  notes.push(`${shape.name}: create ${(create / 1000).toFixed(2)} s, verify ${(verify / 1000).toFixed(2)} s`);
}

function report(): void {
  const rows = figures.map((figure) => {
    const size = figure.sizeRatio === undefined ? '' : `, size ${figure.sizeRatio.toFixed(2)}x`;
    return `| ${figure.figure} | ${figure.against} | ${figure.oursMs.toFixed(0)} | ${figure.rawMs.toFixed(0)} | ${figure.ratio.toFixed(2)}x${size} | ${figure.target} | ${figure.met ? 'yes' : 'no'} |`;
  });
  process.stdout.write(
    `| Figure | Against | Flux (ms; memory in MiB) | Raw | Median ratio | To reach | Met |\n| --- | --- | --- | --- | --- | --- | --- |\n${rows.join('\n')}\n\n`,
  );
  for (const note of notes) process.stdout.write(`- ${note}\n`);
  const machine = `${cpus().length} processors (${cpus()[0]?.model ?? 'unknown'}), ${(totalmem() / 2 ** 30).toFixed(0)} GiB`;
  process.stdout.write(`- ${machine}, ${pairs} pairs, Node ${process.versions.node}\n\n${JSON.stringify({ machine, figures, notes })}\n`);
}

async function flux(...args: string[]): Promise<string> {
  const ended = await (server as Flux).flux(...args);
  if (ended.exitCode !== 0) throw new Error(`flux ${args.join(' ')} ended with ${ended.exitCode}\n${ended.stderr}`);
  return ended.stdout;
}

function accountOf(name: string): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const [, , uid, gid] = (
    readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .find((line) => line.startsWith(`${name}:`)) ?? ''
  ).split(':');
  return { uid: Number(uid), gid: Number(gid) };
}
