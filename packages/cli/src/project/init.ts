import { basename, join } from 'node:path';
import { FluxError } from '@flux/contract/errors';
import { isSlug, PLACEHOLDER_HASH } from '@flux/contract/ids';
import { defineCommand } from '../command.ts';
import { formatFields } from '../output/table.ts';
import { parseLink, writeLink } from '../settings/link.ts';
import { parseMode } from './mode.ts';

/** `flux init` */
export const command = defineCommand<{ project?: string; mode?: string }>({
  arguments: [{ name: '[slug]', summary: 'name of the project (default: flux.json, else the name of this folder)' }],
  options: [
    { flags: '-p, --project <slug>', summary: 'the same as the argument' },
    { flags: '--mode <mode>', summary: 'v1_dedicated or v2_shared, for a project that does not exist yet' },
  ],
  examples: ['flux init', 'flux init bloom-atelier', 'flux init bloom-atelier --mode v2_shared'],
  about: 'Creates the project if it does not exist. Running it again changes nothing.',
  async run(context, options, [argument]) {
    const { settings, cwd, output } = context;
    const { linkFile } = settings;
    const link = linkFile === null ? null : parseLink(linkFile.path, linkFile.text);
    const named = argument ?? options.project;
    const slug = named ?? link?.slug ?? basename(cwd).toLowerCase();
    if (!isSlug(slug)) {
      throw new FluxError(
        'usage',
        `${JSON.stringify(slug)} cannot be the name of a project: 1 to 40 of a-z, 0-9 and hyphens, a letter first.`,
        {
          hint: 'Run `flux init <slug>`.',
        },
      );
    }
    // A flux.json of another project in a parent folder is left alone; one in this folder would be overwritten.
    const isOfThisFolder = link !== null && link.folder === cwd;
    const isOther = link !== null && link.slug !== null && link.slug !== slug;
    if (isOfThisFolder && isOther && link.hash !== null && link.hash !== PLACEHOLDER_HASH) {
      throw new FluxError('project_mismatch', `${link.path} already links this folder to ${link.slug}, not to ${slug}. Nothing was done.`, {
        hint: 'Remove flux.json first when that is what you want.',
      });
    }
    const target = isOther && !isOfThisFolder ? null : linkFile;
    const path = target?.path ?? join(cwd, 'flux.json');
    const mode = parseMode(options.mode ?? settings.defaultMode);
    output.status.update(`Linking ${path} to ${slug}`);
    const { action, project } = await context
      .client()
      .call('linkProject', { params: {}, body: { slug, ...(mode === null ? {} : { mode }) } });
    await writeLink(path, target?.text ?? null, project.slug, project.hash);
    output.answer(
      formatFields([
        ['Project', `${project.slug} (${action})`],
        ['Hash', project.hash],
        ['Mode', project.mode],
        ['File', path],
      ]),
      { action, slug: project.slug, hash: project.hash, mode: project.mode, apiSchema: project.apiSchema, path },
    );
    output.next('flux push\n  flux backup create --verify', 'Next:');
    return 0;
  },
});
