import { availableParallelism } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Flux, startFlux } from '../harness/flux.ts';
import { CUTS, drawMoments, SEED } from './moments.ts';
import { type PowerRecord, writePowerRun } from './record.ts';
import { cutOnce, runUndisturbed } from './run-cuts.ts';
import type { Scenario } from './scenario.ts';
import { SCENARIOS } from './scenarios.ts';

const records: PowerRecord[] = [];
afterAll(() => {
  if (records.length === SCENARIOS.length)
    writePowerRun({ machine: `${availableParallelism()} processors`, seed: SEED, scenarios: records });
});

describe.each(SCENARIOS.map((scenario) => [scenario.name, scenario.engine, scenario] as const))(
  `power that is cut ${CUTS} times during a %s on %s (seed ${SEED})`,
  (_name, _engine, scenario) => {
    let flux: Flux;
    const times: number[] = [];
    const found = { old: 0, new: 0 };
    let cuts = 0;
    beforeAll(async () => {
      // Nothing is kept ready here: every start would make it anew.
      flux = await startFlux({ env: { FLUX_VERIFY_STANDBY: 'off', FLUX_LOG_LEVEL: 'warn' } });
      times.push(await runUndisturbed(flux, scenario, 0));
    });
    afterAll(async () => {
      await flux?.[Symbol.asyncDispose]();
      records.push(recordOf(scenario, times, { cuts, ...found }));
      console.log(`${scenario.name} on ${scenario.engine}: ${JSON.stringify(records.at(-1))}`);
    });

    it.each(drawMoments(`${scenario.name} ${scenario.engine}`, CUTS).map((moment, index) => [moment.toFixed(3), moment, index] as const))(
      'leaves the old or the new, whole, and goes on to the end when run again, after %s of it',
      async (_text, moment, index) => {
        cuts += 1;
        const outcome = await cutOnce(flux, scenario, index + 1, (times.at(-1) as number) * moment);
        found[outcome.found] += 1;
        if (outcome.tookMs !== undefined) times.push(outcome.tookMs);
        expect(flux.log()).not.toContain('"level":60');
      },
    );
  },
);

function recordOf({ name, engine }: Scenario, times: readonly number[], found: { cuts: number; old: number; new: number }): PowerRecord {
  const middle = times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0;
  return { scenario: name, engine, ...found, neither: found.cuts - found.old - found.new, seconds: Math.round(middle / 100) / 10 };
}
