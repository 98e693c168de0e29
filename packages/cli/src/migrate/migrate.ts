import { FluxError } from '@flux/contract/errors';
import type { EngineKind } from '@flux/contract/labels';
import type { MigrateAnswer, MigrateRequest } from '@flux/contract/migrate';
import { defineCommand, PROJECT_ARGUMENT, PROJECT_OPTIONS, type ProjectOptions } from '../command.ts';
import type { AskContext, CallContext, Context } from '../context.ts';
import { confirmByName, confirmDestruction, DESTROY_OPTIONS, type DestroyOptions, readOverride } from '../destroy/confirm.ts';
import { runOperation } from '../operations/run.ts';
import { type ResolvedProject, resolveProject } from '../project/resolve.ts';
import { describePlan, describeResult } from './migrate-text.ts';

/** How far a migration goes, from the command line. */
type MigrateOptions = {
  dryRun?: boolean;
  dumpOnly?: boolean;
  staged?: boolean;
  discardStaged?: boolean;
  dropSourceAfter?: boolean;
  /** False only with --no-lock-writes. */
  lockWrites?: boolean;
};

const WAYS = [
  ['dryRun', '--dry-run', 'dry_run'],
  ['dumpOnly', '--dump-only', 'dump_only'],
  ['staged', '--staged', 'staged'],
  ['discardStaged', '--discard-staged', 'discard_staged'],
] as const;

/** `flux migrate` */
export const command = defineCommand<ProjectOptions & MigrateOptions & DestroyOptions & { to?: EngineKind }>({
  arguments: PROJECT_ARGUMENT,
  options: [
    ...PROJECT_OPTIONS,
    { flags: '--to <engine>', summary: 'the engine to move to', choices: ['v1_dedicated', 'v2_shared'], default: 'v1_dedicated' },
    { flags: '--dry-run', summary: 'only show the plan and what would prevent it' },
    { flags: '--dump-only', summary: 'only create and verify a backup' },
    { flags: '--staged', summary: 'also create the dedicated copy, compare it, and leave it for inspection' },
    { flags: '--discard-staged', summary: 'remove a copy that was left for inspection' },
    { flags: '--drop-source-after', summary: 'remove the pooled schema, roles and login after the move' },
    { flags: '--no-lock-writes', summary: 'do not block writes; rows written meanwhile are not moved (dangerous)' },
    ...DESTROY_OPTIONS,
  ],
  examples: [
    'flux migrate -p bloom-atelier --hash 0a1b2c3 --to v1_dedicated --dry-run',
    'flux migrate -p bloom-atelier --hash 0a1b2c3 --to v1_dedicated --staged --yes',
    'flux migrate -p bloom-atelier --hash 0a1b2c3 --to v1_dedicated --yes',
    'flux migrate -p bloom-atelier --hash 0a1b2c3 --to v1_dedicated --drop-source-after --yes',
  ],
  about:
    'While it runs, writes to the pooled schema are blocked and reads continue. A backup is created and verified, restored into a\n' +
    'dedicated server and compared with its manifest; then one transaction moves the project. A failure before that leaves the\n' +
    'pooled project as it was. Credentials change: see `flux project credentials` afterwards.',
  async run(context, { to, ...options }, [slug]) {
    const { how, ...choices } = await toMigrateRequest(context, options);
    const project = await resolveProject(context, options, slug);
    const target = to === undefined ? {} : { to };
    if (how === 'dry_run') {
      const answer = await planMigration(context, project, {
        ...target,
        lockWrites: choices.lockWrites,
        dropSourceAfter: choices.dropSourceAfter,
      });
      context.output.answer(describePlan(answer), answer);
      return answer.ok ? 0 : 1;
    }
    if (how === 'move') {
      const what = options.dropSourceAfter === true ? ' and removes its pooled schema, roles and login' : '';
      const sentence = `This moves ${project.slug} (${project.hash}) to its own server${what}.`;
      if (options.dropSourceAfter !== true) await confirmByName(context, project.slug, sentence, options);
      else await confirmDestruction(context, project, { action: 'migrate_drop_source', what: sentence }, options);
    } else if (options.yes !== true && options.confirm === undefined) {
      await confirmByName(context, project.slug, `This ${how === 'discard_staged' ? 'removes' : 'creates'} a copy.`, options);
    }
    const answer = await runMigration(context, project, { ...target, ...choices, how });
    context.output.answer(describeResult(answer), answer);
    if (answer.result?.did === 'migrated') {
      context.output.next(`flux project credentials ${project.flags}`, 'Programs need the new address:');
      context.output.next(`flux backup create ${project.flags} --verify`, 'The project has no backup on its new engine yet:');
    }
    return 0;
  },
});

/** What to ask the control plane for. @throws FluxError `usage` for options that cannot be combined */
async function toMigrateRequest(
  context: AskContext & Pick<Context, 'output'>,
  options: MigrateOptions & DestroyOptions,
): Promise<Omit<MigrateRequest, 'to' | 'how'> & { readonly how: MigrateRequest['how'] | 'dry_run' }> {
  const given = WAYS.filter(([name]) => options[name] === true);
  if (given.length > 1)
    throw new FluxError('usage', `${given.map(([, flag]) => flag).join(' and ')} cannot be combined.`, { hint: 'Give one of them.' });
  const how = given[0]?.[2] ?? 'move';
  if (options.skipBackupCheck === true && options.dropSourceAfter !== true)
    throw new FluxError('usage', '--skip-backup-check requires --drop-source-after: no other part of a migration destroys data.', {
      hint: 'Leave it out.',
    });
  if (options.lockWrites === false && how === 'move')
    context.output.warn('--no-lock-writes: rows that clients write while the migration runs are not moved.');
  return {
    how,
    ...(options.lockWrites === false ? { lockWrites: false } : {}),
    ...(options.dropSourceAfter === true ? { dropSourceAfter: true } : {}),
    ...(await readOverride(context, options)),
  };
}

/** Fetches the plan and the findings of the preflight. */
async function planMigration(
  context: CallContext,
  project: ResolvedProject,
  body: Pick<MigrateRequest, 'to' | 'lockWrites' | 'dropSourceAfter'>,
): Promise<MigrateAnswer> {
  context.output.status.update(`Looking at ${project.slug}`);
  return await context.client().call('planMigration', { params: { hash: project.hash }, body });
}

/** Starts a migration and waits for its end. */
async function runMigration(context: CallContext, project: ResolvedProject, body: MigrateRequest): Promise<MigrateAnswer> {
  const words = { doing: `Migrating ${project.slug}`, checkCommand: `flux migrate ${project.flags} --dry-run` };
  return await runOperation(context, 'migrate', { params: { hash: project.hash }, body }, words);
}
