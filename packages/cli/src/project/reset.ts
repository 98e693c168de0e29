import { keptUntilText } from '../backup/restore-text.ts';
import { defineCommand, PROJECT_OPTIONS, type ProjectOptions } from '../command.ts';
import { confirmDestruction, DESTROY_OPTIONS, type DestroyOptions, readOverride } from '../destroy/confirm.ts';
import { runOperation } from '../operations/run.ts';
import { requireCapability, resolveProject } from './resolve.ts';

/** `flux project reset` */
export const command = defineCommand<ProjectOptions & DestroyOptions>({
  arguments: [{ name: '[slug]', summary: 'name of the project (default: flux.json)' }],
  options: [...PROJECT_OPTIONS, ...DESTROY_OPTIONS],
  examples: ['flux project reset bloom-atelier --hash 0a1b2c3', 'flux project reset bloom-atelier --hash 0a1b2c3 --confirm bloom-atelier'],
  about:
    'Leaves the project as it was when it was created: no tables, no migrations; users, passwords and addresses stay. Refused with\n' +
    'exit code 6 unless the newest backup is restore-verified. The old data can be restored with `flux backup restore --undo`.',
  async run(context, options, [slug]) {
    const project = await resolveProject(context, options, slug);
    requireCapability(project, 'staging');
    const body = await readOverride(context, options);
    await confirmDestruction(context, project, { action: 'reset', what: `This empties ${project.slug} (${project.hash}).` }, options);
    const words = { doing: `Emptying ${project.slug}`, checkCommand: 'flux list' };
    const answer = await runOperation(context, 'resetProject', { params: { hash: project.hash }, body }, words);
    const kept = `The old data is kept as ${answer.previousKeptAs}${keptUntilText(answer, context.now())}.`;
    context.output.answer([`✓ ${project.slug} (${project.hash}) is empty. ${kept}`], answer);
    context.output.next(`flux backup restore ${project.flags} --undo`, 'To undo the reset:');
    return 0;
  },
});
