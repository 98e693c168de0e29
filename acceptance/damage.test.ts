import { closeSync, copyFileSync, existsSync, openSync, readFileSync, renameSync, statSync, truncateSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sampleOf } from '../scripts/tiers.ts';
import { artifactOf } from './harness/backups.ts';
import { type Flux, startFlux, type TestProject } from './harness/flux.ts';
import { psql } from './harness/postgres.ts';
import { catalogUri } from './harness/superuser.ts';

let flux: Flux;
beforeAll(async () => {
  flux = await startFlux();
});
afterAll(() => flux?.[Symbol.asyncDispose]());

const DATA = `
  create table orders (id bigint primary key, note text not null);
  insert into orders select i, md5(i::text) || md5((i * 7)::text) from generate_series(1, 4000) i;
  create table customers (id int primary key, name text);
  insert into customers select i, 'customer ' || i from generate_series(1, 100) i;`;

const labels = {
  v1_dedicated: { failed: 'Restore verification failed', good: 'Restorable', invalid: 'Backup artifact not valid' },
  v2_shared: {
    failed: 'Tenant export restore verification failed',
    good: 'Restorable tenant export',
    invalid: 'Tenant export artifact not valid',
  },
};

/** Overwrites eight bytes with others, at an offset from the start or, when negative, from the end. */
function overwrite(path: string, at: number): void {
  const offset = at < 0 ? statSync(path).size + at : at;
  const before = readFileSync(path).subarray(offset, offset + 8);
  const file = openSync(path, 'r+');
  writeSync(
    file,
    before.map((byte) => byte ^ 0xff),
    0,
    8,
    offset,
  );
  closeSync(file);
}

/** Far behind the table of contents: in the data. */
function middleOf(path: string): number {
  return Math.floor(statSync(path).size / 2);
}

