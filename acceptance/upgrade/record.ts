// Records what a control plane of this checkout leaves behind, for acceptance/upgrade.test.ts of later releases:
//
//   npm run build && node acceptance/upgrade/record.ts acceptance/upgrade/first-release.tar.gz
//
// The archive holds the catalog as SQL, the key that opens its secrets, the first token, the artifacts, and `facts.json` with what the
// control plane said about them. It is a fixture: its secrets protect nothing.
import { appendFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { artifactOf, backUp } from '../harness/backups.ts';
import { type Flux, startFlux, type TestProject } from '../harness/flux.ts';
import { findClient, psql } from '../harness/postgres.ts';
import { runWell, until } from '../harness/process.ts';
import { catalogUri } from '../harness/superuser.ts';

const SCHEMA = `create table orders (id int primary key, note text not null);
  insert into orders select i, 'order ' || i from generate_series(1, 50) i;
  create view recent as select * from orders where id > 40;`;

const target = process.argv[2];
if (target === undefined) throw new Error('name the archive to write');
// One piece of work at a time, so that a second one is still queued when the server dies.
const flux = await startFlux({ env: { FLUX_CONCURRENCY: '1' } });
try {
  const facts = await arrange(flux);
  await interrupt(flux, facts.projects.shop, facts.projects.notes);
  await pack(flux, facts, resolve(target));
} finally {
  await flux.stop();
  // What the killed server left running is stopped by the one that adopts it.
  await flux.start();
  await flux[Symbol.asyncDispose]();
}

/** Projects of both engines, with backups in every state that a list can show. */
async function arrange(flux: Flux) {
  const shop = await flux.createProject('shop', 'v1_dedicated');
  const notes = await flux.createProject('notes', 'v2_shared');
  const gone = await flux.createProject('gone', 'v2_shared');
  for (const project of [shop, notes, gone]) await flux.push(project, SCHEMA);

  const backups = {
    unverified: await backUp(flux, shop, '--note', 'before the season'),
    damaged: await backUp(flux, shop),
    removed: await backUp(flux, shop),
    verified: await backUp(flux, shop, '--verify'),
    tenant: await backUp(flux, notes, '--verify'),
    ofNuked: await backUp(flux, gone, '--verify'),
  };
  appendFileSync(await artifactOf(flux, shop, backups.damaged), 'x');
  await flux.flux('backup', 'verify', ...shop.flags, '--id', backups.damaged);
  await well(flux, 'backup', 'pin', ...shop.flags, '--id', backups.unverified);
  await well(flux, 'backup', 'delete', ...shop.flags, '--id', backups.removed, '--yes');
  await well(flux, 'nuke', gone.slug, '--hash', gone.hash, '--yes');
  for (const [project, id] of [[shop, backups.verified] as const, [notes, backups.tenant] as const])
    await well(flux, 'backup', 'restore', ...project.flags, '--id', id, '--in-place', '--yes', '--skip-present-backup');
  const reader = JSON.parse(await well(flux, 'token', 'create', 'reader', '--access', 'read', '--json')) as { token: string };

  const lists = Object.fromEntries(
    await Promise.all(
      [shop, notes].map(async (project) => [project.slug, (await well(flux, 'backup', 'list', ...project.flags)).split('\n').slice(0, 3)]),
    ),
  );
  return { projects: { shop, notes, gone }, backups, reader: reader.token, lists };
}

/** Kills the server with a backup running, another one queued, and a push under way. */
async function interrupt(flux: Flux, shop: TestProject, notes: TestProject): Promise<void> {
  const slow = await flux.createProject('slow', 'v2_shared');
  await flux.push(shop, 'create table large (id int, text text)');
  await flux.push(shop, `insert into large select i, md5(i::text) from generate_series(1, 2000000) i`);
  writeFileSync(join(flux.folder, 'slow.sql'), 'select pg_sleep(600)');
  const asked = [flux.flux('push', 'slow.sql', ...slow.flags), flux.flux('backup', 'create', ...shop.flags)];
  const states = async () =>
    (await psql(catalogUri(flux), `select kind || ' ' || state from operations where state in ('queued', 'running') order by 1`)).trim();
  await until('a backup runs', async () => (await states()) === 'backup_create running\npush running');
  asked.push(flux.flux('backup', 'create', ...notes.flags));
  await until('a backup is queued', async () => (await states()) === 'backup_create queued\nbackup_create running\npush running');
  await flux.kill();
  await Promise.all(asked);
}

async function pack(flux: Flux, facts: object, target: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'flux-record-'));
  try {
    await psql(catalogUri(flux), "update workers set host = 'recorder'");
    const dump = ['--no-owner', '--no-acl', '-d', catalogUri(flux), '-f', join(folder, 'catalog.sql')];
    await runWell(join(findClient(), 'pg_dump'), dump);
    for (const name of ['secret.key', 'admin-token']) cpSync(join(flux.dataFolder, name), join(folder, name));
    mkdirSync(join(folder, 'backups'));
    cpSync(join(flux.dataFolder, 'backups'), join(folder, 'backups'), {
      recursive: true,
      filter: (path) => !path.split('/').at(-1)?.startsWith('.'),
    });
    writeFileSync(join(folder, 'facts.json'), `${JSON.stringify(facts, null, 2)}\n`);
    await runWell('tar', ['-C', folder, '--sort=name', '--owner=0', '--group=0', '-czf', target, '.']);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function well(flux: Flux, ...args: string[]): Promise<string> {
  const ended = await flux.flux(...args);
  if (ended.exitCode !== 0) throw new Error(`flux ${args.join(' ')} ended with ${ended.exitCode}\n${ended.stderr}`);
  return ended.stdout;
}
