import { readFileSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { VerificationProof } from '@flux/contract/backup';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sampleOf } from '../../scripts/tiers.ts';
import { type Flux, startFlux } from '../harness/flux.ts';
import { needsSandbox } from '../harness/sandbox.ts';
import { type Canaries, setCanaries } from './canaries.ts';
import { CORPUS } from './corpus.ts';
import type { Damage, EngineKind, Expectation } from './damage.ts';
import { type DamageRecord, writeRecord } from './record.ts';
import { CLUSTER_SOURCE, DEDICATED_SOURCE, SOURCE } from './source.ts';
import { backUp, openWorkshop, pushSql, runAsSuperuser, type Verified, type Workshop } from './workshop.ts';

/** Small enough to be reached soon by a bomb, and large enough for every good restore here. */
const BOUNDS = { FLUX_VERIFY_STANDBY: 'off', FLUX_VERIFY_MEMORY: '640MiB', FLUX_VERIFY_DISK: '400MiB', FLUX_LOG_LEVEL: 'warn' };
/** Its texts are checked everywhere they are shown. */
const ODDLY_WORDED = 'an error message that paints the screen';
const SHORT = { FLUX_VERIFY_TIMEOUT: '4s' };

let server: Flux;
let canaries: Canaries;
let postgresVersion = '';
const workshops = new Map<EngineKind, Workshop>();
const records: DamageRecord[] = [];
const damagesOf = (kind: EngineKind) => CORPUS.filter(({ engine }) => engine === kind);
/** The part of the corpus for this run. Most damages exist for both engines; a sample has each of them for one engine. */
const SAMPLE = new Set([...sampleOf(damagesOf('v1_dedicated'), 2), ...sampleOf(damagesOf('v2_shared'), 2, 1)]);
const TAKEN = CORPUS.filter((damage) => SAMPLE.has(damage));

beforeAll(async () => {
  server = await startFlux({ env: BOUNDS });
  canaries = await setCanaries(server);
  for (const engine of ['v1_dedicated', 'v2_shared'] as const) {
    const suffix = engine.slice(0, 2);
    const project = await server.createProject(`bloom-${suffix}`, engine);
    const stranger = await server.createProject(`stranger-${suffix}`, engine);
    if (engine === 'v2_shared') await runAsSuperuser(server, project, engine, CLUSTER_SOURCE);
    await pushSql(server, project, 'source', engine === 'v1_dedicated' ? DEDICATED_SOURCE : SOURCE);
    await pushSql(server, stranger, 'source', 'CREATE TABLE strange (x int); INSERT INTO strange VALUES (1);');
    const { path } = await backUp(server, stranger);
    workshops.set(engine, await openWorkshop({ server, engine, project, stranger: readFileSync(path), traps: canaries.traps }));
  }
});

afterAll(async () => {
  await canaries?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
  if (records.length === CORPUS.length)
    writeRecord({ machine: `${availableParallelism()} processors`, postgres: postgresVersion, damages: records });
});

const workshopOf = (engine: EngineKind) => workshops.get(engine) as Workshop;

describe.each(['v1_dedicated', 'v2_shared'] as const)('of %s, the good artifact', (engine) => {
  it('is Restorable again after each damage has been undone', async () => {
    await expectRestorable(workshopOf(engine));
  });
});

describe('a verification notices', () => {
  it.each(named(TAKEN.filter(({ about }) => about !== 'hostile')))('of %s: %s', (_engine, _name, damage) => sabotage(damage));
});

// Such a dump attacks the host that restores it: never run without a sandbox.
describe('a verification notices, and contains,', await needsSandbox(), () => {
  it.each(named(TAKEN.filter(({ about, isEndless }) => about === 'hostile' && !isEndless)))('of %s: %s', (_engine, _name, damage) =>
    sabotage(damage),
  );
});

describe('a verification with a time limit ends', await needsSandbox(), () => {
  beforeAll(async () => {
    await restart(SHORT);
  });
  afterAll(async () => {
    await restart();
    await workshopOf('v1_dedicated').restoreArtifact();
    await expectRestorable(workshopOf('v1_dedicated'));
  });
  it.each(TAKEN.filter(({ isEndless }) => isEndless).map((damage) => [damage.name, damage] as const))('%s', async (_name, damage) => {
    await sabotage(damage);
  });
});

/** The workshop puts the catalog back after each damage, so that the copies of receipts tell of a later one, which a start refuses. */
async function restart(env: Readonly<Record<string, string>> = {}): Promise<void> {
  await server.stop();
  rmSync(join(server.dataFolder, 'backups', 'receipts'), { recursive: true, force: true });
  await server.start(env);
}

