import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { EngineKind } from '@flux/contract/labels';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { backUp } from './harness/backups.ts';
import type { Flux, TestProject } from './harness/flux.ts';
import { type FluxWithCatalog, startFluxWithCatalog } from './harness/outside-catalog.ts';
import { psql } from './harness/postgres.ts';
import { until } from './harness/process.ts';
import { databaseOf, superuserUri } from './harness/superuser.ts';

let place: FluxWithCatalog;
let flux: Flux;
beforeAll(async () => {
  place = await startFluxWithCatalog();
  flux = place.flux;
}, 120_000);
afterAll(() => place?.[Symbol.asyncDispose]());

const query = (sql: string) => place.query(sql);
const askPool = async (sql: string) => (await psql(superuserUri(flux, 'shared', 'flux_shared'), sql)).trim();
const shortIdOf = ({ hash }: TestProject) => query(`select left(replace(id::text, '-', ''), 12) from projects where hash = '${hash}'`);
const isRemoved = (projects: readonly TestProject[]) =>
  until('the projects are removed', async () => {
    const hashes = projects.map(({ hash }) => `'${hash}'`).join(', ');
    return (await query(`select bool_and(lifecycle = 'removed') from projects where hash in (${hashes})`)) === 't';
  });
/** What lies in the trash of a project: folders with a server, or schemas of the pool. */
const trashOf = async (shortId: string) => {
  const folder = join(flux.dataFolder, 'trash');
  const servers = (existsSync(folder) ? readdirSync(folder) : []).filter((name) => name.endsWith(`-p-${shortId}`));
  const schemas = await askPool(`select nspname from pg_namespace where nspname ~ '^trash_.*_${shortId}_api$'`);
  return [...servers, ...schemas.split('\n').filter((name) => name !== '')];
};
const newProject = async (slug: string, engine: EngineKind) => {
  const project = await flux.createProject(slug, engine);
  await flux.push(project, 'create table orders (id int); insert into orders select generate_series(1, 100);');
  return { project, shortId: await shortIdOf(project) };
};
/** As in a copy of the catalog that was made while the removal waited for a worker, or while one that is dead by now had begun it. */
const recordNuke = async ({ hash }: TestProject, state: 'queued' | 'running') => {
  const begun = state === 'queued' ? 'null, null, 0' : `(select id from workers limit 1), now(), 1`;
  await query(
    `insert into operations (id, project_id, kind, touches, state, worker_id, started_at, attempts, requested_by, request, created_at)
     select gen_random_uuid(), p.id, 'nuke', 'project', '${state}', ${begun}, t.id, '{"override":{"reason":"a test"}}', now()
     from projects p, tokens t where p.hash = '${hash}' limit 1`,
  );
};
/** What a killed server leaves that had declared its removal and committed it, and removed nothing yet. */
const recordRemoving = async ({ hash }: TestProject) => {
  await query(`update projects set lifecycle = 'removing' where hash = '${hash}'`);
};

it('removes to the trash what this start was not asked for, and at once what it was', async () => {
  const own = await newProject('own', 'v1_dedicated');
  const pooled = await newProject('pooled', 'v2_shared');
  const ownHalf = await newProject('own-half', 'v1_dedicated');
  const pooledHalf = await newProject('pooled-half', 'v2_shared');
  const all = [own, pooled, ownHalf, pooledHalf];
  await askPool(`delete from flux.standings where tenant_schema = 't_${pooledHalf.shortId}_api'`);
  rmSync(join(flux.dataFolder, 'instances', `p-${ownHalf.shortId}`, 'standing'));
  expect(await flux.stop()).toBe(0);
  await recordNuke(own.project, 'queued');
  await recordNuke(pooled.project, 'running');
  await recordRemoving(ownHalf.project);
  await recordRemoving(pooledHalf.project);
  await flux.start();
  await isRemoved(all.map(({ project }) => project));

  for (const { project, shortId } of all) {
    const found = await trashOf(shortId);
    expect(found, project.slug).toHaveLength(1);
    const [name] = found as [string];
    if (name.startsWith('trash_')) expect(await askPool(`select count(*) from ${name}.orders`)).toBe('100');
    else expect(existsSync(join(flux.dataFolder, 'trash', name, 'data/PG_VERSION'))).toBe(true);
    await expect(psql(project.uri, 'select 1')).rejects.toThrow();
  }
  expect(flux.log()).toContain('goes to the trash for FLUX_TRASH_KEEP');

  // Their names are free, and who asks for a removal gets one.
  for (const engine of ['v1_dedicated', 'v2_shared'] as const) {
    const again = await newProject(engine === 'v1_dedicated' ? 'own' : 'pooled', engine);
    await backUp(flux, again.project, '--verify');
    const nuked = await flux.flux('nuke', ...again.project.flags, '--yes');
    expect(nuked.exitCode, nuked.stderr).toBe(0);
    expect(await trashOf(again.shortId)).toEqual([]);
  }

  // As docs/operating/upgrade.md says.
  expect(await flux.stop()).toBe(0);
  const [name = ''] = readdirSync(join(flux.dataFolder, 'trash')).filter((entry) => entry.endsWith(own.shortId));
  renameSync(join(flux.dataFolder, 'trash', name), join(flux.dataFolder, 'instances', `p-${own.shortId}`));
  await flux.start();
  expect(await psql(superuserUri(flux, `p-${own.shortId}`, databaseOf(own.project)), 'select count(*) from orders')).toBe('100\n');
}, 240_000);
