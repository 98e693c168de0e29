import { afterAll, beforeAll, expect, it } from 'vitest';
import { existingClient } from './cli-v1/client.ts';
import { Health, List } from './cli-v1/schemas.ts';
import { world } from './cli-v1/world.ts';
import { startFlux } from './harness/flux.ts';
import './cli-v1/account-and-projects.ts';
import './cli-v1/backups.ts';
import './cli-v1/pushes.ts';
import './cli-v1/migrations.ts';
import './cli-v1/refusals.ts';

beforeAll(async () => {
  world.flux = await startFlux();
  const { flux } = world;
  world.client = existingClient(flux);
  [world.v1, world.v2] = await Promise.all([flux.createProject('dedicated', 'v1_dedicated'), flux.createProject('pooled', 'v2_shared')]);
  for (const project of [world.v1, world.v2])
    await flux.push(project, 'create table t (id int primary key); insert into t values (1), (2);');
});
afterAll(() => world.flux?.[Symbol.asyncDispose]());

it.each(['//health', '//api/health', '/health'])('says at %s that it is there, to somebody without a token', async (path) => {
  expect(await existingClient(world.flux, 'none').ask(Health, `GET ${path}`)).toEqual({ ok: true, version: expect.any(String) });
});

it('lists what there is by name', async () => {
  const rows = await world.client.ask(List, 'GET /list');
  const slugs = rows.map(({ slug }) => slug);
  expect(slugs).toEqual(expect.arrayContaining(['dedicated', 'pooled']));
  expect(slugs).toEqual([...slugs].sort());
});
