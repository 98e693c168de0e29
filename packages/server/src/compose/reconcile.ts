import { FluxError } from '@flux/contract/errors';
import { createVolumeStore } from '../blobs/volume.ts';
import type { Config } from '../config.ts';
import type { Adoption, ReconcileDeps } from '../projects/reconcile/adoption.ts';
import { examineFound } from '../projects/reconcile/examine.ts';
import { systemClock } from '../system/clock.ts';
import type { Log } from '../system/log.ts';
import { Releasers } from '../system/releasers.ts';
import { composeGround } from './ground.ts';
import { takeOver } from './installation.ts';

/** Refuses to start work on a catalog that is older than what is found. @throws FluxError `catalog_outdated` with the plan */
export async function requireUpToDate(deps: ReconcileDeps): Promise<void> {
  const adoptions = await examineFound(deps);
  for (const { found, apply } of adoptions) if (apply === undefined) deps.log.warn(found);
  const plan = adoptions.filter(({ apply }) => apply !== undefined).map(({ found }) => found);
  if (plan.length === 0) return;
  throw new FluxError(
    'catalog_outdated',
    `The catalog is older than what it describes, so nothing was started or removed:\n${listed(plan)}`,
    {
      hint: 'Put back a newer copy of the catalog, or run `flux-server reconcile --dry-run` and then `flux-server reconcile --apply`, which adopts what was found. Tokens that were revoked since that copy are valid again: see `flux token list`.',
      details: { found: plan },
    },
  );
}

/**
 * Compares the catalog with what is found, without starting any work, and adopts what the catalog does not know when that is asked for.
 *
 * @param say takes lines for a person
 */
export async function reconcile(config: Config, log: Log, how: 'dry-run' | 'apply', say: (line: string) => void): Promise<void> {
  const releasers = new Releasers((name, error) => log.error({ err: error }, `could not release ${name}`));
  const clock = systemClock;
  try {
    const ground = await composeGround({ config, clock, log, releasers, whenLocked: async () => undefined, onStop: () => config.onStop });
    // Nothing is stored here.
    const store = createVolumeStore({ root: config.backupsFolder, workerId: () => 'reconcile' });
    const isDryRun = how === 'dry-run';
    const successor = isDryRun ? undefined : await takeOver(ground);
    if (successor !== undefined) say(successor);
    const adoptions = await examineFound({ ...ground, store, clock, log });
    if (adoptions.length === 0) return say('The catalog knows everything that was found.');
    for (const adoption of adoptions) say(await outcomeOf(adoption, isDryRun));
    if (isDryRun) say('Nothing was changed. `flux-server reconcile --apply` adopts what can be adopted.');
  } finally {
    await releasers.release();
  }
}

async function outcomeOf({ found, apply }: Adoption, isDryRun: boolean): Promise<string> {
  if (apply === undefined) return `! ${found}`;
  if (isDryRun) return `+ ${found}`;
  try {
    await apply();
    return `✓ ${found} Adopted.`;
  } catch (error) {
    return `✗ ${found} It could not be adopted: ${error instanceof Error ? error.message : String(error)}`;
  }
}

const SHOWN = 20;

function listed(plan: readonly string[]): string {
  const lines = plan.slice(0, SHOWN).map((found) => `  ${found}`);
  if (plan.length > SHOWN) lines.push(`  and ${plan.length - SHOWN} more`);
  return lines.join('\n');
}