function named(damages: readonly Damage[]): (readonly [EngineKind, string, Damage])[] {
  return damages.map((damage) => [damage.engine, damage.name, damage] as const);
}

async function sabotage(damage: Damage): Promise<void> {
  const workshop = workshopOf(damage.engine);
  await workshop.exchange(await damage.make(workshop.material), damage.catalogFits);
  const verified = await (damage.about === 'hostile' ? canaries.watch(() => workshop.verify()) : workshop.verify());
  const expected = damage.expects(workshop.material.schema);
  expectNoticed(verified, expected);
  expect(verified.label).not.toMatch(/^Restorable/);
  expect(await workshop.label()).toBe(verified.label);
  const isHostile = damage.about === 'hostile';
  if (isHostile) await expectContained(workshop, verified, damage);
  records.push({
    name: damage.name,
    engine: damage.engine,
    about: damage.about,
    verdict: verified.proof.verdict,
    by: witness(verified.proof),
    contained: isHostile ? 'yes' : null,
    seconds: Math.round(verified.seconds * 10) / 10,
  });
}

function expectNoticed({ proof, exitCode }: Verified, expected: Expectation): void {
  const failures = proof.differences.filter(({ judgement }) => judgement === 'failure');
  const words = [proof.summary, proof.toolOutput ?? '', ...failures.map(({ kind, name }) => `${kind} ${name}`)].join('\n');
  expect({ verdict: proof.verdict, exitCode }, words).toEqual({
    verdict: expected.verdict,
    exitCode: expected.verdict === 'failed' ? 7 : 10,
  });
  if (expected.says !== undefined) expect(words).toMatch(expected.says);
  if (expected.differences !== undefined) {
    const named = failures.map(({ kind, name, change }) => [kind, name, change]);
    expect(named.sort()).toEqual([...expected.differences].sort());
  }
}

async function expectContained(workshop: Workshop, verified: Verified, damage: Damage): Promise<void> {
  expect(await canaries.findEscapes()).toEqual([]);
  const told = JSON.stringify(verified);
  for (const secret of [server.token(), `content of ${canaries.traps.mark}`, 'root:']) expect(told).not.toContain(secret);
  // Text of a dump's author must not control the terminal that shows it.
  const { summary, toolOutput, differences } = verified.proof;
  const texts = [summary, toolOutput, ...differences.flatMap(({ name, expected, found }) => [name, expected, found])];
  for (const text of texts) expect(text ?? '').not.toMatch(CONTROL);
  if (damage.name === ODDLY_WORDED) await expectHarmlessText(workshop);
  await workshop.restoreArtifact();
  if (!damage.isEndless) await expectRestorable(workshop);
}

/** Everything that may move the cursor, colour or hide text. */
const CONTROL = /[^\P{Cc}\n]|[\p{Cf}]/u;

/** Nor may it look like output of Flux. */
async function expectHarmlessText({ backupId, project }: Workshop): Promise<void> {
  for (const command of [
    ['show', '--id', backupId],
    ['list', '--verbose'],
  ]) {
    const { stdout, stderr } = await server.flux('backup', ...command, ...project.flags);
    expect(stdout + stderr).toContain('painted');
    expect(stdout + stderr).not.toMatch(CONTROL);
    expect(stdout.match(/^Verification: .*Restore-verified.*$/gm)).toBeNull();
  }
}

async function expectRestorable(workshop: Workshop): Promise<void> {
  const { proof, exitCode, label } = await workshop.verify();
  expect({ verdict: proof.verdict, exitCode }, proof.summary).toEqual({ verdict: 'restorable', exitCode: 0 });
  expect(label).toMatch(/^Restorable/);
  postgresVersion = proof.postgresVersion ?? '';
}

/** What detected it, in a few words. */
function witness(proof: VerificationProof): string {
  const failures = proof.differences.filter(({ judgement }) => judgement === 'failure');
  if (failures.length > 0) return 'comparison with the manifest';
  if (proof.verdict === 'inconclusive')
    return /bound|longer|more than|disk|memory|processes|log/.test(proof.summary) ? 'a bound of the sandbox' : 'the end of the server';
  if (proof.toolOutput !== null) return 'pg_restore';
  if (/were written|was written/.test(proof.summary)) return 'size or SHA-256';
  return /byte \d+|archive/.test(proof.summary) ? 'a walk through the archive' : 'owners and grants';
}
