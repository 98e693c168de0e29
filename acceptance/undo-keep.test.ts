import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backUp } from './harness/backups.ts';
import { type Flux, startFlux, type TestProject } from './harness/flux.ts';
import { openSession } from './harness/pg-session.ts';
import { psql } from './harness/postgres.ts';
import { pause, until } from './harness/process.ts';
import { catalogUri } from './harness/superuser.ts';

const KEEP_MS = 8000;
/** First key of the session locks that say that a worker lives. */
const WORKER_LOCK_CLASS = 0x466c7578;

let flux: Flux;
beforeAll(async () => {
  flux = await startFlux({ env: { FLUX_UNDO_KEEP: `${KEEP_MS}ms`, FLUX_VERIFY_STANDBY: 'off' } });
});
afterAll(() => flux?.[Symbol.asyncDispose]());

describe.each(['v1_dedicated', 'v2_shared'] as const)('what a restore in place on %s has replaced', (mode) => {
  let project: TestProject;
  let restored: { previousKeptAs: string; previousKeptUntil: string };

  const doctor = async (...args: string[]) => (await flux.flux('doctor', ...args)).stdout;
  const audit = async () => (await flux.flux('audit', ...project.flags)).stdout;
  /** Operations of the project that have not ended; one of another worker keeps every other one out. */
  const block = (sql: string) => psql(catalogUri(flux), sql.replaceAll(':id', `(select id from projects where hash = '${project.hash}')`));

  beforeAll(async () => {
    project = await flux.createProject(`kept-${mode.slice(0, 2)}`, mode);
    await flux.push(project, 'create table things (id int); insert into things values (1)');
    const id = await backUp(flux, project, '--verify');
    await flux.push(project, 'insert into things values (2)');
    const answer = await flux.flux(
      'backup',
      'restore',
      ...project.flags,
      '--id',
      id,
      '--in-place',
      '--yes',
      '--skip-present-backup',
      '--json',
    );
    expect(answer.stderr).not.toContain('Error');
    restored = JSON.parse(answer.stdout) as typeof restored;
  });

  it('is kept for a stated time, and shown', async () => {
    const { previousKeptAs, previousKeptUntil } = restored;
    const replacedAt = previousKeptAs.slice(-14).replace(/(....)(..)(..)(..)(..)(..)/, '$1-$2-$3T$4:$5:$6Z');
    expect(new Date(previousKeptUntil).getTime() - new Date(replacedAt).getTime()).toBe(KEEP_MS);
    const line = `undo data: ${previousKeptAs} \\(\\d+\\.\\d MiB\\) was replaced by a restore in place or a reset; it is retained for --undo until ${previousKeptUntil}\\.`;
    expect(await doctor(...project.flags)).toMatch(new RegExp(`^✓ ${line}$`, 'm'));
    expect(await doctor()).toMatch(new RegExp(`^✓ ${project.slug} \\(${project.hash}\\): ${line}$`, 'm'));
  });

  it('stays while the project is busy, and goes when its time is over', async () => {
    await using otherWorker = await openSession(catalogUri(flux));
    await otherWorker.query(
      `with w as (insert into workers (id, host, pid) values (gen_random_uuid(), 'other', 1) returning lock_key) select pg_advisory_lock(${WORKER_LOCK_CLASS}, lock_key) from w`,
    );
    await block(
      `insert into operations (id, project_id, kind, touches, state, worker_id, started_at, created_at) values (gen_random_uuid(), :id, 'push', 'project', 'running', (select id from workers where host = 'other' order by started_at desc limit 1), now(), now())`,
    );
    await pause(Math.max(new Date(restored.previousKeptUntil).getTime() - Date.now(), 0) + 3000);
    expect(await doctor(...project.flags)).toContain(restored.previousKeptAs);
    expect(await audit()).not.toContain('project.undo_expire');

    await block(`delete from operations where project_id = :id and state = 'running'`);
    await until('it is removed', async () => !(await doctor(...project.flags)).includes(restored.previousKeptAs));

    expect(await audit()).toMatch(new RegExp(`project\\.undo_expire .*${restored.previousKeptAs}`));
    const undo = await flux.flux('backup', 'restore', ...project.flags, '--undo', '--yes');
    expect(undo.stderr).toContain(`There is nothing to undo for ${project.slug}.`);
    expect(undo.exitCode).toBe(4);
    expect(flux.log()).toContain('removed expired undo data');
  });
});
