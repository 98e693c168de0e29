import { CAPABILITIES, type Capability, explainAbsence } from '@flux/contract/capability';
import { FluxError } from '@flux/contract/errors';
import type { Engine, EngineProject } from './engine.ts';

/** The capabilities that an engine has, always in the same order. */
export function capabilitiesOf(engine: Engine): Capability[] {
  return CAPABILITIES.filter((capability) => engine[capability] !== undefined);
}

/**
 * The part of an engine that implements a capability.
 *
 * @throws FluxError `invalid_request` saying why this project does not have it, and what to do instead
 */
export function requireCapability<C extends Capability>(
  engine: Engine,
  capability: C,
  { slug, hash }: Pick<EngineProject, 'slug' | 'hash'>,
): NonNullable<Engine[C]> {
  const support = engine[capability];
  if (support !== undefined) return support;
  const { why, hint } = explainAbsence({ slug, hash, mode: engine.kind, attached: engine.name === 'attached' }, capability);
  throw new FluxError('invalid_request', why, { hint, details: { engine: engine.name, capability } });
}
