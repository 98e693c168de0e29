import type { Flux, TestProject } from '../harness/flux.ts';
import type { ExistingClient } from './client.ts';

/** What the parts of this suite share; cli-v1.test.ts fills it before the first test. */
export const world = {} as { flux: Flux; client: ExistingClient; v1: TestProject; v2: TestProject };

/** A hash that no project has. */
export const OTHER_HASH = '0000000';
