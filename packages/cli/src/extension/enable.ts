import { defineCommand, PROJECT_OPTIONS, type ProjectOptions } from '../command.ts';
import { resolveProject } from '../project/resolve.ts';

/** `flux extension enable` */
export const command = defineCommand<ProjectOptions>({
  arguments: [{ name: '<name>', summary: 'name of the extension; see `flux extension list`' }],
  options: PROJECT_OPTIONS,
  examples: ['flux extension enable pg_trgm', 'flux extension enable postgis --project bloom-atelier --hash 0a1b2c3'],
  about:
    'Extensions that Postgres calls trusted need no more than a write token. Others need an admin token, and a place on the list of the\n' +
    'operator (FLUX_EXTENSIONS_ALLOWED). They are created in the schema `extensions`, which everybody may use: write `extensions.citext`,\n' +
    'or put the schema into the search_path. On a pooled project, everybody in the pool has the extension then.',
  async run(context, options, [name]) {
    const project = await resolveProject(context, options);
    context.output.status.update(`Enabling ${name} for ${project.slug}`);
    const body = { name: name as string };
    const answer = await context.client().call('enableExtension', { params: { hash: project.hash }, body });
    const { schema } = answer.extension;
    const others = answer.created.filter((created) => created !== name);
    const more = others.length === 0 ? '' : `, with ${others.join(', ')}`;
    const sentence =
      answer.created.length === 0
        ? `${name} is there already, in the schema ${schema}.`
        : `✓ ${name} is enabled${more}, in the schema ${schema}.`;
    context.output.answer([sentence], answer);
    return 0;
  },
});
