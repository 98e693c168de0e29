import { defineCommand, PROJECT_OPTIONS, type ProjectOptions } from '../command.ts';
import { confirmDestruction, DESTROY_OPTIONS, type DestroyOptions, readOverride } from '../destroy/confirm.ts';
import { runOperation } from '../operations/run.ts';
import { resolveProject } from './resolve.ts';

/** `flux nuke` */
export const command = defineCommand<ProjectOptions & DestroyOptions>({
  arguments: [{ name: '[slug]', summary: 'name of the project (default: flux.json)' }],
  options: [...PROJECT_OPTIONS, ...DESTROY_OPTIONS],
  examples: ['flux nuke bloom-atelier --hash 0a1b2c3', 'flux nuke bloom-atelier --hash 0a1b2c3 --confirm bloom-atelier'],
  about:
    'Removes the Postgres instance or the tenant schema, roles and login. Refused with exit code 6 unless the newest backup is\n' +
    'restore-verified. Backups, receipts and audit log are kept: `flux list --removed`, `flux backup list --hash <hash>`.',
  async run(context, options, [slug]) {
    const project = await resolveProject(context, options, slug);
    const body = await readOverride(context, options);
    const what = `This removes ${project.slug} (${project.hash}) and all its data.`;
    await confirmDestruction(context, project, { action: 'nuke', what }, options);
    const words = { doing: `Removing ${project.slug}`, checkCommand: 'flux list --removed' };
    const answer = await runOperation(context, 'nukeProject', { params: { hash: project.hash }, body }, words);
    context.output.answer([`${project.slug} (${project.hash}) is removed. Its backups stay.`], answer);
    context.output.next(`flux backup list --hash ${project.hash}`, 'Find its backups by the hash:');
    return 0;
  },
});
