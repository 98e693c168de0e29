import { FluxError } from '@flux/contract/errors';
import type { EngineKind } from '@flux/contract/labels';
import type { RestoreAnswer, RestoreRequest } from '@flux/contract/restore';
import type { Context } from '../context.ts';
import { type DestroyOptions, overrideQuery } from '../destroy/confirm.ts';
import { runOperation } from '../operations/run.ts';
import type { ResolvedProject } from '../project/resolve.ts';
import { readStdin } from '../prompt.ts';

/** Where a restore goes and how, as the command line says it. */
export type RestoreOptions = {
  into?: string;
  mode?: string;
  to?: string;
  force?: boolean;
  prerequisites?: boolean;
  inPlace?: boolean;
  table?: string[];
  skipPresentBackup?: boolean;
};

/** What to ask the control plane for. @throws FluxError `usage` for options that do not go together */
export async function toRestoreRequest(context: Context, options: RestoreOptions & DestroyOptions): Promise<NonNullable<RestoreRequest>> {
  const { into, mode, to, force, prerequisites, inPlace, skipPresentBackup, table } = options;
  if ([into !== undefined || mode !== undefined, to !== undefined, inPlace === true, table !== undefined].filter(Boolean).length > 1)
    throw new FluxError('usage', 'A restore goes to one place.', {
      hint: 'Give one of --into <slug>, --to <uri>, --in-place and --table <name>; --mode belongs to --into.',
    });
  refuseStray('--to', to !== undefined, { '--force': force, '--prerequisites': prerequisites });
  refuseStray('--in-place', inPlace === true, {
    '--skip-present-backup': skipPresentBackup,
    '--skip-backup-check': options.skipBackupCheck,
  });
  if (table !== undefined) return { tables: table };
  if (inPlace === true) {
    const { skipBackupCheck, reason } = overrideQuery(context, options);
    return {
      inPlace: true,
      ...(skipPresentBackup === true ? { skipPresentBackup } : {}),
      ...(skipBackupCheck === undefined ? {} : { skipBackupCheck: true }),
      ...(reason === undefined ? {} : { reason }),
    };
  }
  if (to !== undefined) {
    const uri = to === '-' ? (await readStdin(context.stdin)).trim() : to;
    if (uri === '')
      throw new FluxError('usage', 'The URI of the database is empty.', { hint: 'Pass postgresql://user:password@host:port/database.' });
    return { to: uri, ...(force === true ? { force } : {}), ...(prerequisites === true ? { prerequisites } : {}) };
  }
  return { ...(into === undefined ? {} : { into }), ...(mode === undefined ? {} : { mode: mode as EngineKind }) };
}

/** Has a backup restored and waits for the end. */
export async function restoreBackup(
  context: Context,
  project: ResolvedProject,
  backupId: string,
  body: NonNullable<RestoreRequest>,
): Promise<RestoreAnswer> {
  const which = backupId === 'latest' ? 'the latest backup' : `backup ${backupId}`;
  const words = { doing: `Restoring ${which} of ${project.slug}`, lookAgain: 'flux list' };
  return (await runOperation(context, 'restoreBackup', { params: { hash: project.hash, id: backupId }, body }, words)) as RestoreAnswer;
}

/** Swaps back what the newest restore in place has replaced. */
export async function undoRestore(context: Context, project: ResolvedProject): Promise<RestoreAnswer> {
  const words = { doing: `Undoing the restore of ${project.slug}`, lookAgain: 'flux list' };
  return (await runOperation(context, 'undoRestore', { params: { hash: project.hash } }, words)) as RestoreAnswer;
}

function refuseStray(owner: string, isGiven: boolean, flags: Readonly<Record<string, boolean | undefined>>): void {
  const stray = Object.keys(flags).find((flag) => flags[flag] === true);
  if (isGiven || stray === undefined) return;
  throw new FluxError('usage', `${stray} belongs to ${owner}.`, { hint: `Add ${owner}, or leave out ${stray}.` });
}
