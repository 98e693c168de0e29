// `npm run bench:outage`: how long clients get no answer while a restore in place swaps 1 GB, under constant load.
// `--once` restores once on each engine instead of three times; `--quick` uses 10 MB, to check that it works.
import { setTimeout as delay } from 'node:timers/promises';
import type { EngineKind } from '@flux/contract/labels';
import { type Flux, startFlux, type TestProject } from '../acceptance/harness/flux.ts';
import { type Load, startPgbench } from '../acceptance/harness/load.ts';
import { psql } from '../acceptance/harness/postgres.ts';
import { catalogUri, databaseOf, instanceOf, superuserUri } from '../acceptance/harness/superuser.ts';
import { connectPostgres } from '../packages/server/src/postgres/connect.ts';
import { LARGE, SMALL } from './databases.ts';
import { median } from './statistics.ts';

const isQuick = process.argv.includes('--quick');
const RESTORES = isQuick || process.argv.includes('--once') ? 1 : 3;
const EVERY_MS = 20;
const CLIENTS = 4;
const SCRIPT = `
  \\set account random(1, 1000)
  update accounts set balance = balance + 1 where id = :account;
  insert into load_entries (account) values (:account);`;

await using server = await startFlux({ env: { FLUX_LOG_LEVEL: 'warn', FLUX_VERIFY_STANDBY: 'off' } });
process.stdout.write(
  '| Engine | Database | Longest time without an answer (ms) | Usually at most (ms) | Said by Flux (ms) | Restore (s) |\n',
);
process.stdout.write('| --- | --- | --- | --- | --- | --- |\n');
for (const engine of ['v1_dedicated', 'v2_shared'] as const) await measure(server, engine);

async function measure(flux: Flux, engine: EngineKind): Promise<void> {
  const project = await flux.createProject(`outage-${engine.slice(0, 2)}`, engine);
  const sizeBytes = await fill(flux, project, engine);
  const id = (JSON.parse(await well(flux, 'backup', 'create', ...project.flags, '--verify', '--json')) as { backup: { id: string } }).backup
    .id;
  const command = ['backup', 'restore', ...project.flags, '--id', id, '--in-place', '--yes', '--skip-present-backup', '--json'];
  const load: Load = startPgbench(flux.folder, project.uri, SCRIPT, CLIENTS);
  const runs: { gapMs: number; usualMs: number; saidMs: number; seconds: number }[] = [];
  for (let i = 0; i < RESTORES; i++) {
    const probe = startProbe(project.uri);
    await delay(2000);
    const usualMs = probe.longestMs();
    const began = performance.now();
    const { outageMs } = JSON.parse(await well(flux, ...command)) as { outageMs: number };
    const seconds = (performance.now() - began) / 1000;
    await delay(2000);
    await probe.stop();
    runs.push({ gapMs: probe.longestMs(), usualMs, saidMs: outageMs, seconds });
    process.stderr.write(`${engine}: ${JSON.stringify(runs.at(-1))}\n`);
  }
  await load.stop();
  const of = (pick: (run: (typeof runs)[number]) => number) => runs.map(pick);
  const worst = (values: number[]) => Math.max(...values).toFixed(0);
  process.stdout.write(
    `| ${engine} | ${(sizeBytes / 2 ** 20).toFixed(0)} MiB | ${worst(of(({ gapMs }) => gapMs))} | ${worst(of(({ usualMs }) => usualMs))} | ${worst(of(({ saidMs }) => saidMs))} | ${median(of(({ seconds }) => seconds)).toFixed(1)} |\n`,
  );
}

/** Fills the project as its owner, and returns the size of its data. */
async function fill(flux: Flux, project: TestProject, engine: EngineKind): Promise<number> {
  const id = (await psql(catalogUri(flux), `select id from projects where hash = '${project.hash}'`)).trim();
  const shortId = id.replaceAll('-', '').slice(0, 12);
  const uri = superuserUri(flux, instanceOf(id, engine), databaseOf(project));
  const isShared = engine === 'v2_shared';
  const schema = isShared ? `t_${shortId}_api` : 'public';
  const owner = isShared ? `t_${shortId}_ddl` : `${databaseOf(project)}_owner`;
  const statements: string[] = [];
  (isQuick ? SMALL : LARGE).fill({ bin: '', uri: '', sql: (text) => String(statements.push(text)) });
  const load = 'create table load_entries (id bigint generated always as identity primary key, account int, at timestamptz default now())';
  await psql(uri, `set role ${owner}; set search_path = ${schema};\n${[...statements, load].join(';\n')}`);
  const size = `select sum(pg_total_relation_size(oid)) from pg_class where relnamespace = '${schema}'::regnamespace and relkind = 'r'`;
  return Number(await psql(uri, size));
}

/** A client that repeatedly connects and queries, and records the longest time without an answer. */
function startProbe(uri: string) {
  const { hostname, port, username, password, pathname } = new URL(uri);
  const target = {
    host: hostname,
    port: Number(port),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database: decodeURIComponent(pathname.slice(1)),
  };
  let longest = 0;
  let answeredAt = performance.now();
  let isOver = false;
  const underway = (async () => {
    while (!isOver) {
      try {
        await using session = await connectPostgres(target, { searchPath: 'role' });
        await session.query('select balance from accounts where id = 7');
        const now = performance.now();
        longest = Math.max(longest, now - answeredAt);
        answeredAt = now;
      } catch {
        // Disconnected or refused: that is what is measured.
      }
      await delay(EVERY_MS);
    }
  })();
  return {
    longestMs: () => Math.max(longest, performance.now() - answeredAt),
    stop: async () => {
      isOver = true;
      await underway;
    },
  };
}

async function well(flux: Flux, ...args: string[]): Promise<string> {
  const ended = await flux.flux(...args);
  if (ended.exitCode !== 0) throw new Error(`flux ${args.join(' ')} ended with ${ended.exitCode}\n${ended.stderr}`);
  return ended.stdout;
}
