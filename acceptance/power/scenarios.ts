import { migrate } from './migrate.ts';
import { nuke } from './nuke.ts';
import { restoreInPlace } from './restore-in-place.ts';
import type { Scenario } from './scenario.ts';

/** Every command that destroys or replaces, on each engine that has it. */
export const SCENARIOS: readonly Scenario[] = [
  nuke('v1_dedicated'),
  nuke('v2_shared'),
  restoreInPlace('v1_dedicated'),
  restoreInPlace('v2_shared'),
  migrate('migrate'),
  migrate('migrate --drop-source-after', '--drop-source-after'),
];
