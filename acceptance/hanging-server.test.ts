import { cpSync, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type Flux, startFlux } from './harness/flux.ts';
import { processesOfServer, signalAll } from './harness/postmaster.ts';
import { until } from './harness/process.ts';

const instancesOf = (flux: Flux) => join(flux.dataFolder, 'instances');
const dedicatedOf = (flux: Flux) => readdirSync(instancesOf(flux)).find((name) => name.startsWith('p-')) ?? '';
/** Starts again after a kill while every process of an instance is stopped. @returns how long that took, and what lets them go on */
async function startWhileStopped(flux: Flux, instance: string): Promise<{ ms: number; goOn: () => void }> {
  const processes = processesOfServer(join(instancesOf(flux), instance, 'data'));
  expect(processes.length).toBeGreaterThan(0);
  signalAll(processes, 'SIGSTOP');
  await flux.kill();
  const started = Date.now();
  try {
    await flux.start();
  } catch (error) {
    signalAll(processes, 'SIGCONT');
    throw error;
  }
  return { ms: Date.now() - started, goOn: () => signalAll(processes, 'SIGCONT') };
}

it('starts while the server of a project hangs, serves the others, and takes that one up when it answers', async () => {
  await using flux = await startFlux();
  await flux.createProject('shop', 'v1_dedicated');
  const pooled = await flux.createProject('pooled', 'v2_shared');
  const { ms, goOn } = await startWhileStopped(flux, dedicatedOf(flux));
  try {
    expect(ms).toBeLessThan(20_000);
    expect((await flux.flux('list')).stdout).toMatch(/^shop +[0-9a-f]{7} +(?!running)/m);
    await flux.push(pooled, 'create table t (id int);');
    expect((await flux.flux('backup', 'create', ...pooled.flags)).exitCode).toBe(0);
  } finally {
    goOn();
  }
  await until('it is back', async () => /^shop +[0-9a-f]{7} +running/m.test((await flux.flux('list')).stdout), 60_000);
}, 180_000);

it('starts while the pool hangs, says that it was not compared, and serves dedicated projects', async () => {
  await using flux = await startFlux();
  const shop = await flux.createProject('shop', 'v1_dedicated');
  await flux.createProject('pooled', 'v2_shared');
  const { ms, goOn } = await startWhileStopped(flux, 'shared');
  try {
    expect(ms).toBeLessThan(20_000);
    await flux.push(shop, 'create table t (id int);');
    expect((await flux.flux('backup', 'create', ...shop.flags)).exitCode).toBe(0);
    expect((await flux.flux('doctor')).stdout).toContain('The pool was not compared with the catalog');
  } finally {
    goOn();
  }
  await until('it is back', async () => /^pooled +[0-9a-f]{7} +running/m.test((await flux.flux('list')).stdout), 60_000);
}, 180_000);

it('hosts a project once when its folder was copied, says which is the copy, and leaves that alone', async () => {
  await using flux = await startFlux();
  const shop = await flux.createProject('shop', 'v1_dedicated');
  await flux.stop();
  const id = dedicatedOf(flux);
  const copy = join(instancesOf(flux), `${id}-old`);
  cpSync(join(instancesOf(flux), id), copy, { recursive: true, preserveTimestamps: true });
  await flux.start();
  expect((await flux.flux('doctor')).stdout).toContain(`its record is that of ${id}`);
  expect((await flux.flux('project', 'stop', 'shop', '--hash', shop.hash)).exitCode).toBe(0);
  await flux.stop();
  await flux.start();
  expect((await flux.flux('list')).stdout).toMatch(/^shop +[0-9a-f]{7} +stopped/m);
  expect(existsSync(join(copy, 'data', 'PG_VERSION'))).toBe(true);
}, 120_000);
