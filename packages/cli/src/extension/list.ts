import type { ExtensionItem } from '@flux/contract/extension';
import { defineCommand, PROJECT_ARGUMENT, PROJECT_OPTIONS, type ProjectOptions } from '../command.ts';
import { formatColumns } from '../output/table.ts';
import { resolveProject } from '../project/resolve.ts';

/** `flux extension list` */
export const command = defineCommand<ProjectOptions>({
  arguments: PROJECT_ARGUMENT,
  options: PROJECT_OPTIONS,
  examples: ['flux extension list', 'flux extension list bloom-atelier --hash 0a1b2c3 --json'],
  async run(context, options, [slug]) {
    const project = await resolveProject(context, options, slug);
    const { extensions } = await context.client().call('listExtensions', { params: { hash: project.hash } });
    const rows = extensions.map((item) => [item.name, item.version, stateOf(item), item.comment]);
    context.output.answer(formatColumns(rows), { extensions });
    return 0;
  },
});

const ENABLED_BY: Readonly<Record<ExtensionItem['enabledBy'], string>> = {
  write: 'can be enabled',
  admin: 'an admin can enable it',
  nobody: 'not allowed here',
};

function stateOf({ schema, enabledBy }: ExtensionItem): string {
  return schema === null ? ENABLED_BY[enabledBy] : `enabled, in ${schema}`;
}
