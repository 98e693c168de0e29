import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Json, world } from './api/world.ts';
import { processesOf, startFlux } from './harness/flux.ts';
import './api/answers.ts';
import './api/bodies.ts';
import './api/errors.ts';
import './api/download.ts';
import './api/long-work.ts';
import './api/tokens.ts';
import './api/runs-once.ts';
import './api/unknown-members.ts';
import './api/v1.ts';

beforeAll(async () => {
  world.flux = await startFlux({ env: { FLUX_LOG_LEVEL: 'trace', FLUX_FOREIGN_ADDRESSES: 'loopback,flux' } });
  world.secrets.add(world.flux.token());
  const { flux } = world;
  [world.v1, world.v2] = await Promise.all([
    flux.createProject('dedicated-one', 'v1_dedicated'),
    flux.createProject('tenant-one', 'v2_shared'),
  ]);
  const projects = [world.v1, world.v2];
  await Promise.all(projects.map((project) => flux.push(project, 'create table t (id int primary key); insert into t values (1), (2);')));
  for (const { uri } of projects) world.secrets.add(new URL(uri).password);
});
afterAll(() => world.flux?.[Symbol.asyncDispose]());

it('describes every route as OpenAPI', async () => {
  const document = (await (await fetch(`${world.flux.url}/api/openapi.json`)).json()) as {
    openapi: string;
    paths: Record<string, Record<string, Json>>;
  };
  expect(document.openapi).toBe('3.1.0');
  const routes = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(routes).toEqual(
    expect.arrayContaining(
      [
        'GET /auth/verify',
        'GET /list',
        'POST /create',
        'POST /init',
        'GET /projects/{hash}',
        'GET /projects/{hash}/credentials',
        'GET /projects/{hash}/backups',
        'POST /projects/{hash}/backups',
        'GET /projects/{hash}/backups/{id}',
        'POST /projects/{hash}/backups/{id}/verify',
        'GET /projects/{hash}/backups/{id}/download',
        'POST /push',
        'GET /projects/{hash}/migrations',
        'GET /operations/{id}',
        'GET /operations/{id}/events',
        'POST /operations/{id}/cancel',
        'GET /tokens',
        'POST /tokens',
        'DELETE /tokens/{id}',
      ].map((route) => route.replace(' ', ' /api/cli/v1')),
    ),
  );
  // Each of them is there, and none of them answers somebody without a token.
  for (const route of routes) {
    const [method = '', path = ''] = route.split(' ');
    const answer = await fetch(world.flux.url + path.replace(/\{\w+\}/g, world.v1.hash), { method });
    expect([route, answer.status]).toEqual([route, 401]);
    await answer.body?.cancel();
  }
});

it('answers supervisors without a token and reveals nothing about projects', async () => {
  for (const path of ['/healthz', '/readyz']) expect(await (await fetch(world.flux.url + path)).json()).toMatchObject({ ok: true });
  const metrics = await (await fetch(`${world.flux.url}/metrics`, { headers: { authorization: `Bearer ${world.flux.token()}` } })).text();
  expect(metrics).toMatch(/^# HELP /m);
  for (const word of [world.v1.slug, world.v1.hash, world.v2.slug, world.v2.hash]) expect(metrics).not.toContain(word);
});

it('writes no secret into a log or a command line, whatever the level', () => {
  expect(world.secrets.size).toBeGreaterThan(8);
  const logs = readdirSync(join(world.flux.dataFolder, 'instances')).flatMap((id) => {
    const folder = join(world.flux.dataFolder, 'instances', id, 'log');
    return readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
  });
  expect(world.flux.log().length).toBeGreaterThan(1000);
  expect(logs.length).toBeGreaterThanOrEqual(3);
  const commands = processesOf(world.flux.folder).map(({ command }) => command);
  for (const secret of world.secrets) {
    for (const written of [world.flux.log(), ...logs, ...commands]) expect(written.includes(secret)).toBe(false);
  }
});
