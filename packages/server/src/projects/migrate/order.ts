import { FluxError } from '@flux/contract/errors';
import type { MigrateRequest } from '@flux/contract/migrate';
import type { ProjectRow } from '../../catalog/projects.ts';
import type { MigrationOrder } from './plan.ts';

/** The forms of a migration that existing clients ask for with a member of their own. */
const FORMS = [
  ['dryRun', 'dry_run'],
  ['dumpOnly', 'dump_only'],
  ['staged', 'staged'],
] as const;

/**
 * What a request asks for, with every choice made. Only `yes: true` can make it more than a look.
 *
 * @throws FluxError `invalid_request` without `yes`, for what contradicts itself, and for what cannot be; `not_ready`
 */
export function orderOf(row: Pick<ProjectRow, 'slug' | 'engine' | 'attached'>, body: MigrateRequest): MigrationOrder {
  const { to = 'v1_dedicated', lockWrites = true, dropSourceAfter = false } = body;
  const how = howOf(body);
  if (to !== 'v1_dedicated')
    throw new FluxError('invalid_request', 'A whole database cannot become one schema of a pooled cluster.', {
      hint: 'Only --to v1_dedicated is possible.',
    });
  if (row.attached)
    throw new FluxError('invalid_request', `${row.slug} is attached: its database is yours and has no engine to leave.`, {
      hint: 'See `flux list`.',
    });
  if (how !== 'move' && how !== 'dry_run' && (dropSourceAfter || !lockWrites))
    throw new FluxError('invalid_request', 'Only a migration that goes to its end can hold writes or remove its source.', {
      hint: 'Leave out --drop-source-after and --no-lock-writes.',
    });
  if (row.engine === 'v1_dedicated' && how !== 'move' && how !== 'dry_run')
    throw new FluxError('not_ready', `${row.slug} is v1_dedicated already.`, {
      hint: 'See `flux project credentials`.',
    });
  return { how, lockWrites, dropSourceAfter };
}

function howOf(body: MigrateRequest): MigrationOrder['how'] {
  const asked = FORMS.filter(([member]) => body[member] === true);
  if (asked.length > 1)
    throw new FluxError('invalid_request', `${asked.map(([member]) => member).join(' and ')} contradict each other. Nothing was changed.`, {
      hint: 'Ask for one of them.',
    });
  const against = FORMS.find(
    ([member, how]) => body.how !== undefined && body[member] !== undefined && body[member] !== (body.how === how),
  );
  if (against !== undefined)
    throw new FluxError(
      'invalid_request',
      `how "${body.how}" and ${against[0]} ${body[against[0]]} contradict each other. Nothing was changed.`,
      {
        hint: 'Leave one of them out.',
      },
    );
  const how = body.how ?? asked[0]?.[1] ?? 'move';
  if (how === 'dry_run' || body.yes === true) return how;
  throw new FluxError('invalid_request', 'Refusing to migrate without --yes. Nothing was changed.', {
    hint: 'Look first with --dry-run ("dryRun": true), then pass --yes ("yes": true).',
  });
}
