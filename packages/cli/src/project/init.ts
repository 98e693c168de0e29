import { basename, join } from 'node:path';
import { FluxError } from '@flux/contract/errors';
import { isPlaceholderHash } from '@flux/contract/ids';
import type { EngineKind } from '@flux/contract/labels';
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { formatFields } from '../output/table.ts';
import { askText } from '../prompt.ts';
import { type Link, parseLink, writeLink } from '../settings/link.ts';
import { parseMode } from './mode.ts';
import { slugOf } from './name.ts';
import { readProjects } from './read.ts';

/** `flux init` */
export const command = defineCommand<{ project?: string; mode?: string; yes?: boolean }>({
  arguments: [{ name: '[slug]', summary: 'name of the project (default: flux.json, else the name of this folder)' }],
  options: [
    { flags: '-p, --project <slug>', summary: 'the same as the argument' },
    { flags: '--mode <mode>', summary: 'v1_dedicated or v2_shared, for a project that does not exist yet' },
    { flags: '-y, --yes', summary: 'create the project without asking when it does not exist' },
  ],
  examples: ['flux init', 'flux init bloom-atelier', 'flux init bloom-atelier --mode v2_shared --yes'],
  about:
    'Writes slug and hash into flux.json, and removes secrets from it. Asks before it creates a project that does not exist; without\n' +
    'a terminal, and with --no-input, that needs --yes. Running it again changes nothing.',
  async run(context, options, [argument]) {
    const { settings, cwd, output } = context;
    const { linkFile } = settings;
    const link = linkFile === null ? null : parseLink(linkFile.path, linkFile.text);
    const slug = slugOf(argument ?? options.project ?? link?.slug ?? basename(cwd));
    // A flux.json of another project in a parent folder is left alone; one in this folder would be overwritten.
    const isOther = link !== null && link.slug !== null && link.slug !== slug;
    refuseOther(link, slug, isOther && link?.folder === cwd);
    const target = isOther && link?.folder !== cwd ? null : linkFile;
    const path = target?.path ?? join(cwd, 'flux.json');
    const mode = parseMode(options.mode ?? settings.defaultMode);
    if (options.yes !== true) await confirmCreation(context, slug, mode);
    output.status.update(`Linking ${path} to ${slug}`);
    const { action, project } = await context
      .client()
      .call('linkProject', { params: {}, body: { slug, ...(mode === null ? {} : { mode }) } });
    const dropped = await writeLink(path, target?.text ?? null, project.slug, project.hash);
    output.answer(
      formatFields([
        ['Project', `${project.slug} (${action})`],
        ['Hash', project.hash],
        ['Mode', project.mode],
        ['File', path],
      ]),
      { action, slug: project.slug, hash: project.hash, mode: project.mode, apiSchema: project.apiSchema, path },
    );
    if (dropped.length > 0)
      output.warn(
        `${dropped.join(', ')} had no place in ${path} and ${dropped.length === 1 ? 'was' : 'were'} removed: \`flux project credentials\` shows secrets.`,
      );
    output.next('flux push\n  flux backup create --verify', 'Next:');
    return 0;
  },
});

function refuseOther(link: Link | null, slug: string, isOtherHere: boolean): void {
  if (!isOtherHere || link === null || link.hash === null || isPlaceholderHash(link.hash)) return;
  throw new FluxError('project_mismatch', `${link.path} already links this folder to ${link.slug}, not to ${slug}. Nothing was done.`, {
    hint: 'Remove flux.json first when that is what you want.',
  });
}

/** Asks before a project is created: a typing error would create one. @throws FluxError `usage` when it is not confirmed */
async function confirmCreation(context: Context, slug: string, mode: EngineKind | null): Promise<void> {
  const projects = await readProjects(context, 'unfinished');
  context.output.status.clear();
  if (projects.some((project) => project.slug === slug)) return;
  const what = `You have no project named ${slug}.`;
  const again = `flux init ${slug}${mode === null ? '' : ` --mode ${mode}`} --yes`;
  const answer = await askText(
    context,
    `${what} Create it? Type yes to continue`,
    `${what} Create it with \`${again}\`, or see \`flux list\`.`,
  );
  if (/^y(es)?$/i.test(answer)) return;
  throw new FluxError('usage', `${slug} was not created.`, { hint: 'See `flux list` for the projects that there are.' });
}
