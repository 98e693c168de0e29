import { FluxError } from '@flux/contract/errors';
import type { EngineKind } from '@flux/contract/labels';
import type { RestoreAnswer, RestoreRequest } from '@flux/contract/restore';
import { BACKUP_OPTIONS, type BackupOptions, defineCommand, PROJECT_ARGUMENT, PROJECT_OPTIONS, type ProjectOptions } from '../command.ts';
import type { AskContext, CallContext, Context } from '../context.ts';
import { confirmByName, confirmDestruction, DESTROY_OPTIONS, type DestroyOptions, readOverride } from '../destroy/confirm.ts';
import { runOperation } from '../operations/run.ts';
import { type ResolvedProject, requireCapability, resolveProject } from '../project/resolve.ts';
import { readStdin } from '../prompt.ts';
import { describeRestore, warnOfLoss } from './restore-text.ts';
import { completeBackup, selectBackup } from './select.ts';

/** The destination of a restore and how it runs, from the command line. */
type RestoreOptions = {
  into?: string;
  mode?: string;
  to?: string;
  force?: boolean;
  prerequisites?: boolean;
  inPlace?: boolean;
  table?: string[];
  acceptUnproven?: boolean;
  asSuperuser?: boolean;
  skipPresentBackup?: boolean;
};

/** `flux backup restore` */
export const command = defineCommand<ProjectOptions & BackupOptions & RestoreOptions & DestroyOptions & { undo?: boolean }>({
  arguments: PROJECT_ARGUMENT,
  options: [
    ...PROJECT_OPTIONS,
    ...BACKUP_OPTIONS,
    { flags: '--into <slug>', summary: 'create a new project (the default); a removed project is restored under its own name' },
    { flags: '--mode <engine>', summary: 'engine of the new project', choices: ['v1_dedicated', 'v2_shared'] },
    { flags: '--to <uri>', summary: 'restore into an existing, empty database; `-` reads the URI from standard input' },
    { flags: '--force', summary: 'with --to: the database need not be empty' },
    { flags: '--prerequisites', summary: 'with --to: first create the roles, extensions and types that the backup refers to' },
    {
      flags: '--accept-unproven',
      summary: 'in an emergency, with --into or --to: restore what is left of a backup that is damaged or does not restore as a whole',
    },
    {
      flags: '--as-superuser',
      summary:
        'with --into: restore with all rights of the new server, so that what needs a superuser comes back too (only what you trust; audited)',
    },
    { flags: '--table <name...>', summary: 'restore only these tables, into a schema next to the live ones' },
    { flags: '--in-place', summary: 'replace the data of the project itself' },
    { flags: '--skip-present-backup', summary: 'with --in-place: do not back up and verify the current state first' },
    { flags: '--undo', summary: 'swap back the data that the newest restore in place or reset replaced' },
    ...DESTROY_OPTIONS,
  ],
  examples: [
    'flux backup restore --latest --into bloom-copy',
    'flux backup restore --hash 0a1b2c3 --latest --into bloom-atelier',
    'flux backup restore --latest --in-place --confirm bloom-atelier',
    'flux backup restore --undo',
    'flux backup restore --latest --table orders customers',
    'printenv TARGET_URL | flux backup restore --latest --to -',
  ],
  about:
    'The artifact is compared with its SHA-256 before anything is changed, the restored data is compared with what was dumped, and a\n' +
    'failed restore leaves everything as it was. --in-place requires the newest backup to be restore-verified (otherwise exit code 6),\n' +
    'swaps names as its last step, and keeps the replaced data for --undo until the time that it prints or the next such restore.',
  async run(context, { latest, id, undo, ...options }, [slug]) {
    if (undo === true) {
      if (
        latest !== undefined ||
        id !== undefined ||
        options.inPlace ||
        options.to !== undefined ||
        options.into !== undefined ||
        options.table !== undefined ||
        options.asSuperuser
      )
        throw new FluxError('usage', '--undo cannot be combined with other options that select or place a backup.', {
          hint: 'Run `flux backup restore --undo`: it swaps back the data that the newest restore in place replaced.',
        });
      const project = await resolveProject(context, options, slug);
      requireCapability(project, 'undo');
      await confirmByName(context, project.slug, `This swaps the data of ${project.slug} back.`, options);
      const answer = await undoRestore(context, project);
      context.output.answer(describeRestore(answer, context.now()), answer);
      return 0;
    }
    const named = selectBackup({ latest, id }, 'restore');
    const body = await toRestoreRequest(context, options);
    const project = await resolveProject(context, options, slug);
    const backupId = await completeBackup(context, project, named);
    if (options.inPlace === true || options.table !== undefined) requireCapability(project, 'staging');
    if (options.inPlace === true) {
      const what = `This replaces the data of ${project.slug} (${project.hash}) with the data of a backup.`;
      await confirmDestruction(context, project, { action: 'restore_in_place', what }, options);
    }
    if (options.acceptUnproven === true) {
      context.output.warn('--accept-unproven: what comes back may be a part of what was dumped, or not what it was. This is audited.');
      await confirmByName(context, project.slug, `This restores what is left of a backup of ${project.slug}.`, options);
    }
    if (options.asSuperuser === true) {
      context.output.warn(
        '--as-superuser: everything in the archive runs with all rights of the new server and of the account that it runs as. Do it only for a database that you trust. This is audited.',
      );
      await confirmByName(context, project.slug, `This restores a backup of ${project.slug} as a superuser of a new server.`, options);
    }
    const answer = await restoreBackup(context, project, backupId, body);
    for (const line of warnOfLoss(answer)) context.output.warn(line);
    context.output.answer(describeRestore(answer, context.now()), answer);
    if (answer.how === 'in_place') {
      context.output.next(`flux backup restore ${project.flags} --undo`, 'To undo the restore:');
    } else if (answer.project !== null && answer.how !== 'tables') {
      context.output.next(
        `flux backup create --project ${answer.project.slug} --hash ${answer.project.hash} --verify`,
        'The project has no backup of its own yet:',
      );
    }
    return 0;
  },
});

