import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { backUp } from '../harness/backups.ts';
import type { Flux } from '../harness/flux.ts';
import { type FluxWithCatalog, startFluxWithCatalog } from '../harness/outside-catalog.ts';
import { findClient, psql } from '../harness/postgres.ts';
import { runWell, until } from '../harness/process.ts';
import { superuserUri } from '../harness/superuser.ts';
import { siegeChapter } from './attack.ts';

const attack = siegeChapter('An old catalog');

let place: FluxWithCatalog;
let flux: Flux;
beforeAll(async () => {
  place = await startFluxWithCatalog();
  flux = place.flux;
}, 120_000);
afterAll(() => place?.[Symbol.asyncDispose]());

let copies = 0;
/** What a nightly backup of the catalog does. */
const copyCatalog = async () => {
  const file = join(place.cluster.folder, `catalog-${++copies}.dump`);
  await runWell(join(findClient(), 'pg_dump'), ['-Fc', '-d', place.url, '-f', file]);
  return file;
};
/** Stops the server and puts an older copy of the catalog in its place. */
const goBackTo = async (file: string) => {
  expect(await flux.stop()).toBe(0);
  await psql(place.cluster.uri('postgres'), 'drop database catalog with (force);\ncreate database catalog;');
  await runWell(join(findClient(), 'pg_restore'), ['-d', place.url, file]);
};
const startIsRefused = async () => {
  const refusal = await place.refusal();
  expect(refusal).toContain('The catalog is older than what it describes');
  expect(refusal).toContain('flux-server reconcile --dry-run');
  return refusal;
};
const reconcile = async () => {
  const planned = await flux.server('reconcile', '--dry-run');
  expect(planned.exitCode, planned.stderr).toBe(0);
  expect(planned.stdout).toContain('Nothing was changed.');
  const applied = await flux.server('reconcile', '--apply');
  expect(applied.exitCode, applied.stderr).toBe(0);
  expect(applied.stdout).not.toMatch(/^[✗!]/m);
  return applied.stdout.trim().split('\n').length;
};

attack(
  'A copy of the catalog from the middle of a migration is put back, and Flux is started',
  'no start; the server with the data stays; reconcile adopts it',
  async () => {
    const shop = await flux.createProject('moved', 'v2_shared');
    await flux.push(shop, 'create table orders (id int); insert into orders select generate_series(1, 1000);');
    const migrating = flux.flux('migrate', ...shop.flags, '--to', 'v1_dedicated', '--yes');
    let during: string | undefined;
    await until('a copy of the catalog was made during the move', async () => {
      if ((await place.query(`select migration_state from projects where slug = 'moved'`)) !== 'copying') return false;
      during = await copyCatalog();
      return true;
    });
    const migrated = await migrating;
    expect(migrated.exitCode, migrated.stderr).toBe(0);
    await flux.push(shop, 'insert into orders select generate_series(1001, 1002);');
    const proven = await backUp(flux, shop, '--verify');
    await goBackTo(during as string);

    const refusal = await startIsRefused();
    expect(refusal).toContain('moved');
    expect(refusal).toContain(proven);
    const lines = await reconcile();
    await flux.start();
    const uri = (await flux.flux('project', 'credentials', 'moved', '--field', 'postgres.url')).stdout.trim();
    expect(await psql(uri, 'select count(*) from orders')).toBe('1002\n');
    const list = await flux.flux('backup', 'list', ...shop.flags);
    expect(list.stdout).toContain('Verification:             Restore-verified\n');
    const again = await flux.flux('backup', 'create', ...shop.flags, '--verify');
    expect(again.exitCode, again.stderr).toBe(0);
    return `start refused; ${lines} things adopted; all 1,002 rows are there, and the newest backup is Restorable as before`;
  },
);

attack('A copy of the catalog in which the project is still being created', 'no start; the project with its rows stays', async () => {
  const late = await flux.createProject('late', 'v1_dedicated');
  await flux.push(late, 'create table t (id int); insert into t select generate_series(1, 100);');
  // As in a copy that was made at that moment by a worker that is dead by now.
  await place.query(`update projects set lifecycle = 'creating' where slug = 'late'`);
  expect(await flux.stop()).toBe(0);
  await startIsRefused();
  await reconcile();
  await flux.start();
  expect(await psql(late.uri, 'select count(*) from t')).toBe('100\n');
  return 'start refused; after reconcile all 100 rows are there';
});

