import { readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type Flux, startFlux } from './harness/flux.ts';
import { psql } from './harness/postgres.ts';

const MOST_GROWTH_MIB = 100;
const EVERY_MS = 100;

/** Resident memory of the server process, in MiB. */
function residentMiB(flux: Flux): number {
  const status = readFileSync(`/proc/${flux.pid()}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
}

/** Runs some work and gives the largest resident memory that the server had meanwhile. */
async function peakDuring(flux: Flux, work: () => Promise<void>): Promise<number> {
  let peak = residentMiB(flux);
  const timer = setInterval(() => {
    peak = Math.max(peak, residentMiB(flux));
  }, EVERY_MS);
  try {
    await work();
    return Math.max(peak, residentMiB(flux));
  } finally {
    clearInterval(timer);
  }
}

it('backs up, verifies and downloads 1 GB with less than 100 MB more memory', { timeout: 400_000 }, async () => {
  await using flux = await startFlux({ env: { FLUX_LOG_LEVEL: 'warn' } });
  const project = await flux.createProject('large', 'v1_dedicated');
  // A small backup first: what is loaded once is no growth with the size of a database.
  expect((await flux.flux('backup', 'create', ...project.flags, '--verify')).exitCode).toBe(0);
  await psql(
    project.uri,
    `set synchronous_commit = off;
     create table events (id bigint, at timestamptz, amount numeric, kind text, data jsonb, body text);
     alter table events alter body set storage external;
     insert into events select i, timestamptz '2026-01-01' + i * interval '1 second', i * 1.25, 'kind ' || i % 7,
         jsonb_build_object('n', i, 'tag', md5(i::text)), repeat((select string_agg(md5((i * k)::text), '') from generate_series(1, 32) k), 8)
       from generate_series(1, 120000) i;
     alter table events add primary key (id);`,
  );
  const sizeBytes = Number(await psql(project.uri, 'select pg_database_size(current_database())'));
  expect(sizeBytes).toBeGreaterThanOrEqual(1e9);
  const base = residentMiB(flux);
  const target = join(flux.folder, 'large.dump');
  const peaks: Record<string, number> = {};

  for (const [name, command] of [
    ['create', ['backup', 'create', ...project.flags]],
    ['verify', ['backup', 'verify', ...project.flags, '--latest']],
    ['download', ['backup', 'download', ...project.flags, '--latest', '-o', target]],
  ] as const) {
    const beganAt = performance.now();
    peaks[name] = await peakDuring(flux, async () => {
      const ended = await flux.flux(...command);
      expect(ended.stderr).not.toContain('Error');
      expect(ended.exitCode).toBe(0);
    });
    console.log(`large: ${name} took ${((performance.now() - beganAt) / 1000).toFixed(1)} s, memory at most ${peaks[name].toFixed(0)} MiB`);
  }

  const artifact = (statSync(target).size / 2 ** 20).toFixed(0);
  console.log(`large: database ${(sizeBytes / 1e9).toFixed(2)} GB, artifact ${artifact} MiB, memory before ${base.toFixed(0)} MiB`);
  rmSync(target);
  for (const peak of Object.values(peaks)) expect(peak - base).toBeLessThan(MOST_GROWTH_MIB);
});
