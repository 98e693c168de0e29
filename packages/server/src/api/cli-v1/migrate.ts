import type { LegacyMigrateRequest } from '@flux/contract/cli-v1/migrate';
import { FluxError } from '@flux/contract/errors';

/** The values of `how` that existing clients request with a separate member. */
const FORMS = [
  ['dryRun', 'dry_run'],
  ['dumpOnly', 'dump_only'],
  ['staged', 'staged'],
] as const;

/**
 * How far a migration should go. Without `yes: true` it is a dry run or refused.
 *
 * @throws FluxError `invalid_request` without `yes`, and for members that contradict each other
 */
export function howOf(body: LegacyMigrateRequest): NonNullable<LegacyMigrateRequest['how']> {
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
  refuseNewSecret(body);
  const how = body.how ?? asked[0]?.[1] ?? 'move';
  if (how === 'dry_run' || body.yes === true) return how;
  throw new FluxError('invalid_request', 'Refusing to migrate without --yes. Nothing was changed.', {
    hint: 'Check the plan with --dry-run ("dryRun": true), then pass --yes ("yes": true).',
  });
}

/** Whether writes are blocked meanwhile. @throws FluxError `invalid_request` when the two members contradict each other */
export function locksWrites({ lockWrites, noLockWrites }: LegacyMigrateRequest): boolean | undefined {
  if (lockWrites !== undefined && noLockWrites === lockWrites)
    throw new FluxError(
      'invalid_request',
      `lockWrites ${lockWrites} and noLockWrites ${noLockWrites} contradict each other. Nothing was changed.`,
      { hint: 'Leave one of them out.' },
    );
  return lockWrites ?? (noLockWrites === undefined ? undefined : !noLockWrites);
}

/** @throws FluxError `invalid_request` for a new JWT secret: a project keeps its own when it moves */
function refuseNewSecret({ preserveJwtSecret, newJwtSecret }: LegacyMigrateRequest): void {
  if (newJwtSecret !== true && preserveJwtSecret !== false) return;
  throw new FluxError('invalid_request', 'A migration keeps the JWT secret of the project. Nothing was changed.', {
    hint: 'Leave out --new-jwt-secret.',
  });
}
