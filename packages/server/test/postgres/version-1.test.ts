import { readFileSync } from 'node:fs';
import { chmod, copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { renderForTarget } from '../../src/backups/restore/to.ts';
import { connectPostgres } from '../../src/postgres/connect.ts';
import { changedDefinitions } from '../../src/postgres/manifest/changed-definitions.ts';
import { compareManifests } from '../../src/postgres/manifest/compare.ts';
import { measureRestored } from '../../src/postgres/manifest/measure.ts';
import { NO_PREREQUISITES } from '../../src/postgres/manifest/prerequisites/data.ts';
import { renderAfter, renderBefore } from '../../src/postgres/manifest/prerequisites/render.ts';
import { parseManifest } from '../../src/postgres/manifest/schema.ts';
import { interpretRestore, restoreArguments } from '../../src/postgres/restore.ts';
import { libpqEnvironment } from '../../src/postgres/target.ts';
import { runProcess } from '../../src/system/process.ts';
import { startCluster, type TestCluster } from './cluster.ts';
import { judgeIn } from './round-trip.ts';

let to: TestCluster;

beforeAll(async () => {
  to = await startCluster({ wal_level: 'logical' }, 'restorer');
});
afterAll(async () => await to?.[Symbol.asyncDispose]());

it.each(['tenant', 'everything'])('a backup with a manifest of version 1 is restored and proven: %s', async (name) => {
  const fixture = (file: string) => new URL(`../fixtures/manifest-1/${name}.${file}`, import.meta.url).pathname;
  const manifest = parseManifest(readFileSync(fixture('manifest.json'), 'utf8'));
  const path = join(to.folder, `${name}.dump`);
  await copyFile(fixture('dump'), path);
  await chmod(path, 0o644);
  const target = await to.createDatabase(name);
  await using session = await connectPostgres(target, { searchPath: 'role' });

  await session.run(renderBefore(manifest.prerequisites));
  const ended = await runProcess(
    to.tools.pgRestore as string,
    [...restoreArguments({ kind: manifest.backupKind, jobs: 2 }), '--dbname', name, path],
    { env: libpqEnvironment(target), account: to.account },
  );
  expect(interpretRestore(ended)).toMatchObject({ kind: 'success' });
  await session.run(renderAfter(manifest.prerequisites, manifest.schema));

  const found = await measureRestored({ target, manifest, server: 'disposable', parallel: 2 });
  const judged = await judgeIn(to, target, { path, manifest }, changedDefinitions(manifest, found));
  const { differences } = compareManifests(manifest, found, judged);
  expect(differences.filter(({ judgement }) => judgement === 'failure')).toEqual([]);
  if (name !== 'tenant') return;
  expect(await session.query('SELECT version, filename, checksum FROM flux.flux_migrations ORDER BY 1')).toEqual([
    { version: '001', filename: `001_it's.sql`, checksum: 'abc' },
    { version: '002', filename: '002.sql', checksum: '' },
  ]);
});

it.each(['x$flux$y', 'x$fl$flux$ux$y', `'; CREATE ROLE "evil"; --`, '\\'])(
  'creates the role %s in a database of the user',
  async (name) => {
    await using session = await connectPostgres(to.superuser(), { searchPath: 'role' });
    const role = { name, superuser: true, inherits: true, bypassesRls: true };

    await session.run(renderForTarget({ ...NO_PREREQUISITES, roles: [role], memberships: [{ group: 'pg_monitor', member: name }] }));

    expect(
      await session.query('SELECT rolname AS name, rolsuper OR rolbypassrls OR rolcanlogin AS power FROM pg_roles WHERE rolname = $1', [
        name,
      ]),
    ).toEqual([{ name, power: false }]);
    expect(await session.query(`SELECT FROM pg_roles WHERE rolname = 'evil'`)).toEqual([]);
  },
);
