import { randomUUID } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { type Flux, type FluxOptions, startFlux } from '../harness/flux.ts';
import { psql, startThrowAwayCluster, type ThrowAwayCluster } from '../harness/postgres.ts';
import { siegeChapter } from './attack.ts';

const attack = siegeChapter('One folder, one key, one catalog');

let cluster: ThrowAwayCluster;
let shared: Readonly<Record<string, string>>;
let first: Flux;
beforeAll(async () => {
  cluster = await startThrowAwayCluster();
  await psql(cluster.uri('postgres'), 'create database catalog');
  shared = {
    FLUX_CATALOG_URL: cluster.uri('catalog'),
    FLUX_SHARED_POSTGRES_URL: cluster.uri('postgres'),
    FLUX_VERIFY_STANDBY: 'off',
  };
  first = await startFlux({ env: shared });
}, 120_000);
afterAll(async () => {
  await first?.[Symbol.asyncDispose]();
  await cluster?.[Symbol.asyncDispose]();
});

const volume = () => join(first.dataFolder, 'backups');
/** Why another server does not start. */
async function refusalOf(options: FluxOptions): Promise<string> {
  let second: Flux | undefined;
  try {
    second = await startFlux(options);
  } catch (error) {
    return (error as Error).message;
  } finally {
    await second?.[Symbol.asyncDispose]();
  }
  throw new Error('the second server started');
}
const withSecrets = (folder: string) => {
  mkdirSync(join(folder, 'data'), { mode: 0o711 });
  for (const name of ['secret.key', 'admin-token']) copyFileSync(join(first.dataFolder, name), join(folder, 'data', name));
};

attack('A second server with another secret key on the same catalog', 'does not start, and says why', async () => {
  const refusal = await refusalOf({ env: { ...shared, FLUX_BACKUPS_LOCAL_DIR: volume() } });
  expect(refusal).toContain('The catalog belongs to an installation with another secret key.');
  return 'refused: another secret key';
});

attack('A second server with the key, and a folder for backups of its own that has others', 'does not start', async () => {
  const refusal = await refusalOf({
    env: shared,
    prepare: (folder) => {
      withSecrets(folder);
      mkdirSync(join(folder, 'data/backups'), { mode: 0o700 });
      writeFileSync(join(folder, 'data/backups/.flux-volume'), `${randomUUID()}\n`);
    },
  });
  expect(refusal).toContain('is the backup folder of another installation');
  return 'refused: another backup folder';
});

attack('A second server with the key, whose pooled cluster would be another one', 'does not start', async () => {
  const { FLUX_SHARED_POSTGRES_URL: _, ...own } = shared;
  const refusal = await refusalOf({ env: { ...own, FLUX_BACKUPS_LOCAL_DIR: volume() }, prepare: withSecrets });
  expect(refusal).toContain('the pooled cluster lies in that folder');
  expect(refusal).toContain('A server works on that folder now.');
  return 'refused: the pool lies in the other folder';
});

attack('A second server of the same family', 'starts, and no dedicated project is made that only one of them could serve', async () => {
  const second = await startFlux({ env: { ...shared, FLUX_BACKUPS_LOCAL_DIR: volume() }, prepare: withSecrets });
  try {
    const refused = await first.flux('create', 'alone', '--mode', 'v1_dedicated');
    expect(refused.exitCode).not.toBe(0);
    expect(refused.stderr).toContain('2 control planes with data folders of their own share the catalog');
    const pooled = await second.createProject('together', 'v2_shared');
    const made = await first.flux('backup', 'create', ...pooled.flags, '--verify');
    expect(made.exitCode, made.stderr).toBe(0);
    expect(await first.stop()).toBe(0);
    const alone = await second.flux('create', 'alone', '--mode', 'v1_dedicated');
    expect(alone.exitCode).not.toBe(0);
    expect(alone.stderr).toContain('The catalog belongs to another data folder than that of this control plane');
    await first.start();
  } finally {
    await second[Symbol.asyncDispose]();
  }
  return 'a pooled project is served by both; a dedicated one is refused while both run, and on the second alone';
});

attack('The data folder again, by a symbolic link and by its own path', 'the second server does not start', async () => {
  const env = { ...shared, FLUX_DATA_DIR: first.dataFolder };
  const direct = await refusalOf({ env });
  expect(direct).toContain('Another Flux already uses the data folder');
  const linked = await refusalOf({
    env: shared,
    prepare: (folder) => symlinkSync(first.dataFolder, join(folder, 'data')),
  });
  expect(linked).toContain('Another Flux already uses the data folder');
  return 'refused twice';
});

