import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Flux, startFlux } from '../harness/flux.ts';
import { CUTS, drawMoments, IS_SAMPLE, SEED } from './moments.ts';
import { type PowerRecord, writePowerRecord } from './record.ts';
import { cutOnce, runUndisturbed } from './run-cuts.ts';
import type { Scenario, State } from './scenario.ts';
import { SCENARIOS } from './scenarios.ts';

let flux: Flux;
beforeAll(async () => {
  // Nothing is kept ready here: every start would make it anew.
  flux = await startFlux({ env: { FLUX_POSTGRES_BIN_DIRS: '', FLUX_VERIFY_STANDBY: 'off', FLUX_LOG_LEVEL: 'warn' } });
});
afterAll(async () => {
  await flux?.[Symbol.asyncDispose]();
});

describe.each(
  SCENARIOS.filter(({ isLong }) => !(IS_SAMPLE && isLong)).map((scenario) => [scenario.name, scenario.engine, scenario] as const),
)(`power that is cut ${CUTS} times during a %s on %s (seed ${SEED})`, (_name, _engine, scenario) => {
  const times: number[] = [];
  const found = { old: 0, new: 0 };
  let cuts = 0;
  let undisturbed: State;
  beforeAll(async () => {
    const { tookMs, state } = await runUndisturbed(flux, scenario, 0);
    times.push(tookMs);
    undisturbed = state;
  });
  afterAll(() => {
    const record = recordOf(scenario, times, { cuts, ...found });
    writePowerRecord(record);
    console.log(JSON.stringify(record));
  });

  it.each(drawMoments(`${scenario.name} ${scenario.engine}`, CUTS).map((moment, index) => [moment.toFixed(3), moment, index] as const))(
    'leaves the old or the new, whole, and goes on to the end when run again, after %s of it',
    async (_text, moment, index) => {
      cuts += 1;
      const outcome = await cutOnce(flux, scenario, index + 1, (times.at(-1) as number) * moment, undisturbed);
      found[outcome.found] += 1;
      if (outcome.tookMs !== undefined) times.push(outcome.tookMs);
      expect(flux.log()).not.toContain('"level":60');
    },
  );
});

function recordOf({ name, engine }: Scenario, times: readonly number[], found: { cuts: number; old: number; new: number }): PowerRecord {
  const middle = times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0;
  return {
    scenario: name,
    engine,
    seed: SEED,
    ...found,
    neither: found.cuts - found.old - found.new,
    seconds: Math.round(middle / 100) / 10,
  };
}
