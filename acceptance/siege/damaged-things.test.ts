import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { backUp } from '../harness/backups.ts';
import { type Flux, startFlux, type TestProject } from '../harness/flux.ts';
import { psql, startThrowAwayCluster, type ThrowAwayCluster } from '../harness/postgres.ts';
import { until } from '../harness/process.ts';
import { catalogUri } from '../harness/superuser.ts';
import { siegeChapter } from './attack.ts';

const attack = siegeChapter('Damaged things');
const BOUND = 'start, list and the backups of others work; doctor names it and what to do';

let flux: Flux;
let elsewhere: ThrowAwayCluster;
let shop: TestProject;
const unremovable: string[] = [];

beforeAll(async () => {
  [flux, elsewhere] = await Promise.all([
    startFlux({ env: { FLUX_VERIFY_STANDBY: 'off', FLUX_TRASH_KEEP: '1s' } }),
    startThrowAwayCluster(),
  ]);
  shop = await flux.createProject('shop', 'v2_shared');
  await flux.push(shop, 'create table t (id int); insert into t values (1);');
}, 120_000);
afterAll(async () => {
  for (const path of unremovable) execFileSync('chattr', ['-i', path]);
  await flux?.[Symbol.asyncDispose]();
  await elsewhere?.[Symbol.asyncDispose]();
});

/** A file that not even root can remove, as on a volume that was mounted read-only or below a mount point. */
function putUnremovable(path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, 'x');
  execFileSync('chattr', ['+i', path]);
  unremovable.push(path);
}

const rows = (sql: string) => psql(catalogUri(flux), sql);

interface Listed {
  readonly slug: string;
  readonly status: string;
  readonly problem?: string;
}

/** Starts the server again, and sees that others are as they were. */
async function expectOthersUnharmed(): Promise<readonly Listed[]> {
  expect(await flux.stop()).toBe(0);
  await flux.start();
  const list = await flux.flux('list', '--json');
  expect(list.exitCode, list.stderr).toBe(0);
  const projects = JSON.parse(list.stdout) as readonly Listed[];
  expect(projects.find(({ slug }) => slug === 'shop')).toMatchObject({ status: 'running' });
  expect((await flux.flux('list')).exitCode).toBe(0);
  await backUp(flux, shop, '--verify');
  return projects;
}

async function expectDoctorSays(...parts: readonly RegExp[]): Promise<void> {
  const { stdout } = await flux.flux('doctor');
  for (const part of parts) expect(stdout).toMatch(part);
}

attack('The row of a project has a scope that cannot be read', BOUND, async () => {
  await psql(elsewhere.uri('postgres'), 'create schema scratch');
  const env = { FLUX_ATTACH_URI: elsewhere.uri('postgres') };
  const { exitCode, stderr } = await flux.fluxWith({ env }, 'create', 'legacy', '--attach', '--exclude-schema', 'scratch');
  expect(exitCode, stderr).toBe(0);
  await rows(`update projects set scope = '{"schemas": 5}' where slug = 'legacy'`);
  const projects = await expectOthersUnharmed();
  expect(projects.find(({ slug }) => slug === 'legacy')?.problem).toMatch(/^Which part of legacy is backed up cannot be read/);
  expect((await flux.flux('list')).stderr).toContain('legacy: Which part of legacy is backed up cannot be read');
  await expectDoctorSays(/legacy \(.*\): catalog: Which part of legacy.* cannot be read.*flux project attach legacy/);
  const refused = await flux.flux('backup', 'create', '--project', 'legacy');
  expect(refused.stderr).toMatch(/Which part of legacy is backed up cannot be read.*\n.*flux project attach legacy/);
  const repaired = await flux.flux('project', 'attach', 'legacy', '--whole-database');
  expect(repaired.exitCode, repaired.stderr).toBe(0);
  expect((await flux.flux('backup', 'create', '--project', 'legacy')).exitCode).toBe(0);
  return 'listed with the problem; its own backup is refused with the command that helps, which was run';
});

attack('The secrets of a project cannot be opened', BOUND, async () => {
  for (const mode of ['v1_dedicated', 'v2_shared'] as const) await flux.createProject(`sealed-${mode.slice(0, 2)}`, mode);
  await rows(`update projects set sealed_secrets = '\\x00' where slug like 'sealed-%'`);
  const projects = await expectOthersUnharmed();
  expect(projects.filter(({ slug }) => slug.startsWith('sealed-'))).toHaveLength(2);
  await expectDoctorSays(
    ...['sealed-v1', 'sealed-v2'].map((slug) => new RegExp(`${slug} .*: catalog: The secrets of ${slug} cannot be opened.*secret\\.key`)),
  );
  const own = await flux.flux('doctor', 'sealed-v2');
  expect(own.stdout).toContain('The secrets of sealed-v2 cannot be opened');
  return 'both engines: listed, named by doctor with the file that is missing';
});

