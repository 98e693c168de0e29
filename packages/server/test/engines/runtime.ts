import { createStandings } from '../../src/engines/standing.ts';
import type { InstanceRuntime } from '../../src/instances/instance.ts';
import { createLocalRuntime } from '../../src/instances/local/runtime.ts';
import type { PostgresToolbox } from '../../src/postgres/target.ts';
import { systemClock } from '../../src/system/clock.ts';
import { createStamp } from '../../src/system/stamp.ts';
import { prepareLocalPlace } from '../instances/local-place.ts';
import { quietLog } from './project.ts';

/** Standings of an installation that exists for a test. */
export const standings = createStandings(createStamp(Buffer.alloc(32, 1), 'standings'));

/** The machine's, which has never been put back. */
export const clock = { latest: () => systemClock.now() };

/** A runtime of throw-away servers, and what a test needs besides. */
export interface TestRuntime {
  readonly runtime: InstanceRuntime;
  readonly toolbox: PostgresToolbox;
  readonly major: number;
  /** Where the test may put files. */
  readonly folder: string;
  /** Ends the servers and removes their data. */
  close(): Promise<void>;
}

/** Opens a runtime in a temporary folder. */
export async function openTestRuntime(): Promise<TestRuntime> {
  const place = await prepareLocalPlace();
  const { toolbox, major } = place;
  const runtime = createLocalRuntime({ ...place, log: quietLog, clock: systemClock });
  await runtime.open();
  return {
    runtime,
    toolbox,
    major,
    folder: place.dataFolder,
    async close() {
      await runtime.close('stop');
      await place.release();
    },
  };
}
