import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { VerificationProof } from '@flux/contract/backup';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeFinding } from '../harness/by-other-means/compare.ts';
import { findClient } from '../harness/postgres.ts';
import { run } from '../harness/process.ts';
import { leaveOut } from '../harness/sandbox.ts';
import { type Case, type Engine, WAYS, type Way } from './case.ts';
import { CASES } from './list.ts';
import { BRING_BACK, findUnnamed, nuke } from './ways.ts';
import { type Prepared, prepareCase, startWorld, type World } from './world.ts';

/** A test may have to start two servers and a disposable one, while others do. */
const TIMEOUT_MS = 240_000;

/** Declares a test for each case and each way back on one engine, with one control plane for all of them. */
export function describeCases(engine: Engine, cases: readonly Case[]): void {
  let world: World;
  beforeAll(async () => {
    world = await startWorld();
  });
  afterAll(async () => {
    await world?.[Symbol.asyncDispose]();
  });

  describe.each(cases.filter(({ on }) => on.includes(engine)).map((one) => [one.input, one] as const))('%s', (_, one) => {
    let prepared: Promise<Prepared> | undefined;
    const prepare = () => {
      prepared ??= prepareCase(world, one, engine, `case-${CASES.indexOf(one)}`);
      return prepared;
    };
    afterAll(async () => {
      const made = await prepared?.catch(() => undefined);
      made?.observed.kept.remove();
      if (made !== undefined) await nuke(world.flux, made.project);
    });
    const ways = one.verdict === undefined ? WAYS[engine] : (['verify'] as const);
    for (const way of ways) {
      const left = missingHere(one);
      const options = { timeout: TIMEOUT_MS, ...(left === undefined ? {} : leaveOut(left)) };
      it(titleOf(one, way), options, async () =>
        way === 'verify' ? checkVerdict(one, await prepare()) : checkWay(one, way, await prepare()),
      );
    }
  });
}

function titleOf({ verdict, says, refused, names }: Case, way: Way): string {
  if (way === 'verify')
    return `is ${verdict ?? 'restorable'}${says === undefined ? ', and nothing differs' : ', and names what does not come back'}`;
  if (refused?.[way] !== undefined) return `is refused ${way}, with the reason`;
  return `comes back equal ${way}${says === undefined && names?.[way] === undefined ? '' : ', except for what is named'}`;
}

function checkVerdict({ says, ...one }: Case, { verified }: Prepared): void {
  const verdict: VerificationProof['verdict'] = one.verdict ?? 'restorable';
  const { proof, exitCode, said } = verified;
  expect({ verdict: proof?.verdict, exitCode }, said).toEqual({
    verdict,
    exitCode: { restorable: 0, failed: 7, inconclusive: 10 }[verdict],
  });
  expect(said).not.toMatch(/Unexpected error|does not know/);
  for (const words of says ?? []) expect(said).toMatch(words);
  if (verdict === 'failed') expect(said).not.toMatch(/[Cc]reate and verify another one|[Mm]ake another/);
  if (verdict === 'restorable' && says === undefined) {
    expect(proof?.differences).toEqual([]);
    expect(proof?.summary).toContain('nothing differs');
  }
}

async function checkWay({ says, names, refused }: Case, way: Exclude<Way, 'verify'>, prepared: Prepared): Promise<void> {
  const back = await BRING_BACK[way](prepared);
  const words = refused?.[way];
  if (words !== undefined) {
    expect(back.exitCode, back.said).not.toBe(0);
    expect(back.said).toMatch(words);
    return;
  }
  expect(back.exitCode, back.said).toBe(0);
  if (back.observed === null) throw new Error(back.said);
  try {
    const isQuiet = says === undefined && names?.[way] === undefined;
    const left = await findUnnamed(prepared.observed, back, isQuiet ? [back.said] : [prepared.verified.said, back.said]);
    if (left.length > 0) throw new Error(`not equal:\n${left.map(describeFinding).join('\n')}\nFlux said: ${back.said}`);
    if (names?.[way] !== undefined) expect(prepared.verified.said + back.said).toMatch(names[way]);
  } finally {
    back.observed.kept.remove();
  }
}

/** Why a case cannot be tried on this host: an extension is not installed, or its Postgres refuses the source. */
function missingHere({ needs = [], until = MAJOR }: Case): string | undefined {
  if (MAJOR > until) return `PostgreSQL ${MAJOR} refuses the source, as every major after ${until} does`;
  const missing = needs.filter((name) => !existsSync(join(SHARE, 'extension', `${name}.control`)));
  return missing.length === 0 ? undefined : `the extension ${missing.join(', ')} is not installed on this host`;
}

const MAJOR = Number.parseInt((await run(join(findClient(), 'pg_config'), ['--version'])).stdout.replace(/^\D+/, ''), 10);
const SHARE = (await run(join(findClient(), 'pg_config'), ['--sharedir'])).stdout.trim();
