import { FluxError } from '@flux/contract/errors';
import type { EngineKind } from '@flux/contract/labels';
import type { ProjectRow } from '../../catalog/projects.ts';
import type { MigrationOrder } from './plan.ts';

/** How far a migration goes, and what it may do on its way. */
export interface MigrationChoices {
  readonly how: MigrationOrder['how'];
  readonly to?: EngineKind | undefined;
  readonly lockWrites?: boolean | undefined;
  readonly dropSourceAfter?: boolean | undefined;
}

/**
 * Resolves every choice of a request.
 *
 * @throws FluxError `invalid_request` for what contradicts itself or cannot be; `not_ready`
 */
export function orderOf(row: Pick<ProjectRow, 'slug' | 'engine' | 'attached'>, choices: MigrationChoices): MigrationOrder {
  const { how, to = 'v1_dedicated', lockWrites = true, dropSourceAfter = false } = choices;
  if (to !== 'v1_dedicated')
    throw new FluxError('invalid_request', 'A whole database cannot become one schema of a pooled cluster.', {
      hint: 'Only --to v1_dedicated is possible.',
    });
  if (row.attached)
    throw new FluxError('invalid_request', `${row.slug} is attached: its database is yours, so there is nothing to move.`, {
      hint: 'See `flux list`.',
    });
  if (how !== 'move' && how !== 'dry_run' && (dropSourceAfter || !lockWrites))
    throw new FluxError('invalid_request', 'Only a migration that goes to its end can block writes or remove its source.', {
      hint: 'Leave out --drop-source-after and --no-lock-writes.',
    });
  if (row.engine === 'v1_dedicated' && how !== 'move' && how !== 'dry_run')
    throw new FluxError('not_ready', `${row.slug} is v1_dedicated already.`, {
      hint: 'See `flux project credentials`.',
    });
  return { how, lockWrites, dropSourceAfter };
}
