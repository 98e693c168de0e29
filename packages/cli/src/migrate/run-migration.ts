import { FluxError } from '@flux/contract/errors';
import type { MigrateAnswer, MigrateRequest } from '@flux/contract/migrate';
import type { Context } from '../context.ts';
import { type DestroyOptions, overrideQuery } from '../destroy/confirm.ts';
import { runOperation } from '../operations/run.ts';
import type { ResolvedProject } from '../project/resolve.ts';

/** How far a migration goes, as the command line says it. */
export type MigrateOptions = {
  dryRun?: boolean;
  dumpOnly?: boolean;
  staged?: boolean;
  discardStaged?: boolean;
  dropSourceAfter?: boolean;
  /** False only when somebody said so. */
  lockWrites?: boolean;
};

const WAYS = [
  ['dryRun', '--dry-run', 'dry_run'],
  ['dumpOnly', '--dump-only', 'dump_only'],
  ['staged', '--staged', 'staged'],
  ['discardStaged', '--discard-staged', 'discard_staged'],
] as const;

/** What to ask the control plane for. @throws FluxError `usage` for options that do not go together */
export function toMigrateRequest(
  context: Context,
  options: MigrateOptions & DestroyOptions,
): Omit<MigrateRequest, 'slug' | 'hash' | 'to' | 'how'> & { readonly how: NonNullable<MigrateRequest['how']> } {
  const given = WAYS.filter(([name]) => options[name] === true);
  if (given.length > 1)
    throw new FluxError('usage', `${given.map(([, flag]) => flag).join(' and ')} do not go together.`, { hint: 'Give one of them.' });
  const how = given[0]?.[2] ?? 'move';
  if (options.skipBackupCheck === true && options.dropSourceAfter !== true)
    throw new FluxError('usage', '--skip-backup-check belongs to --drop-source-after: nothing else of a migration destroys.', {
      hint: 'Leave it out.',
    });
  if (options.lockWrites === false && how === 'move')
    context.output.warn('--no-lock-writes: rows that clients write while the migration runs stay behind in the pooled schema.');
  const { skipBackupCheck, reason } = overrideQuery(context, options);
  return {
    how,
    ...(options.lockWrites === false ? { lockWrites: false } : {}),
    ...(options.dropSourceAfter === true ? { dropSourceAfter: true } : {}),
    ...(skipBackupCheck === undefined ? {} : { skipBackupCheck: true }),
    ...(reason === undefined ? {} : { reason }),
  };
}

/** The plan, and what a look at the source has found. */
export async function planMigration(context: Context, body: MigrateRequest): Promise<MigrateAnswer> {
  context.output.status.update(`Looking at ${body.slug}`);
  return await context.client().call('migrate', { params: {}, body });
}

/** Has a project moved and waits for the end. */
export async function runMigration(context: Context, project: ResolvedProject, body: MigrateRequest): Promise<MigrateAnswer> {
  const words = { doing: `Migrating ${project.slug}`, lookAgain: `flux migrate ${project.flags} --dry-run` };
  return (await runOperation(context, 'migrate', { params: {}, body }, words)) as MigrateAnswer;
}