describe.each(sampleOf(['v1_dedicated', 'v2_shared'] as const, 2))('a backup of a project on %s', (mode) => {
  const { failed, good, invalid } = labels[mode];
  let project: TestProject;
  let names: string;
  let path: string;
  let id: string;

  beforeAll(async () => {
    project = await flux.createProject(mode === 'v1_dedicated' ? 'damaged' : 'damaged-tenant', mode);
    names = project.flags.join(' ');
    await flux.push(project, DATA);
    const created = await flux.shell(`flux backup create ${names} --verify`);
    expect(created.stdout).toContain(`✓ ${good}`);
    expect(created.exitCode).toBe(0);
    const { backups } = JSON.parse((await flux.shell(`flux backup list ${names} --json`)).stdout) as {
      backups: { id: string; primaryArtifactRelativePath: string }[];
    };
    id = backups[0]?.id ?? '';
    path = join(flux.dataFolder, 'backups', backups[0]?.primaryArtifactRelativePath ?? '');
    copyFileSync(path, `${path}.good`);
  });

  const summary = async () => (await flux.shell(`flux backup list ${names} | head -3`)).stdout.split('\n').slice(1, 3);
  const putBack = () => copyFileSync(`${path}.good`, path);

  it.each([
    ['the header', () => overwrite(path, 0), /The artifact's SHA-256 is [0-9a-f]{64}; [0-9a-f]{64} was written: its bytes have changed\./],
    ['the table of contents', () => overwrite(path, 400), /its bytes have changed\./],
    ['the data', () => overwrite(path, middleOf(path)), /its bytes have changed\./],
    ['the end', () => overwrite(path, -16), /its bytes have changed\./],
    ['nothing but its length', () => truncateSync(path, statSync(path).size - 1), /The artifact has \d+ bytes; \d+ were written\./],
    ['half of it', () => truncateSync(path, middleOf(path)), /The artifact has \d+ bytes; \d+ were written\./],
  ])('loses its verified label by damage to %s', async (_where, damage, why) => {
    putBack();
    expect((await flux.shell(`flux backup verify ${names} --latest`)).exitCode).toBe(0);
    expect(await summary()).toEqual(['Verification:             Restore-verified', 'Safe destructive actions: Allowed']);

    damage();
    const verified = await flux.shell(`flux backup verify ${names} --latest`);

    expect(verified.stdout).toContain(`✗ ${failed}\n`);
    expect(verified.stdout).toMatch(why);
    expect(verified.stderr).toContain(`flux backup create ${names} --verify`);
    expect(verified.exitCode).toBe(7);
    expect(await summary()).toEqual([`Verification:             ${failed}`, 'Safe destructive actions: Blocked until verification']);
    const verbose = await flux.shell(`flux backup list ${names} --verbose`);
    expect(verbose.stdout).toMatch(/^ +Tier: +restore_failed$/m);
    expect(verbose.stdout).toMatch(/^ +Verification: +restore_failed · /m);
    expect(verbose.stdout).toMatch(new RegExp(`^ +Verification error: +.*${why.source}`, 'm'));
    expect(verbose.stdout).not.toContain(`  ${good}\n`);
  });

  it('is worth what it was when its very bytes are back and were restored again', async () => {
    putBack();
    // Bytes alone give nothing back: only a restore does.
    expect(await summary()).toEqual([`Verification:             ${failed}`, 'Safe destructive actions: Blocked until verification']);

    expect((await flux.shell(`flux backup verify ${names} --latest`)).exitCode).toBe(0);
    expect(await summary()).toEqual(['Verification:             Restore-verified', 'Safe destructive actions: Allowed']);
  });

  it('is not valid while its file is away, and restorable when it is back', async () => {
    renameSync(path, `${path}.away`);
    const verbose = await flux.shell(`flux backup list ${names} --verbose`);
    expect(verbose.stdout.split('\n').slice(1, 3)).toEqual([
      'Verification:             Artifact not valid',
      'Safe destructive actions: Blocked until verification',
    ]);
    expect(verbose.stdout).toContain(`  ${invalid}\n`);
    expect(verbose.stdout).toMatch(/^ +Artifact: +missing$/m);

    const download = await flux.shell(`flux backup download ${names} --latest -o ./${mode}-gone.dump`);
    expect(download.exitCode).toBe(4);
    expect(download.stdout).toBe('');
    expect(download.stderr).toContain(`The file of backup ${id} is not on the backup volume, and Flux did not remove it.`);
    expect((await flux.api(`/projects/${project.hash}/backups/latest/download`)).status).toBe(410);
    const verified = await flux.shell(`flux backup verify ${names} --latest`);
    expect(verified.exitCode).toBe(4);
    expect(verified.stderr).toContain(`The file of backup ${id} no longer exists.`);

    renameSync(`${path}.away`, path);
    expect(await summary()).toEqual(['Verification:             Restore-verified', 'Safe destructive actions: Allowed']);
    expect((await flux.shell(`flux backup download ${names} --latest -o ./${mode}.dump`)).exitCode).toBe(0);
  });

  /** What the list, the doctor and a client that reads the two flags are told of the newest backup. */
  const told = async () => {
    const { backups } = (await (await flux.api(`/projects/${project.hash}/backups?limit=1`)).json()) as {
      backups: Record<string, string>[];
    };
    const { tier, label, artifactValidationStatus, restoreVerificationStatus } = backups[0] ?? {};
    const doctor = (await flux.shell(`flux doctor ${project.slug} --hash ${project.hash}`)).stdout;
    const verbose = (await flux.shell(`flux backup list ${names} --verbose --limit 1`)).stdout;
    const fields = verbose.split('\n').filter((line) => /^ +(Validation|Verification)/.test(line));
    return {
      item: [tier, label, artifactValidationStatus, restoreVerificationStatus],
      summary: verbose.split('\n').slice(1, 3),
      isGreen: doctor.includes(`latest backup: ${good}.`),
      fields: fields.map((line) => line.trim().replace(/ +/g, ' ')),
    };
  };
  const notValid = (why: RegExp) => ({
    item: ['pipeline_incomplete', invalid, 'artifact_invalid', 'skipped'],
    summary: ['Verification:             Artifact not valid', 'Safe destructive actions: Blocked until verification'],
    isGreen: false,
    fields: [
      expect.stringMatching(/^Validation: artifact_invalid/),
      expect.stringMatching(new RegExp(`^Validation error: .*${why.source}`)),
      'Verification: skipped',
    ],
  });
  const healthy = {
    item: ['restorable', good, 'artifact_valid', 'restore_verified'],
    summary: ['Verification:             Restore-verified', 'Safe destructive actions: Allowed'],
    isGreen: true,
  };
  const nuke = () => flux.shell(`flux nuke ${project.slug} --hash ${project.hash} --yes`);

  it.each([
    ['removed', () => renameSync(path, `${path}.away`), /The file is not on the backup volume/],
    ['cut short', () => truncateSync(path, 1000), /The file has 1000 bytes; \d+ were written\./],
  ])('is told to be not valid in every answer while its file is %s, and to be good at once when it is back', async (_how, spoil, why) => {
    spoil();
    expect(await told()).toEqual(notValid(why));
    expect((await nuke()).exitCode).toBe(6);
    putBack();
    expect(await told()).toMatchObject(healthy);
  });

  it('is told to be not valid in every answer once the gate has found a changed byte, until its bytes are verified again', async () => {
    overwrite(path, middleOf(path));
    const refused = await nuke();
    expect(refused.stderr).toContain('its bytes have changed');
    expect(refused.exitCode).toBe(6);
    expect(await told()).toEqual(notValid(/its bytes have changed\. Found by the gate at \d{4}-/));

    putBack();
    expect(await told()).toEqual(notValid(/its bytes have changed\./));
    expect((await flux.shell(`flux backup verify ${names} --latest`)).exitCode).toBe(0);
    expect(await told()).toMatchObject(healthy);
  });

  const once = it.runIf(mode === 'v1_dedicated');
  once('keeps an older one from being deleted while it is damaged itself', async () => {
    expect((await flux.shell(`flux backup create ${names} --verify`)).exitCode).toBe(0);
    const newest = await artifactOf(flux, project, 'latest');
    renameSync(newest, `${newest}.away`);
    const refused = await flux.shell(`flux backup delete ${names} --id ${id} --yes`);
    expect(refused.stderr).toContain('The file of the newest restore-verified backup is missing or damaged, so no other backup is deleted');
    expect(refused.exitCode).toBe(6);
    expect(existsSync(path)).toBe(true);

    // The one that is of no use may go: a good one stands behind it.
    expect((await flux.shell(`flux backup delete ${names} --latest --yes`)).exitCode).toBe(0);
    const last = await flux.shell(`flux backup delete ${names} --id ${id} --yes`);
    expect(last.stderr).toContain('without it, nothing is known to be restorable');
    expect(last.exitCode).toBe(6);
    expect((await flux.shell(`flux backup create ${names} --verify`)).exitCode).toBe(0);
    path = await artifactOf(flux, project, 'latest');
    copyFileSync(path, `${path}.good`);
  });

  once('is neither proven nor condemned by a manifest whose text is not the one that was recorded', async () => {
    const latest = `(select b.id from backups b join projects p on p.id = b.project_id where p.hash = '${project.hash}' order by b.seq desc limit 1)`;
    const change = (from: number, to: number) =>
      psql(
        catalogUri(flux),
        `update backup_manifests set manifest = replace(manifest, '"rows":${from}', '"rows":${to}') where backup_id = ${latest}`,
      );
    await change(4000, 4001);
    const verified = await flux.shell(`flux backup verify ${names} --latest`);
    expect(verified.stdout + verified.stderr).toMatch(
      /contradicts itself\. Its manifest does not have one SHA-256 digest: [0-9a-f]{64} by the text in the catalog \(backup_manifests\.manifest\), but /,
    );
    expect(verified.exitCode).toBe(10);
    expect(await told()).toMatchObject(healthy);
    await change(4001, 4000);
    expect((await flux.shell(`flux backup verify ${names} --latest`)).exitCode).toBe(0);
  });

  it('refuses to send a file whose size is not the recorded one', async () => {
    truncateSync(path, statSync(path).size - 1);

    const download = await flux.shell(`flux backup download ${names} --latest -o ./${mode}-short.dump`);
    expect(download.exitCode).toBe(1);
    expect(download.stderr).toMatch(/has \d+ bytes instead of \d+: it was damaged after it was written\./);
    expect(await summary()).toEqual([
      'Verification:             Artifact not valid',
      'Safe destructive actions: Blocked until verification',
    ]);
    putBack();
  });

  it('is refused by the client when a byte changed on the way, and a good file under that name stays', async () => {
    expect((await flux.shell(`flux backup download ${names} --latest -o ./${mode}-kept.dump`)).exitCode).toBe(0);
    const kept = readFileSync(join(flux.folder, `${mode}-kept.dump`));
    overwrite(path, middleOf(path));

    const download = await flux.shell(`flux backup download ${names} --latest -o ./${mode}-kept.dump`);
    expect(download.exitCode).toBe(1);
    expect(download.stderr).toMatch(/The bytes that arrived are not the artifact: SHA-256 [0-9a-f]{64}, expected [0-9a-f]{64}\./);
    expect(readFileSync(join(flux.folder, `${mode}-kept.dump`)).equals(kept)).toBe(true);
    expect(await told()).toEqual(notValid(/Found by a download at/));
    putBack();
  });
});