attack('The catalog and the pool in one database, under two names', 'no start, and nothing is made in it', async () => {
  await psql(cluster.uri('postgres'), 'create database together');
  const uri = cluster.uri('together');
  const env = { FLUX_CATALOG_URL: uri, FLUX_SHARED_POSTGRES_URL: `${uri}${uri.includes('?') ? '&' : '?'}application_name=pool` };
  const refusal = await refusalOf({ env });
  expect(refusal).toContain('FLUX_CATALOG_URL and FLUX_SHARED_POSTGRES_URL name the same database');
  expect(await psql(uri, `select count(*) from pg_class where relnamespace = 'public'::regnamespace`)).toBe('0\n');
  return 'refused before a table was made';
});

attack('reconcile with the catalog of another installation', 'changes nothing, whoever works on that catalog', async () => {
  const env: Record<string, string> = { FLUX_VERIFY_STANDBY: 'off' };
  await using other = await startFlux({ env });
  expect(await other.stop()).toBe(0);
  expect(await first.stop()).toBe(0);
  const before = await psql(cluster.uri('catalog'), 'select * from installation');
  Object.assign(env, shared);
  for (const how of ['--dry-run', '--apply']) {
    const refused = await other.server('reconcile', how);
    expect(refused.exitCode).not.toBe(0);
    expect(refused.stderr).toContain('The catalog belongs to an installation with another secret key.');
  }
  // A catalog from before it knew to whom it belongs: its secrets tell.
  await psql(cluster.uri('catalog'), 'alter table installation rename to hidden; create table installation (like hidden including all)');
  const untold = await other.server('reconcile', '--apply');
  expect(untold.stderr).toContain('The catalog belongs to an installation with another secret key.');
  const rightful = await first.server('reconcile', '--apply');
  expect(rightful.exitCode, rightful.stderr).toBe(0);
  expect(await psql(cluster.uri('catalog'), 'select home, volume, key_fingerprint from installation')).toBe(
    await psql(cluster.uri('catalog'), 'select home, volume, key_fingerprint from hidden'),
  );
  await psql(cluster.uri('catalog'), 'drop table installation; alter table hidden rename to installation');
  copyFileSync(join(first.dataFolder, 'secret.key'), join(other.dataFolder, 'secret.key'));
  const refused = await other.server('reconcile', '--apply');
  expect(refused.stderr).toContain('is the backup folder of another installation');
  expect(await psql(cluster.uri('catalog'), 'select * from installation')).toBe(before);
  await first.start();
  return 'refused four times, by the key and by the backup folder; the rightful one is not';
});

attack(
  'A server with another key meets a catalog that it would have to upgrade',
  'it is refused before the tables are changed',
  async () => {
    // As an earlier release has left it, as far as this server can tell.
    expect(await first.stop()).toBe(0);
    const undo = `create table was as select name, timestamp from catalog_migrations where name = '030-installation'; delete from catalog_migrations where name = '030-installation'`;
    await psql(cluster.uri('catalog'), undo);
    const refusal = await refusalOf({ env: { ...shared, FLUX_BACKUPS_LOCAL_DIR: volume() } });
    expect(refusal).toContain('The catalog belongs to an installation with another secret key.');
    const planned = await first.server('reconcile', '--dry-run');
    expect(planned.stderr).toContain('The tables of the catalog are of an earlier version of Flux');
    expect(planned.stderr).toContain('flux-server migrate');
    await psql(cluster.uri('catalog'), 'insert into catalog_migrations (name, timestamp) select name, timestamp from was; drop table was');
    await first.start();
    return 'refused, and so is a dry run of the rightful server, which says what to do';
  },
);

attack('The data folder is lost, and a new one takes the secret key and the backups', 'reconcile makes it the successor', async () => {
  await using other = await startFlux({ env: { ...shared, FLUX_BACKUPS_LOCAL_DIR: volume() }, prepare: withSecrets });
  expect(await other.stop()).toBe(0);
  expect(await first.stop()).toBe(0);
  const planned = await other.server('reconcile', '--dry-run');
  expect(planned.stdout, planned.stderr).toContain('`flux-server reconcile --apply` makes this one its successor');
  const said = await other.server('reconcile', '--apply');
  expect(said.stdout, said.stderr).toContain('The catalog belongs to this data folder from now on.');
  await other.start();
  const home = readFileSync(join(other.dataFolder, 'installation-id'), 'utf8').trim();
  expect((await psql(cluster.uri('catalog'), 'select home from installation')).trim()).toBe(home);
  expect(await other.stop()).toBe(0);
  return 'the catalog names the new folder';
});