/** What to ask the control plane for. @throws FluxError `usage` for options that cannot be combined */
async function toRestoreRequest(
  context: AskContext & Pick<Context, 'output'>,
  options: RestoreOptions & DestroyOptions,
): Promise<NonNullable<RestoreRequest>> {
  const { into, mode, to, force, prerequisites, inPlace, skipPresentBackup, table } = options;
  const acceptUnproven = options.acceptUnproven === true ? ({ acceptUnproven: true } as const) : {};
  const asSuperuser = options.asSuperuser === true ? ({ asSuperuser: true } as const) : {};
  if ([into !== undefined || mode !== undefined, to !== undefined, inPlace === true, table !== undefined].filter(Boolean).length > 1)
    throw new FluxError('usage', 'A restore has one destination.', {
      hint: 'Give one of --into <slug>, --to <uri>, --in-place and --table <name>; --mode belongs to --into.',
    });
  refuseStray('--to', to !== undefined, { '--force': force, '--prerequisites': prerequisites });
  refuseStray('--into or --to', inPlace !== true && table === undefined, { '--accept-unproven': options.acceptUnproven });
  refuseStray('--into', inPlace !== true && table === undefined && to === undefined, { '--as-superuser': options.asSuperuser });
  refuseStray('--in-place', inPlace === true, {
    '--skip-present-backup': skipPresentBackup,
    '--skip-backup-check': options.skipBackupCheck,
  });
  if (table !== undefined) return { tables: table };
  if (inPlace === true) {
    return {
      inPlace: true,
      ...(skipPresentBackup === true ? { skipPresentBackup } : {}),
      ...(await readOverride(context, options)),
    };
  }
  if (to !== undefined) {
    const uri = to === '-' ? (await readStdin(context.stdin)).trim() : to;
    if (uri === '')
      throw new FluxError('usage', 'The URI of the database is empty.', { hint: 'Pass postgresql://user:password@host:port/database.' });
    return { to: uri, ...acceptUnproven, ...(force === true ? { force } : {}), ...(prerequisites === true ? { prerequisites } : {}) };
  }
  return {
    ...acceptUnproven,
    ...asSuperuser,
    ...(into === undefined ? {} : { into }),
    ...(mode === undefined ? {} : { mode: mode as EngineKind }),
  };
}

/** Starts a restore and waits for its end. */
async function restoreBackup(
  context: CallContext,
  project: ResolvedProject,
  backupId: string,
  body: NonNullable<RestoreRequest>,
): Promise<RestoreAnswer> {
  const which = backupId === 'latest' ? 'the latest backup' : `backup ${backupId}`;
  const words = { doing: `Restoring ${which} of ${project.slug}`, checkCommand: 'flux list' };
  return await runOperation(context, 'restoreBackup', { params: { hash: project.hash, id: backupId }, body }, words);
}

/** Swaps back the data that the newest restore in place replaced. */
async function undoRestore(context: CallContext, project: ResolvedProject): Promise<RestoreAnswer> {
  const words = { doing: `Undoing the restore of ${project.slug}`, checkCommand: 'flux list' };
  return await runOperation(context, 'undoRestore', { params: { hash: project.hash } }, words);
}

function refuseStray(owner: string, isGiven: boolean, flags: Readonly<Record<string, boolean | undefined>>): void {
  const stray = Object.keys(flags).find((flag) => flags[flag] === true);
  if (isGiven || stray === undefined) return;
  throw new FluxError('usage', `${stray} requires ${owner}.`, { hint: `Add ${owner}, or leave out ${stray}.` });
}