attack('The record of an instance is not JSON', BOUND, async () => {
  const broken = await flux.createProject('broken', 'v1_dedicated');
  const records = readdirSync(join(flux.dataFolder, 'instances')).filter((name) => name.startsWith('p-'));
  const port = new URL(broken.uri).port;
  const id =
    records.find((name) => readFileSync(join(flux.dataFolder, 'instances', name, 'instance.json'), 'utf8').includes(`"port": ${port}`)) ??
    '';
  expect(await flux.stop()).toBe(0);
  writeFileSync(join(flux.dataFolder, 'instances', id, 'instance.json'), '{"spec":');
  await flux.start();
  const projects = await expectOthersUnharmed();
  expect(projects.find(({ slug }) => slug === 'broken')).toMatchObject({ status: 'corrupted' });
  await expectDoctorSays(new RegExp(`Postgres instance ${id}: .*instance\\.json cannot be read.*Put the file back`));
  return 'its project is corrupted in the list';
});

attack(
  'Files that cannot be removed lie among backups, instances and in the trash',
  `${BOUND}; what lies beside them is removed`,
  async () => {
    const worker = randomUUID();
    const draft = join(flux.dataFolder, 'backups', randomUUID(), `.flux-tmp-${worker}-0-x.dump`);
    const old = '2026-01-01T00-00-00.000Z';
    const instance = join(flux.dataFolder, 'instances', 'p-00000000dead');
    const record = {
      spec: { id: 'p-00000000dead', major: 15, network: 'none' },
      port: null,
      desired: 'running',
      phase: 'removing',
      restarts: 0,
      lastRestartAt: null,
    };
    putUnremovable(draft);
    const trash = join(flux.dataFolder, 'trash', `${old}-p-a`, 'file');
    putUnremovable(trash);
    mkdirSync(join(flux.dataFolder, 'trash', `${old}-p-b`));
    putUnremovable(join(instance, 'log', 'postgres.log'));
    writeFileSync(join(instance, 'instance.json'), JSON.stringify(record));
    await expectOthersUnharmed();
    await until('the rest of the trash is deleted', () => !existsSync(join(flux.dataFolder, 'trash', `${old}-p-b`)), 10_000);
    await expectDoctorSays(
      new RegExp(`upkeep: .*${draft}: (?:EPERM|ENOTDIR).*Repair or remove`),
      new RegExp(`upkeep: .*emptying the trash: .*${old}-p-a: (?:EPERM|ENOTDIR).*Repair or remove`),
      /Postgres instance p-00000000dead: .*(?:EPERM|ENOTDIR).*move the folder of the instance away/,
    );
    const limited = await flux.flux('token', 'create', 'limited', '--access', 'admin', '--project', shop.hash, '--json');
    const { token } = JSON.parse(limited.stdout) as { token: string };
    const told = await flux.fluxWith({ env: { FLUX_API_TOKEN: token } }, 'doctor');
    expect(told.stdout).toMatch(/damage: \d+ things of this host/);
    expect(told.stdout).not.toMatch(/p-[0-9a-f]{12}|\/trash\/|\/backups\/|sealed-|legacy|broken/);
    return 'all three named; a token that is limited to one project learns how many there are';
  },
);

attack('The copy of a receipt is not JSON', BOUND, async () => {
  await backUp(flux, shop, '--verify');
  const folder = join(flux.dataFolder, 'backups');
  const copies = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /receipts\/[0-9a-f-]{36}\/\d+\.json$/.test(name),
  );
  const newest = copies.sort((a, b) => Number(/(\d+)\.json$/.exec(a)?.[1]) - Number(/(\d+)\.json$/.exec(b)?.[1])).at(-1) ?? '';
  writeFileSync(join(folder, newest), 'not JSON');
  await expectDoctorSays(new RegExp(`shop .*: receipts: .*${newest}, cannot be read\\. Move it away and restart`));
  await expectOthersUnharmed();
  return 'named by its path';
});

attack('After all of this', 'a kill is recovered from, and others are as they were', async () => {
  const id = await backUp(flux, shop);
  await flux.kill();
  await flux.start();
  const verified = await flux.flux('backup', 'verify', '--id', id, ...shop.flags);
  expect(verified.exitCode, verified.stderr).toBe(0);
  return 'the newest backup is restorable';
});
