import type { EngineKind } from '@flux/contract/labels';
import { defineCommand, PROJECT_OPTIONS, type ProjectOptions } from '../command.ts';
import { confirmByName, confirmDestruction, DESTROY_OPTIONS, type DestroyOptions } from '../destroy/confirm.ts';
import { resolveProject } from '../project/resolve.ts';
import { describePlan, describeResult } from './migrate-text.ts';
import { type MigrateOptions, planMigration, runMigration, toMigrateRequest } from './run-migration.ts';

/** `flux migrate` */
export const command = defineCommand<ProjectOptions & MigrateOptions & DestroyOptions & { to?: EngineKind }>({
  options: [
    ...PROJECT_OPTIONS,
    { flags: '--to <engine>', summary: 'the engine to move to', choices: ['v1_dedicated', 'v2_shared'], default: 'v1_dedicated' },
    { flags: '--dry-run', summary: 'only show the plan and what is in its way' },
    { flags: '--dump-only', summary: 'only take a backup and prove it' },
    { flags: '--staged', summary: 'also make the dedicated copy and compare it, and leave it for inspection' },
    { flags: '--discard-staged', summary: 'remove a copy that was left for inspection' },
    { flags: '--drop-source-after', summary: 'remove the pooled schema, roles and login after the flip' },
    { flags: '--no-lock-writes', summary: 'let clients write meanwhile; what they write then stays behind (dangerous)' },
    ...DESTROY_OPTIONS,
  ],
  examples: [
    'flux migrate -p bloom-atelier --hash 0a1b2c3 --to v1_dedicated --dry-run',
    'flux migrate -p bloom-atelier --hash 0a1b2c3 --to v1_dedicated --staged --yes',
    'flux migrate -p bloom-atelier --hash 0a1b2c3 --to v1_dedicated --yes',
    'flux migrate -p bloom-atelier --hash 0a1b2c3 --to v1_dedicated --drop-source-after --yes',
  ],
  about:
    'While it runs, writes to the pooled schema wait and reading goes on. A backup is taken and proven, restored into a server of\n' +
    'its own and compared with its manifest; then the project is flipped in one transaction. Whatever fails before that leaves the\n' +
    'pooled project as it was. Credentials change: see `flux project credentials` afterwards.',
  async run(context, { to, ...options }) {
    const { how, ...choices } = toMigrateRequest(context, options);
    const project = await resolveProject(context, options);
    const body = { slug: project.slug, hash: project.hash, ...(to === undefined ? {} : { to }), ...choices, how };
    if (how === 'dry_run') {
      const answer = await planMigration(context, body);
      context.output.answer(describePlan(answer), answer);
      return answer.ok ? 0 : 1;
    }
    if (how === 'move') {
      const what = options.dropSourceAfter === true ? ' and removes what it leaves behind' : '';
      const sentence = `This moves ${project.slug} (${project.hash}) to a server of its own${what}.`;
      if (options.dropSourceAfter !== true) await confirmByName(context, project.slug, sentence, options);
      else await confirmDestruction(context, project, { action: 'migrate_drop_source', what: sentence }, options);
    } else if (options.yes !== true && options.confirm === undefined) {
      await confirmByName(context, project.slug, `This ${how === 'discard_staged' ? 'removes' : 'makes'} a copy.`, options);
    }
    const answer = await runMigration(context, project, { ...body, yes: true });
    context.output.answer(describeResult(answer), answer);
    if (answer.result?.did === 'migrated') {
      context.output.next(`flux project credentials ${project.flags}`, 'Programs need the new address:');
      context.output.next(`flux backup create ${project.flags} --verify`, 'On its new engine it has no backup yet:');
    }
    return 0;
  },
});
