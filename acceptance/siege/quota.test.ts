import { afterAll, beforeAll, expect } from 'vitest';
import { signJwt } from '../cli-v1/client.ts';
import { type Flux, startFlux, type TestProject } from '../harness/flux.ts';
import { pause } from '../harness/process.ts';
import { siegeChapter } from './attack.ts';

const attack = siegeChapter('Quotas');

let flux: Flux;
beforeAll(async () => {
  flux = await startFlux({ env: { FLUX_QUOTA_BACKUPS: '3' } });
});
afterAll(() => flux?.[Symbol.asyncDispose]());

const quota = (project: TestProject, ...change: string[]) => flux.flux('project', 'quota', ...project.flags, ...change);
const create = (project: TestProject, ...more: string[]) => flux.flux('backup', 'create', ...project.flags, ...more);
/** The answer to a push. */
const pushed = async ({ hash }: TestProject): Promise<unknown> => {
  const answer = await fetch(`${flux.url}/api/v1/projects/${hash}/push`, {
    method: 'POST',
    headers: { authorization: `Bearer ${flux.token()}`, 'content-type': 'application/json' },
    body: JSON.stringify({ sql: 'select 1' }),
  });
  return await answer.json();
};
const idsOf = async (project: TestProject) => {
  const list = await flux.flux('backup', 'list', ...project.flags, '--json');
  return (JSON.parse(list.stdout) as { backups: { id: string }[] }).backups.map(({ id }) => id);
};

attack(
  'A project creates backups without end',
  'refused at the limit, with the count and what to do; a neighbour is not',
  async () => {
    const [greedy, other] = [await flux.createProject('greedy', 'v2_shared'), await flux.createProject('other', 'v2_shared')];
    await flux.push(greedy, 'create table t (id int);');
    expect((await create(greedy, '--verify')).exitCode).toBe(0);
    expect([(await create(greedy)).exitCode, (await create(greedy)).exitCode]).toEqual([0, 0]);
    const refused = await create(greedy);
    expect(refused.exitCode).toBe(5);
    expect(refused.stderr).toContain('greedy keeps 3 backups, and may keep 3. Nothing was done.');
    expect(refused.stderr).toMatch(/flux backup delete.*flux project quota greedy --hash \w{7} --backups 6/);
    expect(await idsOf(greedy)).toHaveLength(3);
    expect((await flux.flux('doctor', ...greedy.flags)).stdout).toContain('100 % of the backups');
    expect((await create(other)).exitCode).toBe(0);
    // What brings data back, or makes room, goes on: a restore in place takes its safety backup.
    const [newest] = await idsOf(greedy);
    expect((await flux.flux('backup', 'verify', ...greedy.flags, '--latest')).exitCode).toBe(0);
    const restored = await flux.flux('backup', 'restore', ...greedy.flags, '--latest', '--in-place', '--yes');
    expect(restored.exitCode, restored.stderr).toBe(0);
    expect(await idsOf(greedy)).toHaveLength(4);
    for (const id of (await idsOf(greedy)).slice(-2)) {
      const deleted = await flux.flux('backup', 'delete', ...greedy.flags, '--id', id, '--yes');
      expect(deleted.exitCode, deleted.stderr).toBe(0);
    }
    expect((await create(greedy)).exitCode).toBe(0);
    expect(newest).toBeDefined();
    return 'the fourth is refused; a restore in place takes its safety backup; after a deletion there is room again';
  },
  120_000,
);

