import { describeFinding } from '../harness/by-other-means/compare.ts';
import { observe } from '../harness/by-other-means/observe.ts';
import type { Flux, TestProject } from '../harness/flux.ts';
import { bringInto, findUnnamed } from './ways.ts';
import { placeOf, textOf } from './world.ts';

/**
 * Restores the latest backup of a project into a copy, and looks by other means than Flux's at what is not the same there and named
 * nowhere: a line for each, none when all is well. Nothing may have been written since the backup.
 *
 * @param options further ones of the restore
 */
export async function lookAtCopy(
  flux: Flux,
  project: TestProject,
  mode: 'v1_dedicated' | 'v2_shared',
  options: readonly string[] = [],
): Promise<string[]> {
  const place = await placeOf(flux, project, mode);
  const there = await observe(place);
  try {
    const shown = await flux.flux('backup', 'show', ...project.flags, '--latest');
    const engine = mode === 'v2_shared' ? 'shared' : 'dedicated';
    const back = await bringInto(flux, { project, place, engine }, 'into', options);
    if (back.exitCode !== 0) return [back.said];
    const left = await findUnnamed(there, back, [textOf(shown), back.said]);
    back.observed?.kept.remove();
    return left.map(describeFinding);
  } finally {
    there.kept.remove();
  }
}
