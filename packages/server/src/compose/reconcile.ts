import { FluxError, isFluxError } from '@flux/contract/errors';
import type { EngineKind } from '@flux/contract/labels';
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
 * @returns what could not be compared, and what is found that cannot be adopted, a sentence each; and the engines of which nothing was compared
 * @throws FluxError `catalog_outdated` with the plan
 */
export async function requireUpToDate(deps: ReconcileDeps): Promise<{ open: readonly string[]; unknownEngines: readonly EngineKind[] }> {
  const { adoptions, notCompared, unknownEngines } = await examineFound(deps);
  const isDue = ({ apply, passedOver }: Adoption) => apply !== undefined && passedOver === undefined;
  const open = [...notCompared, ...adoptions.filter((adoption) => !isDue(adoption)).map(describe)];
  for (const sentence of open) deps.log.warn(sentence);
  const plan = adoptions.filter(isDue).map(({ found }) => found);
  if (plan.length === 0) return { open, unknownEngines };
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
    if (!isDryRun) return await adoptInTurn(ground, adoptions, say);
    for (const adoption of adoptions) say(`${adoption.apply === undefined ? '!' : '+'} ${describe(adoption)}`);
    say('Nothing was changed. `flux-server reconcile --apply` adopts what can be adopted.');
  } finally {
    await releasers.release();
  }
}

/**
 * Adopts what can be adopted. Ends at what no start may pass over when that cannot be: adopting the rest would make the catalog look up to date.
 *
 * @param say takes lines for a person
 * @throws FluxError `catalog_outdated` when something could not be adopted
 */
export async function adoptInTurn(
  deps: Pick<ReconcileDeps, 'catalog'>,
  adoptions: readonly Adoption[],
  say: (line: string) => void,
): Promise<void> {
  let failed = 0;
  for (const [index, adoption] of adoptions.entries()) {
    const outcome = await adopt(deps, adoption);
    say(outcome.line);
    if (outcome.state !== 'failed' && outcome.state !== 'required') continue;
    failed += 1;
    if (outcome.state === 'failed') continue;
    const rest = adoptions.length - index - 1;
    if (rest > 0) say(`! What comes after it (${rest}) was left as it is, and is adopted once it is.`);
    break;
  }
  if (failed > 0)
    throw new FluxError('catalog_outdated', `${failed} of ${adoptions.length} could not be adopted; each says why above.`, {
      hint: 'Correct what is in the way, then run `flux-server reconcile --apply` again.',
    });
}

interface Outcome {
  readonly line: string;
  /** `required`: it could not be adopted, and no start may pass it over. */
  readonly state: 'adopted' | 'undecided' | 'failed' | 'required';
}

async function adopt(deps: Pick<ReconcileDeps, 'catalog'>, adoption: Adoption): Promise<Outcome> {
  const { found, apply } = adoption;
  if (apply === undefined) return { line: `! ${found}`, state: 'undecided' };
  try {
    await apply();
    return { line: `✓ ${found} Adopted.`, state: 'adopted' };
  } catch (error) {
    if (isFluxError(error, 'catalog_unavailable')) throw error;
    const why = error instanceof Error ? error.message : String(error);
    if (!(await passOver(deps, adoption, why)))
      return { line: `✗ ${found} It could not be adopted, and Flux does not start before it is: ${why}`, state: 'required' };
    const line = `✗ ${describe({ ...adoption, passedOver: why })} Until then it stays where it is, and Flux starts without it.`;
    return { line, state: 'failed' };
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