attack(
  'A pooled project is still being created by the catalog, and what lies beside its data is gone',
  'its data lies in the trash of the pool until FLUX_TRASH_KEEP is over',
  async () => {
    const cut = await flux.createProject('cut', 'v2_shared');
    const schema = `t_${await place.query(`select left(replace(id::text, '-', ''), 12) from projects where slug = 'cut'`)}_api`;
    const pool = () => superuserUri(flux, 'shared', 'flux_shared');
    await psql(
      pool(),
      `create table ${schema}.t (id int); alter table ${schema}.t owner to ${schema.replace('api', 'ddl')};
       insert into ${schema}.t select generate_series(1, 100); delete from flux.standings where tenant_schema = '${schema}'`,
    );
    await place.query(`update projects set lifecycle = 'creating' where slug = 'cut'`);
    expect(await flux.stop()).toBe(0);
    await flux.start();
    const trash = async () => (await psql(pool(), `select nspname from pg_namespace where nspname ~ '^trash_'`)).trim();
    const found = await trash();
    expect(found.endsWith(schema.slice(1))).toBe(true);
    expect(await psql(pool(), `select count(*) from ${found}.t`)).toBe('100\n');
    await expect(psql(cut.uri, 'select 1')).rejects.toThrow();
    expect((await flux.flux('doctor')).stdout).not.toContain(found);
    expect(await flux.stop()).toBe(0);
    await flux.start({ FLUX_TRASH_KEEP: '1s' });
    await until('the trash is empty', async () => (await trash()) === '', 20_000);
    return 'all 100 rows lay in the trash of the pool, where nobody could log in, and were deleted after FLUX_TRASH_KEEP';
  },
  120_000,
);

attack(
  'A copy of the catalog from before two projects were created, one of them removed since',
  'no start; the live one and the backups of both are adopted',
  async () => {
    const before = await copyCatalog();
    const kept = await flux.createProject('kept', 'v2_shared');
    await flux.push(kept, 'create table t (id int); insert into t values (1), (2), (3);');
    const first = await backUp(flux, kept, '--verify');
    const gone = await flux.createProject('gone', 'v1_dedicated');
    await flux.push(gone, 'create table t (id int); insert into t values (4);');
    await backUp(flux, gone, '--verify');
    const nuked = await flux.flux('nuke', ...gone.flags, '--yes');
    expect(nuked.exitCode, nuked.stderr).toBe(0);
    await goBackTo(before);

    await startIsRefused();
    const lines = await reconcile();
    await flux.start();
    expect(await psql(kept.uri, 'select count(*) from t')).toBe('3\n');
    expect((await flux.flux('backup', 'show', ...kept.flags, '--id', first)).stdout).toContain('Restorable');
    const back = await flux.flux('backup', 'restore', ...gone.flags, '--latest', '--into', 'gone', '--yes');
    expect(back.exitCode, back.stderr).toBe(0);
    const uri = (await flux.flux('project', 'credentials', 'gone', '--field', 'postgres.url')).stdout.trim();
    expect(await psql(uri, 'select id from t')).toBe('4\n');
    return `start refused; ${lines} things adopted; the removed project was restored from its backup`;
  },
);

/** A project that is removed, of which only its receipt is left. */
const leaveOnlyReceipt = async (slug: string) => {
  const project = await flux.createProject(slug, 'v2_shared');
  await flux.push(project, 'create table t (id int); insert into t values (1);');
  await backUp(flux, project, '--verify');
  const id = await place.query(`select id from projects where hash = '${project.hash}'`);
  const nuked = await flux.flux('nuke', ...project.flags, '--yes');
  expect(nuked.exitCode, nuked.stderr).toBe(0);
  rmSync(join(flux.dataFolder, 'backups', id), { recursive: true });
  expect(existsSync(join(flux.dataFolder, 'backups/receipts', id, '1.json'))).toBe(true);
  return project;
};

attack(
  'A copy of the catalog from before two projects of which only receipts are left; one cannot be adopted, one lies in a third project as well',
  'the other is adopted, of its own project only; what cannot be is said, and Flux starts',
  async () => {
    const third = await flux.createProject('third', 'v2_shared');
    const before = await copyCatalog();
    const vanished = await leaveOnlyReceipt('vanished');
    const blocked = await leaveOnlyReceipt('blocked');
    const receipts = join(flux.dataFolder, 'backups/receipts');
    const idOf = (hash: string) => place.query(`select id from projects where hash = '${hash}'`);
    const copied = join(receipts, await idOf(third.hash));
    cpSync(join(receipts, await idOf(vanished.hash)), copied, { recursive: true });
    await goBackTo(before);
    // Another project has its hash by now.
    await place.query(`insert into projects (id, owner_id, slug, hash, engine, lifecycle, sealed_secrets, removed_at)
      select gen_random_uuid(), id, 'other', '${blocked.hash}', 'v2_shared', 'removed', '', now() from users limit 1`);

    await startIsRefused();
    const applied = await flux.server('reconcile', '--apply');
    expect(applied.exitCode).toBe(1);
    expect(applied.stdout).toMatch(new RegExp(`^✓ Receipt 1 of vanished \\(${vanished.hash}\\).*Adopted\\.$`, 'm'));
    expect(applied.stdout).toMatch(/^✗ Receipt 1 of blocked .* It could not be adopted: .*\. Correct what is in its way and run/m);
    expect(applied.stderr).toMatch(/^1 of \d could not be adopted/m);
    await flux.start();
    expect(flux.log()).toContain('Receipt 1 of blocked');
    expect((await flux.flux('list', '--removed')).stdout).toContain(vanished.hash);
    expect((await flux.flux('doctor', ...vanished.flags)).stdout).not.toContain('eceipt 1');
    expect(flux.log()).toContain('whose folder this is not');
    expect((await flux.flux('backup', 'list', ...third.flags)).stdout).not.toContain('Restorable');

    expect(await flux.stop()).toBe(0);
    await place.query(`delete from projects where slug = 'other'`);
    const again = await flux.server('reconcile', '--apply');
    expect(again.stdout, again.stderr).toMatch(/^✓ Receipt 1 of blocked .* Adopted\.$/m);
    await flux.start();
    expect((await flux.flux('list', '--removed')).stdout).toContain(blocked.hash);
    return 'one receipt adopted in its own project, one named with the reason; adopted by the next reconcile when nothing was in its way';
  },
);

