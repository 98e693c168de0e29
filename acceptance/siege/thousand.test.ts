import { readFileSync } from 'node:fs';
import { Client } from 'pg';
import { expect } from 'vitest';
import { startFlux } from '../harness/flux.ts';
import { pause } from '../harness/process.ts';
import { siegeChapter } from './attack.ts';

const attack = siegeChapter('Many pooled projects');

/** `npm run test:siege` asks for a thousand. */
const PROJECTS = Number(process.env.FLUX_TEST_PROJECTS ?? 150);
const CREATORS = 8;
const TENANTS = 40;
const LISTS = 60;
const PARALLEL = 5;

/** What a process has used of the processors, in ms; the clock of the kernel has 100 ticks a second. */
const processorMs = (pid: number) => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
};
const percentile = (times: readonly number[], share: number) =>
  Math.round(times.toSorted((a, b) => a - b)[Math.floor(times.length * share)] ?? 0);

attack(
  `${PROJECTS} pooled projects, whose programs connect all the time`,
  'a list takes 100 ms (p95), no state is wrong, and no connection is refused',
  async () => {
    await using flux = await startFlux({ env: { FLUX_CHECK_ANSWERS: 'off' } });
    const hashes: string[] = [];
    const began = performance.now();
    const slugs = Array.from({ length: PROJECTS }, (_, n) => `p${String(n).padStart(4, '0')}`);
    const rest = slugs.values();
    await Promise.all(
      Array.from({ length: CREATORS }, async () => {
        for (const slug of rest) {
          const body = JSON.stringify({ name: slug, mode: 'v2_shared' });
          const answer = await flux.api('/create', { method: 'POST', headers: { 'content-type': 'application/json' }, body });
          expect(answer.status).toBe(201);
          hashes.push(((await answer.json()) as { summary: { hash: string } }).summary.hash);
        }
      }),
    );
    const created = (performance.now() - began) / 1000;
    const uris = await Promise.all(
      hashes.slice(0, TENANTS).map(async (hash) => {
        const answer = (await (await flux.api(`/projects/${hash}/credentials`)).json()) as { postgres: { url: string } };
        return answer.postgres.url;
      }),
    );

    let isOver = false;
    let connections = 0;
    const refused: unknown[] = [];
    const tenants = Array.from({ length: 4 }, async (_, first) => {
      for (let n = first; !isOver; n += 4) {
        const client = new Client({ connectionString: uris[n % uris.length] });
        client.on('error', (error) => refused.push(error));
        try {
          await client.connect();
          await client.query('select 1');
          connections++;
        } catch (error) {
          refused.push(error);
        }
        await client.end().catch(() => undefined);
        await pause(5);
      }
    });
    const list = async (): Promise<number> => {
      const from = performance.now();
      const answer = await flux.api('/list');
      const projects = (await answer.json()) as { status: string }[];
      const took = performance.now() - from;
      expect(projects).toHaveLength(PROJECTS);
      expect(projects.filter(({ status }) => status !== 'running')).toEqual([]);
      return took;
    };
    await list();
    const alone: number[] = [];
    const busyBefore = processorMs(flux.pid());
    for (let n = 0; n < LISTS; n++) {
      alone.push(await list());
      await pause(20);
    }
    const busy = Math.round((processorMs(flux.pid()) - busyBefore) / LISTS);
    const together = (
      await Promise.all(Array.from({ length: PARALLEL }, async () => [await list(), await list(), await list(), await list()]))
    ).flat();
    isOver = true;
    await Promise.all(tenants);
    expect(refused).toEqual([]);
    expect(connections).toBeGreaterThan(LISTS);
    // What others do on the machine does not count as processor time; the run that is recorded has it for itself.
    expect(busy).toBeLessThan(100);
    if (process.env.FLUX_TEST_RECORD !== undefined) {
      expect(percentile(alone, 0.95)).toBeLessThan(100);
      expect(percentile(together, 0.95)).toBeLessThan(100 * PARALLEL);
    }
    const seen = `created in ${created.toFixed(0)} s; list p50 ${percentile(alone, 0.5)} ms, p95 ${percentile(alone, 0.95)} ms; ${PARALLEL} at once p95 ${percentile(together, 0.95)} ms; ${busy} ms of processor time each; ${connections} connections, none refused`;
    if (process.env.FLUX_TEST_PRINT) process.stderr.write(`${seen}\n`);
    return seen;
  },
  900_000,
);
