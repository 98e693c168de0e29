import { mkdtempSync, rmSync } from 'node:fs';
import type { VerificationProof } from '@flux/contract/backup';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { prepareRegressionSource } from '../../scripts/setup/regression-source.mjs';
import { compareObservations, describeFinding, unnamed } from '../harness/by-other-means/compare.ts';
import { type Observation, observe } from '../harness/by-other-means/observe.ts';
import { type Flux, startFlux } from '../harness/flux.ts';
import { findClient, psql, startThrowAwayCluster, type ThrowAwayCluster } from '../harness/postgres.ts';
import { runWell } from '../harness/process.ts';
import { declareOpen } from './declare.ts';
import { makeRegressionDatabase } from './regression-database.ts';
import { textOf } from './world.ts';

const major = Number((await runWell(`${findClient()}/postgres`, ['--version'])).match(/ (\d+)/)?.[1]);
const source = prepareRegressionSource(major);
if ('refused' in source)
  process.stderr.write(`\n*** SKIPPED: the regression database of PostgreSQL is NOT tested here. ${source.refused}\n\n`);
const TIMEOUT_MS = 900_000;

describe.skipIf('refused' in source)('the regression database of PostgreSQL', () => {
  let flux: Flux;
  let cluster: ThrowAwayCluster;
  let target: ThrowAwayCluster;
  let observed: Observation;
  let flags: readonly string[];
  let said = '';
  // A folder for software beside that of the system: a sandbox shows a library there.
  let libraries: string;

  beforeAll(async () => {
    const settings = { wal_level: 'logical', max_prepared_transactions: '2' };
    [flux, cluster, target] = await Promise.all([startFlux(), startThrowAwayCluster({ settings }), startThrowAwayCluster({ settings })]);
    libraries = mkdtempSync('/opt/flux-regression-');
    const uri = 'refused' in source ? '' : await makeRegressionDatabase(cluster, source, libraries);
    observed = await observe({ uri });
    const attached = await flux.fluxWith({ env: { FLUX_ATTACH_URI: uri } }, 'create', 'regression', '--attach', '--json');
    if (attached.exitCode !== 0) throw new Error(attached.stderr);
    flags = ['--project', 'regression', '--hash', (JSON.parse(attached.stdout) as { summary: { hash: string } }).summary.hash];
  }, TIMEOUT_MS);
  afterAll(async () => {
    observed?.kept.remove();
    await target?.[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
    await flux?.[Symbol.asyncDispose]();
    if (libraries !== undefined) rmSync(libraries, { recursive: true });
  });

  declareOpen('regression database: verify', 'is restorable, with more than 600 tables in it', { timeout: TIMEOUT_MS }, async () => {
    const made = await flux.flux('backup', 'create', ...flags);
    expect(made.exitCode, made.stderr).toBe(0);

    const verified = await flux.flux('backup', 'verify', ...flags, '--latest', '--json');

    said = textOf(verified) + textOf(await flux.flux('backup', 'show', ...flags, '--latest'));
    const { proof } = JSON.parse(verified.stdout) as { proof: VerificationProof };
    expect(proof.verdict, proof.summary).toBe('restorable');
    expect(proof.tablesCompared).toBeGreaterThan(500);
  });

  declareOpen('regression database: to', 'comes back to another server, with every exception named', { timeout: TIMEOUT_MS }, async () => {
    await psql(target.uri('postgres'), 'create database empty template template0');
    const to = await flux.fluxWith(
      { input: `${target.uri('empty')}\n` },
      'backup',
      'restore',
      ...flags,
      '--latest',
      '--to',
      '-',
      '--prerequisites',
      '--json',
    );
    expect(to.exitCode, textOf(to).slice(0, 3000)).toBe(0);

    const here = await observe({ uri: target.uri('empty') });

    const ofTheTarget = ['owner', 'right', 'default right', 'role', 'membership', 'right on a setting', 'right on the database'];
    const left = unnamed(await compareObservations(observed, here, ofTheTarget), [said, textOf(to)]);
    here.kept.remove();
    expect(left.map(describeFinding)).toEqual([]);
  });

  declareOpen('regression database: into', 'comes back into a project', { timeout: TIMEOUT_MS }, async () => {
    const into = await flux.flux('backup', 'restore', ...flags, '--latest', '--into', 'regression-copy', '--json');
    expect(into.exitCode, textOf(into).slice(0, 3000)).toBe(0);
  });
});