attack(
  'What one server says of itself cannot be read, and an old catalog says that another is still being created',
  'the other is found all the same; the unreadable one is named by doctor and not removed',
  async () => {
    const broken = await flux.createProject('broken', 'v1_dedicated');
    await flux.push(broken, 'create table t (id int); insert into t values (1);');
    await backUp(flux, broken, '--verify');
    const other = await flux.createProject('other', 'v1_dedicated');
    const idOf = async (hash: string) =>
      `p-${await place.query(`select left(replace(id::text, '-', ''), 12) from projects where hash = '${hash}'`)}`;
    const instance = await idOf(broken.hash);
    const standing = join(flux.dataFolder, 'instances', instance, 'standing');
    await place.query(`update projects set lifecycle = 'creating' where hash = '${other.hash}'`);
    expect(await flux.stop()).toBe(0);
    rmSync(standing);
    mkdirSync(standing);

    expect(await startIsRefused()).toContain(`other (${other.hash})`);
    const applied = await flux.server('reconcile', '--apply');
    expect(applied.stdout, applied.stderr).toContain(`! Postgres instance ${instance} was not compared with the catalog`);
    await flux.start();
    const said = (await flux.flux('doctor')).stdout.replaceAll(/\s+/g, ' ');
    expect(said).toContain(`Postgres instance ${instance} was not compared with the catalog`);
    expect(said).toContain('Correct that and start Flux again');
    const nuked = await flux.flux('nuke', ...broken.flags, '--yes');
    expect(nuked.exitCode).not.toBe(0);
    expect(nuked.stderr).toContain(`Look at the file standing in the folder instances/${instance}`);
    expect(await psql(broken.uri, 'select count(*) from t')).toBe('1\n');

    rmSync(standing, { recursive: true });
    expect(await flux.stop()).toBe(0);
    await flux.start();
    expect((await flux.flux('doctor')).stdout).not.toContain('not compared');
    expect((await flux.flux('nuke', ...broken.flags, '--yes')).exitCode).toBe(0);
    return `start refused for the other; ${instance} was named and stayed until its file was out of the way`;
  },
);

attack(
  'The control plane dies while it creates a server',
  'what the next start removes lies in the trash',
  async () => {
    const trash = join(flux.dataFolder, 'trash');
    const inTrash = () => (existsSync(trash) ? readdirSync(trash) : []);
    let tries = 0;
    // The moment between the server's first answer and the end of the creation is short.
    while (inTrash().length === 0 && ++tries <= 10) {
      const slug = `half-${tries}`;
      const creating = flux.flux('create', slug, '--mode', 'v1_dedicated');
      await until('half of it is there', async () => {
        const id = await place.query(`select left(replace(id::text, '-', ''), 12) from projects where slug = '${slug}'`);
        const record = join(flux.dataFolder, 'instances', `p-${id}`, 'instance.json');
        return id !== '' && existsSync(record) && readFileSync(record, 'utf8').includes('"phase": "ready"');
      });
      await flux.kill();
      await creating;
      await flux.start();
      expect(await place.query(`select count(*) from projects where slug = '${slug}' and lifecycle = 'creating'`)).toBe('0');
    }
    const found = inTrash();
    expect(found.length).toBe(1);
    expect(existsSync(join(trash, found[0] as string, 'data/PG_VERSION'))).toBe(true);
    // After its time it is deleted.
    expect(await flux.stop()).toBe(0);
    await flux.start({ FLUX_TRASH_KEEP: '1s' });
    await until('the trash is empty', () => inTrash().length === 0, 10_000);
    return `the server lay in the trash (attempt ${tries}), and was deleted after FLUX_TRASH_KEEP`;
  },
  240_000,
);
