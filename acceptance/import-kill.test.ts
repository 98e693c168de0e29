import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Flux, startFlux, type TestProject } from './harness/flux.ts';
import { findClient, psql, startThrowAwayCluster, type ThrowAwayCluster } from './harness/postgres.ts';
import { runWell, until } from './harness/process.ts';

let flux: Flux;
let source: ThrowAwayCluster;
let project: TestProject;

beforeAll(async () => {
  source = await startThrowAwayCluster();
  await psql(source.uri('postgres'), 'create database shop');
  const nap = `pg_sleep(case current_database() when 'shop' then 0 else 4 end)`;
  await psql(
    source.uri('shop'),
    `create table t (id int); insert into t values (1); create materialized view nap as select 1 as one from ${nap}`,
  );
  flux = await startFlux();
  project = await flux.createProject('bloom', 'v1_dedicated');
  await runWell(join(findClient(), 'pg_dump'), ['-Fc', '-f', join(flux.folder, 'slow.dump'), '-d', source.uri('shop')]);
});
afterAll(async () => {
  await flux?.[Symbol.asyncDispose]();
  await source?.[Symbol.asyncDispose]();
});

/** Paths of all files on the backup volume: artifacts, manifests, and what is not whole yet. */
const files = () =>
  readdirSync(join(flux.dataFolder, 'backups'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    .filter((path) => !/\/(receipts\/|\.flux-volume$)/.test(path))
    .sort();

interface Listed {
  readonly backups: readonly { readonly id: string; readonly status: string }[];
}
const list = async () => (JSON.parse((await flux.flux('backup', 'list', ...project.flags, '--json', '--all')).stdout) as Listed).backups;

/** Whether the upload has been accepted, and a disposable instance is there. A start of the control plane may have one of its own. */
const isRestoring = async () => existsSync(disposables()) && readdirSync(disposables()).length > 0 && (await list()).some(isRunning);
const disposables = () => join(flux.dataFolder, 'disposable');
const isRunning = ({ status }: { readonly status: string }) => status === 'running';

it('is finished by the next start when the control plane dies while the archive is being read', async () => {
  const running = flux.flux('backup', 'import', 'slow.dump', ...project.flags);
  await until('the archive is being restored', isRestoring);

  await flux.kill();
  await flux.start();

  const ended = await running;
  expect(ended.exitCode, ended.stderr).toBe(0);
  const backups = await list();
  expect(backups.map(({ status }) => status)).toEqual(['complete']);
  expect(files().map((path) => basename(path))).toEqual(['dump', 'manifest.json'].map((end) => `${backups[0]?.id}.${end}`));
  const verified = await flux.flux('backup', 'verify', ...project.flags, '--id', backups[0]?.id ?? '');
  expect(verified.exitCode, verified.stderr).toBe(0);
});

it('leaves nothing behind when it dies during the upload', async () => {
  const [before, known] = [files(), await list()];
  const archive = readFileSync(join(flux.folder, 'slow.dump'));
  const upload = request(`${flux.url}/api/v1/projects/${project.hash}/backups/import?sha256=${'0'.repeat(64)}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${flux.token()}`, 'content-type': 'application/octet-stream' },
  });
  const broken = new Promise((resolve) => upload.on('error', resolve));
  upload.write(archive.subarray(0, archive.length / 2));
  await until('the first half has arrived', () => files().length > before.length);

  await flux.kill();
  await broken;
  await flux.start();

  await until('the half is gone', () => files().length === before.length);
  expect(files()).toEqual(before);
  expect(await list()).toEqual(known);
});
