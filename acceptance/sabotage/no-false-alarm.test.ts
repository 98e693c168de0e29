import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { VerificationProof } from '@flux/contract/backup';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isSampled, sampleOf } from '../../scripts/tiers.ts';
import { lookAtCopy } from '../cases/copy.ts';
import { type Flux, startFlux, type TestProject } from '../harness/flux.ts';
import { findClient, psql } from '../harness/postgres.ts';
import { run } from '../harness/process.ts';
import { type Good, listGood } from './good.ts';
import { type GoodRecord, writeRecord } from './record.ts';
import { projectIdOf, pushSql, runAsSuperuser, tenantOf } from './workshop.ts';

/** How often each project is backed up and verified: 20 times by `npm run test:no-false-alarm`, which also takes 2,000 tables. */
const REPEATS = Number(process.env.FLUX_TEST_REPEATS ?? (isSampled() ? 1 : 2));
const GOOD = listGood({ withMany: process.env.FLUX_TEST_REPEATS !== undefined });

let server: Flux;
const records: GoodRecord[] = [];

beforeAll(async () => {
  server = await startFlux({ env: { FLUX_LOG_LEVEL: 'warn' } });
});

afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  if (records.length === GOOD.length) writeRecord({ good: records });
});

describe(`${REPEATS} times in a row, a verification accepts`, () => {
  it.each(sampleOf(GOOD, 6).map((good, index) => [good.engine, good.name, good, index] as const))(
    'of %s: %s',
    async (engine, name, good, index) => {
      const project = await prepare(good, index);
      const seconds: number[] = [];
      const alarms: string[] = [];
      for (let time = 0; time < REPEATS; time++) {
        const began = performance.now();
        const proof = await backUpAndVerify(project, good.meanwhile);
        seconds.push((performance.now() - began) / 1000);
        if (proof.verdict !== 'restorable') alarms.push(tell(proof));
      }
      expect(alarms).toEqual([]);
      if (good.meanwhile !== undefined) await backUpAndVerify(project);
      expect(await lookAtCopy(server, project, good.engine, good.needsSuperuser ? ['--as-superuser', '--yes'] : [])).toEqual([]);
      const middle = seconds.sort((a, b) => a - b)[Math.floor(seconds.length / 2)] as number;
      records.push({ name, engine, times: REPEATS, falseAlarms: alarms.length, seconds: Math.round(middle * 10) / 10 });
    },
    180_000 + REPEATS * 60_000,
  );
});

async function prepare(good: Good, index: number): Promise<TestProject> {
  const project = await server.createProject(`good-${index}`, good.engine);
  if (good.prepare !== undefined) {
    const { schema, owner } =
      good.engine === 'v2_shared' ? tenantOf(await projectIdOf(server, project)) : { schema: 'public', owner: `good_${index}_owner` };
    await runAsSuperuser(server, project, good.engine, good.prepare.replaceAll(':schema', schema).replaceAll(':owner', owner));
  }
  if (good.push !== undefined) await pushSql(server, project, 'good', good.push);
  return project;
}

async function backUpAndVerify(project: TestProject, meanwhile?: string): Promise<VerificationProof> {
  const made = await (meanwhile === undefined ? createBackup(project) : duringWrites(project, meanwhile, () => createBackup(project)));
  expect(made.exitCode, made.stderr).toBe(0);
  const verified = await server.flux('backup', 'verify', ...project.flags, '--latest', '--json');
  if (verified.stdout === '') throw new Error(verified.stderr);
  const { proof, label } = JSON.parse(verified.stdout) as { proof: VerificationProof; label: string };
  expect({ verdict: proof.verdict, exitCode: verified.exitCode, label }, tell(proof)).toEqual({
    verdict: 'restorable',
    exitCode: 0,
    label: expect.stringMatching(/^Restorable/),
  });
  return proof;
}

function createBackup(project: TestProject) {
  return server.flux('backup', 'create', ...project.flags, '--json');
}

/** Runs pgbench from before the backup starts until after it has ended. */
async function duringWrites<T>(project: TestProject, script: string, work: () => Promise<T>): Promise<T> {
  const file = join(server.folder, 'pgbench.sql');
  writeFileSync(file, script);
  const beside = join(findClient(), 'pgbench');
  let pid: number | undefined;
  const writing = run(existsSync(beside) ? beside : 'pgbench', ['-n', '-c', '2', '-T', '300', '-f', file, project.uri], {
    onSpawn: (spawned) => {
      pid = spawned;
    },
  });
  const count = async () => Number(await psql(project.uri, 'SELECT last_value FROM busy'));
  try {
    const before = await count();
    const result = await work();
    // Otherwise nothing was written meanwhile and the test proves nothing.
    expect(await count()).toBeGreaterThan(before);
    return result;
  } finally {
    if (pid !== undefined) process.kill(pid, 'SIGTERM');
    await writing;
  }
}

function tell(proof: VerificationProof): string {
  return `${proof.verdict}: ${proof.summary}\n${proof.toolOutput ?? ''}\n${JSON.stringify(
    proof.differences.filter(({ judgement }) => judgement === 'failure'),
    null,
    1,
  )}`;
}
