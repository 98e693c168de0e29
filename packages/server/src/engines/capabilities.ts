import { FluxError } from '@flux/contract/errors';
import type { Engine, EngineProject } from './engine.ts';

/** What an engine may be able to do besides its core. The API shows these names. */
const CAPABILITIES = ['power', 'staging', 'undo', 'pooled'] as const;
export type Capability = (typeof CAPABILITIES)[number];

/** The capabilities that an engine has, always in the same order. */
export function capabilitiesOf(engine: Engine): Capability[] {
  return CAPABILITIES.filter((capability) => engine[capability] !== undefined);
}

/**
 * The part of an engine that carries a capability.
 *
 * @throws FluxError `invalid_request` saying why this project does not have it, and what to do instead
 */
export function requireCapability<C extends Capability>(
  engine: Engine,
  capability: C,
  project: Pick<EngineProject, 'slug' | 'hash'>,
): NonNullable<Engine[C]> {
  const support = engine[capability];
  if (support !== undefined) return support;
  const { why, hint } = EXPLANATIONS[engine.name](capability, project);
  throw new FluxError('invalid_request', why, { hint, details: { engine: engine.name, capability } });
}

type Explain = (capability: Capability, project: Pick<EngineProject, 'slug' | 'hash'>) => { readonly why: string; readonly hint: string };

const EXPLANATIONS: Readonly<Record<Engine['name'], Explain>> = {
  attached(capability, { slug }) {
    const [refusal, hint] = ATTACHED[capability];
    return { why: `${slug} is attached: Flux does not run its server and ${refusal}.`, hint };
  },
  shared: (capability, { slug, hash }) => ({
    why:
      capability === 'power'
        ? `${slug} lives in a pooled cluster, which runs for all of its projects.`
        : `${slug} lives in a pooled cluster, which does not support this.`,
    hint: `Give it a server of its own with \`flux migrate -p ${slug} --hash ${hash} --to v1_dedicated --dry-run\`.`,
  }),
  dedicated: (_capability, { slug }) => ({ why: `${slug} is not in the pool: it has a server of its own.`, hint: 'See `flux list`.' }),
};

/** What cannot be done to a database that Flux does not run, and what to do instead. */
const ATTACHED: Readonly<Record<Capability, readonly [refusal: string, hint: string]>> = {
  power: ['cannot start or stop it', 'Use the tools of wherever it runs; `flux list` shows whether it answers.'],
  staging: ['does not replace data there', 'Restore into an empty database with --to, or into a new project with --into.'],
  undo: ['never replaces data there, so there is nothing to undo', 'See `flux backup list`.'],
  pooled: ['cannot move it out of a pool', 'See `flux list`.'],
};