attack(
  'The only proven backup is damaged while the quota is full',
  'a new one can be created, and only then is it full again',
  async () => {
    const project = await flux.createProject('damaged', 'v2_shared');
    await flux.push(project, 'create table t (id int);');
    expect((await create(project, '--verify')).exitCode).toBe(0);
    for (let i = 0; i < 2; i++) expect((await create(project)).exitCode).toBe(0);
    expect((await create(project)).exitCode).toBe(5);
    const [proven] = (await idsOf(project)).slice(-1);
    const removed = await flux.shell(`rm ${flux.dataFolder}/backups/*/${proven}.dump`);
    expect(removed.exitCode, removed.stderr).toBe(0);
    const replaced = await create(project, '--verify');
    expect(replaced.exitCode, replaced.stderr).toBe(0);
    expect((await create(project)).exitCode).toBe(5);
    return 'one more is allowed without proof, and none once it is proven';
  },
  90_000,
);

attack(
  'A project fills the disk',
  'pushes and backups are refused with the numbers; an admin of the server may allow more, a limited one not',
  async () => {
    const seen: string[] = [];
    for (const mode of ['v2_shared', 'v1_dedicated'] as const) {
      const project = await flux.createProject(mode === 'v2_shared' ? 'fat' : 'fat-own', mode);
      await flux.push(project, `create table t (v text); insert into t select repeat(md5(i::text), 30) from generate_series(1, 40000) i;`);
      expect((await create(project, '--verify')).exitCode).toBe(0);
      await pause(10_500);
      expect((await quota(project, '--disk', '30MiB')).exitCode).toBe(0);
      expect(await pushed(project)).toMatchObject({ code: 'quota_reached' });
      const refused = await create(project);
      expect(refused.exitCode, refused.stderr).toBe(5);
      expect(refused.stderr).toMatch(/uses [\d.]+ MiB \(database [345]\d\.\d MiB, 1 backups [\d.]+ MiB\), and may use 30\.0 MiB/);
      seen.push((await quota(project)).stdout.split('\n')[0] ?? '');
      const limited = await flux.flux('token', 'create', `limited-${mode}`, '--access', 'admin', '--project', project.hash, '--json');
      const { token } = JSON.parse(limited.stdout) as { token: string };
      const denied = await flux.fluxWith({ env: { FLUX_API_TOKEN: token } }, 'project', 'quota', ...project.flags, '--disk', '1TiB');
      expect(denied.exitCode, denied.stderr).toBe(5);
      expect((await quota(project, '--disk', 'default')).exitCode).toBe(0);
      expect((await create(project, '--verify')).exitCode).toBe(0);
      expect((await flux.flux('audit', '--json')).stdout).toContain('project.quota');
    }
    return seen.join('; ');
  },
  240_000,
);

attack(
  "A project asks for work without end, at last with the pooled project's own token",
  'refused at the operations of a day; what removes is not',
  async () => {
    const project = await flux.createProject('busy', 'v2_shared');
    expect((await quota(project, '--operations', '3')).exitCode).toBe(0);
    for (let i = 0; i < 2; i++) await flux.push(project, `create table t${i} (id int);`);
    expect((await create(project)).exitCode).toBe(0);
    const refused = await flux.flux('backup', 'verify', ...project.flags, '--latest');
    expect(refused.exitCode).toBe(5);
    expect(refused.stderr).toContain('busy was asked for 3 pushes, backups, verifications and imports within 24 hours, and may have 3.');
    const { projectJwtSecret } = (await (await flux.api(`/projects/${project.hash}/credentials`)).json()) as { projectJwtSecret: string };
    const own = await fetch(`${flux.url}/api/projects/busy/push`, {
      method: 'POST',
      headers: { authorization: `Bearer ${signJwt(projectJwtSecret, { role: 'service_role' })}`, 'content-type': 'application/json' },
      body: JSON.stringify({ hash: project.hash, sql: 'create table beyond (id int)' }),
    });
    expect(own.status).toBe(403);
    expect(await own.text()).toContain('may have 3');
    const [id = ''] = await idsOf(project);
    expect(
      (await flux.flux('backup', 'delete', ...project.flags, '--id', id, '--skip-backup-check', '--reason', 'test', '--yes')).exitCode,
    ).toBe(0);
    return 'the fourth is refused, and a push with its own token; a deletion goes on';
  },
  60_000,
);
