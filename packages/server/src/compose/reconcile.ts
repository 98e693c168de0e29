import { FluxError, isFluxError } from '@flux/contract/errors';
import { createVolumeStore } from '../blobs/volume.ts';
import { readOnlyError } from '../catalog/version.ts';
import type { Config } from '../config.ts';
import type { Adoption, ReconcileDeps } from '../projects/reconcile/adoption.ts';
import { examineFound } from '../projects/reconcile/examine.ts';
import { passOver } from '../projects/reconcile/passed-over.ts';
import { systemClock } from '../system/clock.ts';
import type { Log } from '../system/log.ts';
import { Releasers } from '../system/releasers.ts';
import { composeGround } from './ground.ts';
import { describeTakeOver, requireOwnKeyAndVolume, takeOver } from './installation.ts';

/**
 * Refuses to start work on a catalog that is older than what is found.
 *
 * @returns what could not be compared, and what is found that cannot be adopted; a sentence each
 * @throws FluxError `catalog_outdated` with the plan
 */
export async function requireUpToDate(deps: ReconcileDeps): Promise<readonly string[]> {
  const { adoptions, notCompared } = await examineFound(deps);
  const isDue = ({ apply, passedOver }: Adoption) => apply !== undefined && passedOver === undefined;
  const open = [...notCompared, ...adoptions.filter((adoption) => !isDue(adoption)).map(describe)];
  for (const sentence of open) deps.log.warn(sentence);
  const plan = adoptions.filter(isDue).map(({ found }) => found);
  if (plan.length === 0) return open;
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
    const isDryRun = how === 'dry-run';
    const ground = await composeGround({
      config,
      clock,
      log,
      releasers,
      whenLocked: async () => undefined,
      check: requireOwnKeyAndVolume,
      tables: isDryRun ? 'leave' : 'update',
      onStop: () => config.onStop,
    });
    if (!isDryRun && ground.catalog.mode === 'read-only') throw readOnlyError();
    // Nothing is stored here.
    const store = createVolumeStore({ root: config.backupsFolder, workerId: () => 'reconcile' });
    const checked = { ...ground, config };
    const successor = isDryRun ? await describeTakeOver(checked) : await takeOver(checked, log);
    if (successor !== undefined) say(successor);
    const { adoptions, notCompared } = await examineFound({ ...ground, store, clock, log });
    for (const sentence of notCompared) say(`! ${sentence}`);
    if (adoptions.length === 0) return say('The catalog knows everything that was found.');
    const outcomes: Outcome[] = [];
    for (const adoption of adoptions) {
      const outcome = await outcomeOf(ground, adoption, isDryRun);
      outcomes.push(outcome);
      say(outcome.line);
    }
    const failed = outcomes.filter(({ failed }) => failed).length;
    if (failed > 0)
      throw new FluxError('catalog_outdated', `${failed} of ${outcomes.length} could not be adopted; each says why above.`, {
        hint: 'Correct what is in the way, then run `flux-server reconcile --apply` again.',
      });
    if (isDryRun) say('Nothing was changed. `flux-server reconcile --apply` adopts what can be adopted.');
  } finally {
    await releasers.release();
  }
}

interface Outcome {
  readonly line: string;
  readonly failed?: true;
}

async function outcomeOf(deps: Pick<ReconcileDeps, 'catalog'>, adoption: Adoption, isDryRun: boolean): Promise<Outcome> {
  const { found, apply } = adoption;
  if (apply === undefined) return { line: `! ${found}` };
  if (isDryRun) return { line: `+ ${describe(adoption)}` };
  try {
    await apply();
    return { line: `✓ ${found} Adopted.` };
  } catch (error) {
    if (isFluxError(error, 'catalog_unavailable')) throw error;
    const why = error instanceof Error ? error.message : String(error);
    const isPassedOver = await passOver(deps, adoption, why);
    const line = isPassedOver
      ? `✗ ${describe({ ...adoption, passedOver: why })} Until then it stays where it is, and Flux starts without it.`
      : `✗ ${found} It could not be adopted, and Flux does not start before it is: ${why}`;
    return { line, failed: true };
  }
}

function describe({ found, passedOver }: Adoption): string {
  if (passedOver === undefined) return found;
  return `${found} It could not be adopted: ${passedOver}. Correct what is in its way and run \`flux-server reconcile --apply\` again.`;
}

const SHOWN = 20;

function listed(plan: readonly string[]): string {
  const lines = plan.slice(0, SHOWN).map((found) => `  ${found}`);
  if (plan.length > SHOWN) lines.push(`  and ${plan.length - SHOWN} more`);
  return lines.join('\n');
}
