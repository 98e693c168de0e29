import { expect } from 'vitest';
import { type Flux, startFlux, type TestProject } from '../harness/flux.ts';
import { psql } from '../harness/postgres.ts';
import { until } from '../harness/process.ts';
import { catalogUri } from '../harness/superuser.ts';
import { siegeChapter } from './attack.ts';

const attack = siegeChapter('Shares of the workers');

/** Fast in the pool, and slow wherever a backup is restored. */
const sleeping = (seconds: number) => `
  create function slow() returns int language plpgsql as $$ begin
    if current_database() <> 'flux_shared' then perform pg_sleep(${seconds}); end if; return 1; end $$;
  create materialized view heavy as select slow();`;

const TABLE = 'create table t (id int); insert into t select generate_series(1, 1000);';
const running = async (flux: Flux) =>
  Number((await psql(catalogUri(flux), `select count(*) from operations where kind = 'backup_verify' and state = 'running'`)).trim());

/** Projects with a backup that takes 45 s to verify. */
async function sleepers(flux: Flux, names: readonly string[]): Promise<readonly TestProject[]> {
  return await Promise.all(
    names.map(async (name) => {
      const project = await flux.createProject(name, 'v2_shared');
      await flux.push(project, sleeping(45));
      expect((await flux.flux('backup', 'create', ...project.flags)).exitCode).toBe(0);
      return project;
    }),
  );
}

/** Asks for a verification and does not wait for it. */
async function startVerify(flux: Flux, { hash }: TestProject, id = 'latest'): Promise<void> {
  const answer = await fetch(`${flux.url}/api/v1/projects/${hash}/backups/${id}/verify`, {
    method: 'POST',
    headers: { authorization: `Bearer ${flux.token()}` },
  });
  expect(answer.status).toBe(202);
}

/** Does something, and returns for how many seconds the operations of the project that it started waited for a slot, at most. */
async function waited(flux: Flux, project: TestProject, ...command: string[]): Promise<number> {
  const since = await psql(catalogUri(flux), 'select clock_timestamp()');
  const answer = await flux.flux(...command, ...project.flags);
  expect(answer.exitCode, answer.stderr).toBe(0);
  const longest = await psql(
    catalogUri(flux),
    `select max(extract(epoch from operations.started_at - operations.created_at)) from operations join projects p on p.id = project_id
     where p.hash = '${project.hash}' and operations.created_at > '${since.trim()}'`,
  );
  return Number(longest.trim());
}

const seconds = (value: number) => `${value.toFixed(1)} s`;

attack(
  'Verifications of two, then of six tenants sleep 45 s each',
  "a third one's `backup create --verify` waits 5 s at most beside two; beside six that are new its create waits 5 s and its verification 45 s",
  async () => {
    await using flux = await startFlux();
    const shop = await flux.createProject('shop', 'v2_shared');
    await flux.push(shop, TABLE);
    const slow = await sleepers(flux, ['slow-a', 'slow-b', 'slow-c', 'slow-d', 'slow-e', 'slow-f']);
    await waited(flux, shop, 'backup', 'create');

    for (const project of slow.slice(0, 2)) await startVerify(flux, project);
    await until('both run', async () => (await running(flux)) === 2);
    const beside = await Promise.all([waited(flux, shop, 'backup', 'verify', '--latest'), waited(flux, shop, 'backup', 'create')]);
    const again = await waited(flux, shop, 'backup', 'create', '--verify');
    const besideTwo = Math.max(...beside, again);
    expect(besideTwo).toBeLessThan(5);

    for (const project of slow.slice(2)) await startVerify(flux, project);
    const create = await waited(flux, shop, 'backup', 'create');
    expect(create).toBeLessThan(5);
    const verify = await waited(flux, shop, 'backup', 'verify', '--latest');
    expect(verify).toBeLessThan(45);
    // To be set aside is no failure.
    expect(await psql(catalogUri(flux), `select count(*) from operations where state in ('failed', 'cancelled')`)).toMatch(/^0/);
    return `waited ${seconds(besideTwo)} beside two; beside six ${seconds(create)} and ${seconds(verify)}`;
  },
  180_000,
);

attack(
  'A tenant asks for eight verifications at once',
  'another one waits 5 s at most for a slot',
  async () => {
    await using flux = await startFlux();
    const [shop, greedy] = [await flux.createProject('shop', 'v2_shared'), await flux.createProject('greedy', 'v2_shared')];
    for (const project of [shop, greedy]) await flux.push(project, TABLE);
    const ids: string[] = [];
    for (let i = 0; i < 8; i++) {
      const made = await flux.flux('backup', 'create', ...greedy.flags, '--json');
      ids.push((JSON.parse(made.stdout) as { backup: { id: string } }).backup.id);
    }
    for (const id of ids) await startVerify(flux, greedy, id);
    const longest = await waited(flux, shop, 'backup', 'create', '--verify');
    const waiting = Number(
      (await psql(catalogUri(flux), `select count(*) from operations where kind = 'backup_verify' and state = 'queued'`)).trim(),
    );
    expect(longest).toBeLessThan(5);
    return `waited ${seconds(longest)}; when it was done, ${waiting} of the eight still waited`;
  },
  120_000,
);

attack(
  'A verification sleeps longer than its time',
  'inconclusive, with the limit, what it follows from and the command that raises it; only an admin may',
  async () => {
    await using flux = await startFlux({ env: { FLUX_VERIFY_TIMEOUT: '4s' } });
    const slow = await flux.createProject('slow', 'v2_shared');
    await flux.push(slow, sleeping(7));
    expect((await flux.flux('backup', 'create', ...slow.flags)).exitCode).toBe(0);
    const stopped = await flux.flux('backup', 'verify', ...slow.flags, '--latest');
    expect(stopped.exitCode).toBe(10);
    const text = `${stopped.stdout}${stopped.stderr}`.replaceAll(/\s+/g, ' ');
    expect(text).toMatch(/it took longer than 4 seconds\. That is the limit for this verification of \d+ MiB/);
    const command = /flux (backup verify --id \S+ --time-limit \d+h)/.exec(text)?.[1]?.split(' ') ?? [];
    expect((await flux.flux('backup', 'list', ...slow.flags)).stdout).not.toContain('failed');

    const writer = await flux.flux('token', 'create', 'writer', '--access', 'write', '--json');
    const token = (JSON.parse(writer.stdout) as { token: string }).token;
    const refused = await flux.fluxWith({ env: { FLUX_API_TOKEN: token } }, ...command, ...slow.flags);
    expect(refused.exitCode, refused.stderr).toBe(5);
    const raised = await flux.flux(...command, ...slow.flags);
    expect(raised.exitCode, raised.stderr).toBe(0);
    return `stopped with ${command.slice(-2).join(' ')} as the advice; restorable with it; a write token is refused`;
  },
  90_000,
);
