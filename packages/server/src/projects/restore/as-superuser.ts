import { FluxError } from '@flux/contract/errors';
import type { EngineKind } from '@flux/contract/labels';
import type { RestoreRequest } from '@flux/contract/restore';
import { type Principal, requireAllowed } from '../../access/policy.ts';
import type { Manifest } from '../../postgres/manifest.ts';

/** What `--as-superuser` means, for everything that suggests it. */
export const SUPERUSER_WARNING =
  'everything in the archive then runs with all rights of the new server and of the account that it runs as, so do it only for a database that you trust.';

/**
 * Refuses `asSuperuser` where the operator does not allow it, for a token that may not ask for it, and for every destination but a new project.
 *
 * @throws FluxError `forbidden`, `invalid_request`
 */
export function requireSuperuserRequest(operator: 'on' | 'off', principal: Principal, body: NonNullable<RestoreRequest>): void {
  if (body.asSuperuser !== true) return;
  requireAllowed(principal, 'project.restore_as_superuser');
  if (operator === 'off')
    throw new FluxError('forbidden', 'The operator of this control plane does not allow restores as a superuser. Nothing was changed.', {
      hint: 'The operator removes FLUX_RESTORE_AS_SUPERUSER and starts the control plane again; or restore with --to and the URI of a superuser.',
    });
  if (body.inPlace === true || body.tables !== undefined)
    throw refusal('The owner of a live project has open sessions, and would be a superuser in them too.');
  if (body.to !== undefined)
    throw refusal(
      'In a database of yours, the role in the URI decides what may be created.',
      'Leave out --as-superuser, and give --to the URI of a superuser.',
    );
  if (body.acceptUnproven === true)
    throw refusal(
      'The bytes of a damaged archive are not those that were dumped, and would run with all rights of a server.',
      'Give --as-superuser or --accept-unproven, not both.',
    );
}

/**
 * Refuses `asSuperuser` for a new project in the pool, and for a backup of one.
 *
 * @throws FluxError `invalid_request`
 */
export function requireSuperuserPlan(kind: Manifest['backupKind'], mode: EngineKind): void {
  if (mode === 'v2_shared') throw refusal('The server of a pooled project is that of other projects too.');
  if (kind === 'tenant_export')
    throw refusal(
      'A pooled project has nothing that needs a superuser, so that its backup comes back without.',
      'Leave out --as-superuser.',
    );
}

function refusal(why: string, hint = 'Restore into a new dedicated project: --into <name> --as-superuser.'): FluxError {
  return new FluxError('invalid_request', `pg_restore runs as a superuser only into a new dedicated project. ${why}`, { hint });
}
