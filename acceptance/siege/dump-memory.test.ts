import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect } from 'vitest';
import { type Flux, startFlux } from '../harness/flux.ts';
import { startHostileServer } from '../harness/hostile-server.ts';
import { MISBEHAVIOURS } from '../harness/misbehaviours.ts';
import { psql, startThrowAwayCluster } from '../harness/postgres.ts';
import { siegeChapter } from './attack.ts';

const attack = siegeChapter('What pg_dump may keep');
const MEMORY_MIB = 384;

let flux: Flux;
beforeAll(async () => {
  flux = await startFlux({
    env: { FLUX_DUMP_MEMORY: `${MEMORY_MIB}MiB`, FLUX_BACKUP_TIMEOUT: '4s', FLUX_VERIFY_STANDBY: 'off' },
  });
});
afterAll(() => flux?.[Symbol.asyncDispose]());

/** What the command says when the server of a database answers pg_dump in these ways. */
const SAID = {
  'endless rows': ['The backup has not ended within 4 s, the limit of this server, and nothing was stored.', 'FLUX_BACKUP_TIMEOUT'],
  'a message of 2 GB': ['pg_dump ended with status 1', `pg_dump may use ${MEMORY_MIB} MiB of memory`],
};

attack(
  'A real database is attached, and its server answers pg_dump with rows that never end, or with a message of 2 GB',
  'pg_dump has no more memory than its setting, a sentence says why it failed, and nothing is stored',
  async () => {
    await using elsewhere = await startThrowAwayCluster();
    await psql(elsewhere.uri('postgres'), 'create table t as select i from generate_series(1, 1000) i');
    const upstream = new URL(elsewhere.uri('postgres'));
    let most = 0;
    for (const [way, sentences] of Object.entries(SAID)) {
      let isArmed = false;
      // No session of Flux sets this; pg_dump does.
      const moment = { upstreamPort: Number(upstream.port), atText: 'synchronize_seqscans', isArmed: () => isArmed };
      await using server = await startHostileServer({ moment, misbehave: MISBEHAVIOURS[way] as never });
      const slug = `m${server.port}`;
      const attach = upstream.href.replace(`:${upstream.port}/`, `:${server.port}/`);
      const created = await flux.fluxWith({ env: { FLUX_ATTACH_URI: attach } }, 'create', slug, '--attach');
      expect(created.exitCode, created.stderr).toBe(0);
      isArmed = true;
      const watching = setInterval(() => (most = Math.max(most, largestDumpMib())), 20);
      const failed = await flux.flux('backup', 'create', '--project', slug).finally(() => clearInterval(watching));
      expect(failed.exitCode, failed.stdout).toBe(1);
      expect(server.seen.misbehaved).toBe(1);
      for (const sentence of sentences) expect(failed.stderr).toContain(sentence);
      expect((await flux.flux('backup', 'list', '--project', slug)).stdout).toContain('Backup not complete');
      isArmed = false;
      const next = await flux.flux('backup', 'create', '--project', slug, '--verify');
      expect(next.exitCode, next.stderr).toBe(0);
    }
    expect(most).toBeGreaterThan(64);
    expect(most).toBeLessThanOrEqual(MEMORY_MIB);
    return `at most ${most} of ${MEMORY_MIB} MiB; each failed with a sentence, and the next backup of the same server was verified`;
  },
);

/** The address space of the largest pg_dump that the server under test has started. Source: proc(5). */
function largestDumpMib(): number {
  const sizes = readdirSync('/proc').map((entry) => {
    try {
      const status = readFileSync(`/proc/${entry}/status`, 'utf8');
      const isOurs = status.startsWith('Name:\tpg_dump\n') && status.includes(`\nPPid:\t${flux.pid()}\n`);
      return isOurs ? Number(/VmPeak:\s+(\d+)/.exec(status)?.[1] ?? 0) : 0;
    } catch {
      return 0;
    }
  });
  return Math.round(Math.max(...sizes) / 1024);
}
