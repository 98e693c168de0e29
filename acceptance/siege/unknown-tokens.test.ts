import { createHash, randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import { signJwt } from '../cli-v1/client.ts';
import { startFlux } from '../harness/flux.ts';
import { startFluxWithCatalog } from '../harness/outside-catalog.ts';
import { psql } from '../harness/postgres.ts';
import { pause, until } from '../harness/process.ts';
import { catalogUri } from '../harness/superuser.ts';
import { siegeChapter } from './attack.ts';

const attack = siegeChapter('Tokens that nobody knows');
const FLOOD_MS = 8000;

/** A token whose check digits are right. */
function wellFormed(): string {
  const body = `flx_live_${randomBytes(16).toString('hex')}`;
  return `${body}_${createHash('sha256').update(body).digest('hex').slice(0, 4)}`;
}

/** Sixteen clients that send tokens to a route for a while; counts the statuses of the answers. */
function startFlood(url: string, nextToken: () => string) {
  const statuses = new Map<string, number>();
  const endsAt = Date.now() + FLOOD_MS;
  const client = async () => {
    while (Date.now() < endsAt) {
      const answer = await fetch(url, { headers: { authorization: `Bearer ${nextToken()}` } });
      await answer.text();
      const seen =
        answer.status === 429 ? `429 ${answer.headers.has('retry-after') ? 'with' : 'without'} Retry-After` : String(answer.status);
      statuses.set(seen, (statuses.get(seen) ?? 0) + 1);
    }
  };
  return { endsAt, statuses, flood: Promise.all(Array.from({ length: 16 }, client)) };
}

attack(
  `Well-formed tokens that nobody knows, sixteen at once for ${FLOOD_MS / 1000} s`,
  '401, then 429 with Retry-After without a question to the catalog but for ten a second; a list of somebody else takes less than a second',
  async () => {
    await using flux = await startFlux({ env: { FLUX_VERIFY_STANDBY: 'off' } });
    // How often the table was read; a session tells of what it did within a second, and the others when they are asked again.
    const reads = async () => {
      await pause(1500);
      await Promise.all(Array.from({ length: 12 }, async () => (await flux.api('/list')).text()));
      await pause(1500);
      const sql = `select seq_scan + idx_scan from pg_stat_user_tables where relname = 'tokens'`;
      return Number((await psql(catalogUri(flux), sql)).trim());
    };
    const before = await reads();
    const { endsAt, flood, statuses } = startFlood(`${flux.url}/api/v1/projects`, wellFormed);
    // One that was made meanwhile is valid at its first use.
    const made = await flux.flux('token', 'create', 'late', '--access', 'read', '--json');
    const { token: late } = JSON.parse(made.stdout) as { token: string };
    await pause(1000);
    expect((await fetch(`${flux.url}/api/v1/projects`, { headers: { authorization: `Bearer ${late}` } })).status).toBe(200);
    expect((await fetch(`${flux.url}/readyz`)).status).toBe(200);
    let asked = 0;
    let slowest = 0;
    while (Date.now() < endsAt) {
      const since = performance.now();
      expect((await flux.api('/list')).status).toBe(200);
      slowest = Math.max(slowest, performance.now() - since);
      asked += 1;
      await pause(50);
    }
    await flood;
    const looked = (await reads()) - before;
    expect([...statuses.keys()].sort()).toEqual(['401', '429 with Retry-After']);
    expect(slowest).toBeLessThan(1000);
    const refused = statuses.get('429 with Retry-After') ?? 0;
    expect(refused).toBeGreaterThan(1000);
    // Thirty wrong ones, then ten a second; a request of somebody who is known reads the table up to three times.
    expect(looked).toBeLessThan(30 + (10 * FLOOD_MS) / 1000 + 3 * (asked + 24) + 50);
    return `${refused} requests answered 429 and ${statuses.get('401')} answered 401; the tokens were read ${looked} times, also for ${asked} lists of somebody else, the slowest of which took ${Math.round(slowest)} ms`;
  },
  60_000,
);

attack(
  `Wrong tokens of a pooled project, sixteen at once for ${FLOOD_MS / 1000} s, and then none but its own while the catalog is away`,
  '401, then 429 with Retry-After; its own token, used before, is served meanwhile, and answered 503 while the catalog is away',
  async () => {
    await using place = await startFluxWithCatalog();
    const { flux, cluster } = place;
    const { hash, slug } = await flux.createProject('shop', 'v2_shared');
    const { projectJwtSecret } = (await (await flux.api(`/projects/${hash}/credentials`)).json()) as { projectJwtSecret: string };
    const url = `${flux.url}/api/projects/${slug}/migrations?hash=${hash}`;
    const token = (secret: string) => signJwt(secret, { role: 'service_role', exp: Math.floor(Date.now() / 1000) + 300 });
    const own = token(projectJwtSecret);
    const ask = async () => (await fetch(url, { headers: { authorization: `Bearer ${own}` } })).status;
    expect(await ask()).toBe(200);
    const { endsAt, flood, statuses } = startFlood(url, () => token(randomBytes(16).toString('hex')));
    let served = 0;
    while (Date.now() < endsAt) {
      expect(await ask()).toBe(200);
      served += 1;
      await pause(50);
    }
    await flood;
    expect([...statuses.keys()].sort()).toEqual(['401', '429 with Retry-After']);
    expect(statuses.get('401')).toBeLessThanOrEqual(30);
    await cluster.stop();
    for (let i = 0; i < 40; i += 1) expect(await ask()).toBe(503);
    await cluster.start();
    await until('its own token is served again', async () => (await ask()) === 200, 10_000);
    return `${statuses.get('429 with Retry-After')} requests answered 429 and ${statuses.get('401')} answered 401; ${served} with its own token answered 200, and then 40 answered 503`;
  },
  60_000,
);
