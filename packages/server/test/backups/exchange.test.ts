import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { BackupId } from '@flux/contract/ids';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { openBackup } from '../../src/backups/restore/open.ts';
import { type VerifyDeps, verifyBackup } from '../../src/backups/verify/run.ts';
import { updateBackup } from '../../src/catalog/backups.ts';
import type { PostgresPrograms } from '../../src/postgres/programs.ts';
import { restoreArchive } from '../../src/postgres/restore-archive.ts';
import { ask } from '../conformance/instance-runtime.ts';
import { startCluster, type TestCluster } from '../postgres/cluster.ts';
import { type BackupPlace, openBackupPlace } from './place.ts';
import { task, verifyingDeps } from './verifying.ts';

let place: BackupPlace;
let cluster: TestCluster;
let deps: VerifyDeps;
let made: { readonly id: BackupId; readonly path: string };

beforeAll(async () => {
  place = await openBackupPlace();
  deps = verifyingDeps(place.deps, place.folder);
  cluster = await startCluster();
});
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
  await place?.[Symbol.asyncDispose]();
});
beforeEach(async () => {
  made = await place.addBackup(await place.newProject(), 'complete');
  // A restore walks the archive.
  const bytes = readFileSync(ARCHIVE);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  writeFileSync(made.path, bytes);
  await updateBackup(place.catalog.db, made.id, { size_bytes: bytes.length, sha256 });
  const stored = { stored_size_bytes: bytes.length, stored_sha256: sha256 };
  await place.catalog.db.updateTable('copies').set(stored).where('backup_id', '=', made.id).execute();
});
const ARCHIVE = new URL('../fixtures/manifest-1/everything.dump', import.meta.url).pathname;

/** Puts other bytes of the same length under the path, as a new file. */
function exchange(path: string): void {
  writeFileSync(`${path}.other`, Buffer.alloc(readFileSync(path).length, 'x'));
  renameSync(`${path}.other`, path);
}

it('restores the bytes that were hashed when another file takes their place meanwhile', async () => {
  const good = readFileSync(made.path);
  await using opened = await openBackup(deps, made.id, task);
  exchange(made.path);
  expect(readFileSync(opened.path)).toEqual(good);
  await opened.requireUnmodified();
});

it('refuses what a program read when somebody wrote into the file meanwhile', async () => {
  await using opened = await openBackup(deps, made.id, task);
  writeSync(openSync(made.path, 'r+'), 'evil');
  await expect(opened.requireUnmodified()).rejects.toMatchObject({
    code: 'artifact_invalid',
    message: expect.stringContaining('was written to while it was being restored'),
  });
});

it('neither proves nor condemns a backup whose file is written to while it is verified', async () => {
  const { disposables } = deps.sandbox;
  const writing: VerifyDeps = {
    ...deps,
    sandbox: {
      ...deps.sandbox,
      disposables: {
        ...disposables,
        // The instance starts while the bytes are read, so this is before they have been hashed to their end or after it: both count.
        open: (request) => {
          writeSync(openSync(made.path, 'r+'), 'evil');
          return disposables.open(request);
        },
      },
    },
  };
  const { proof } = await verifyBackup(writing, made.id, task);
  expect(proof).toMatchObject({ verdict: 'inconclusive', summary: expect.stringContaining('written to while it was verified') });
  expect((await place.rowOf(made.id)).restore_verification).not.toBe('restore_failed');
});

it('hashes every byte of an archive that is loaded, also behind the last one that pg_restore needs, and through one descriptor', async () => {
  const source = await cluster.createDatabase('source');
  await cluster.run('source', `create table big as select i, md5(i::text) from generate_series(1, 60000) i`);
  const path = join(place.folder, 'archive.dump');
  const { host, port, user } = source;
  execFileSync(cluster.tools.pgDump as string, ['-Fc', '-Z0', '-h', host, '-p', String(port), '-U', user, '-f', path, 'source']);
  const sha256 = createHash('sha256').update(readFileSync(path)).digest('hex');
  const programs = {
    toolbox: { require: () => cluster.tools },
    account: cluster.account,
    scratchFolder: cluster.folder,
  } as unknown as PostgresPrograms;
  const load = async (database: string, from: string, omitsRows: boolean, onBytes?: () => void) => {
    const target = await cluster.createDatabase(database);
    const omits = ({ kind }: { readonly kind: string }) => omitsRows && kind === 'TABLE DATA';
    const outcome = await restoreArchive(programs, {
      major: cluster.tools.major,
      path: from,
      sha256,
      target,
      grants: 'left out',
      transaction: 'all or nothing',
      omits,
      onBytes,
    });
    return { outcome, target };
  };
  const copy = join(place.folder, 'copy.dump');
  copyFileSync(path, copy);
  let isExchanged = false;
  const { outcome, target } = await load('exchanged', copy, false, () => {
    if (!isExchanged) exchange(copy);
    isExchanged = true;
  });
  expect([outcome.kind, isExchanged]).toEqual(['success', true]);
  expect(await ask(target, 'select count(*)::int as n from big')).toBe(60000);

  expect((await load('schema', path, true)).outcome.kind).toBe('success');
  const bytes = readFileSync(path);
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 100) ^ 1, bytes.length - 100);
  writeFileSync(path, bytes);
  await expect(load('tail', path, true)).rejects.toMatchObject({ code: 'artifact_invalid' });
});
