import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Flux, ROOT, startFlux } from './harness/flux.ts';
import { psql, startThrowAwayCluster, type ThrowAwayCluster } from './harness/postgres.ts';
import { runWell, until } from './harness/process.ts';

/** What `upgrade/record.ts` wrote down beside the catalog. */
interface Facts {
  readonly projects: Readonly<Record<'shop' | 'notes' | 'gone', { readonly hash: string; readonly flags: readonly string[] }>>;
  readonly backups: Readonly<Record<'unverified' | 'damaged' | 'removed' | 'verified' | 'tenant' | 'ofNuked', string>>;
  /** A token with access `read`. */
  readonly reader: string;
}

interface Item {
  readonly id: string;
  readonly status: string;
  readonly failure: string | null;
  readonly restoreVerificationStatus: string;
  readonly localArtifactStatus: string;
  readonly artifactValidationStatus: string;
}

describe('a catalog of the first release, whose server was killed in the middle of its work', () => {
  let cluster: ThrowAwayCluster;
  let flux: Flux;
  let facts: Facts;

  beforeAll(async () => {
    cluster = await startThrowAwayCluster();
    await psql(cluster.uri('postgres'), 'create database flux_catalog');
    flux = await startFlux({
      env: { FLUX_CATALOG_URL: cluster.uri('flux_catalog'), FLUX_VERIFY_STANDBY: 'off' },
      prepare: async (folder) => {
        const data = join(folder, 'data');
        await runWell('install', ['-d', '-m', '711', data]);
        await runWell('tar', ['-C', data, '--no-same-owner', '-xzf', join(ROOT, 'acceptance/upgrade/first-release.tar.gz')]);
        await psql(cluster.uri('flux_catalog'), readFileSync(join(data, 'catalog.sql'), 'utf8'));
        facts = JSON.parse(readFileSync(join(data, 'facts.json'), 'utf8')) as Facts;
      },
    });
  });
  afterAll(async () => {
    await flux?.[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
  });

  const items = async (flags: readonly string[]): Promise<Item[]> => {
    const listed = await flux.flux('backup', 'list', ...flags, '--all', '--json');
    expect(listed.exitCode, listed.stderr).toBe(0);
    return (JSON.parse(listed.stdout) as { backups: Item[] }).backups;
  };
  const rows = async (sql: string) => (await psql(cluster.uri('flux_catalog'), sql)).trim().split('\n');

  it('lists its projects, and those that were nuked keep their backups', async () => {
    const listed = await flux.flux('list');
    expect(listed.exitCode, listed.stderr).toBe(0);
    for (const slug of ['shop', 'notes', 'slow']) expect(listed.stdout).toContain(slug);
    expect(listed.stdout).not.toContain('gone');
    const [kept] = await items(facts.projects.gone.flags);
    expect(kept).toMatchObject({ id: facts.backups.ofNuked, status: 'complete', restoreVerificationStatus: 'restore_verified' });
  });

  it('has each backup in the state that it had', async () => {
    const { unverified, damaged, verified } = facts.backups;
    const byId = new Map((await items(facts.projects.shop.flags)).map((item) => [item.id, item]));
    expect(byId.get(verified)).toMatchObject({ status: 'complete', restoreVerificationStatus: 'restore_verified' });
    expect(byId.get(unverified)).toMatchObject({ status: 'complete', restoreVerificationStatus: 'pending' });
    expect(byId.get(damaged)).toMatchObject({ status: 'complete', artifactValidationStatus: 'artifact_invalid' });
    expect(byId.get(facts.backups.removed)).toMatchObject({ status: 'complete', localArtifactStatus: 'missing' });
  });

  it('knows its tokens', async () => {
    const asReader = { env: { FLUX_API_TOKEN: facts.reader } };
    expect((await flux.fluxWith(asReader, 'list')).exitCode).toBe(0);
    expect((await flux.fluxWith(asReader, 'backup', 'create', ...facts.projects.shop.flags)).exitCode).toBe(5);
  });

  it('ends what died with the old server, and leaves no project busy', async () => {
    await until('nothing is queued or running', async () => {
      const [open] = await rows(`select count(*) from operations where state in ('queued', 'running')`);
      return open === '0';
    });
    const slow = `select state || ' ' || (error ->> 'code') from operations where kind = 'push' and request ->> 'filename' = 'slow.sql'`;
    expect(await rows(slow)).toEqual(['failed interrupted']);
    for (const project of [facts.projects.shop, facts.projects.notes]) {
      const [newest] = await items(project.flags);
      // There is no Postgres of these projects here, so a create that is done again fails as well; none may be left between.
      expect(newest).toMatchObject({ status: 'failed', failure: expect.any(String) });
    }
  });

  it('closes the gate after a create that was cut short, and says why', async () => {
    const { shop } = facts.projects;
    const refused = await flux.flux('nuke', 'shop', '--hash', shop.hash, '--yes');
    expect(refused.exitCode, refused.stderr).toBe(6);
    expect(refused.stderr).toContain('not complete');
    const doctor = await flux.flux('doctor', ...shop.flags);
    expect(doctor.stdout).toContain('not complete');
  });

  it('restores its backups really, with the manifests of that time', async () => {
    for (const [project, id] of [
      [facts.projects.shop, facts.backups.verified],
      [facts.projects.notes, facts.backups.tenant],
    ] as const) {
      const verified = await flux.flux('backup', 'verify', ...project.flags, '--id', id);
      expect(verified.exitCode, verified.stderr + verified.stdout).toBe(0);
    }
    const damaged = await flux.flux('backup', 'verify', ...facts.projects.shop.flags, '--id', facts.backups.damaged);
    expect(damaged.exitCode).toBe(7);
  });

  it('keeps its chain of receipts', async () => {
    const receipt = await flux.flux('backup', 'receipt', ...facts.projects.shop.flags, '--id', facts.backups.verified);
    expect(receipt.exitCode, receipt.stderr).toBe(0);
  });
});
