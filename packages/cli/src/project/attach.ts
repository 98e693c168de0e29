import { FluxError } from '@flux/contract/errors';
import { defineCommand, PROJECT_OPTIONS, type ProjectOptions } from '../command.ts';
import { askSecret } from '../prompt.ts';
import { readAttachUri, warnOf } from './attach-uri.ts';
import { resolveProject } from './resolve.ts';

/** `flux project attach` */
export const command = defineCommand<ProjectOptions & { uri?: string | true; otherDatabase?: boolean }>({
  arguments: [{ name: '[slug]', summary: 'name of the project (default: flux.json)' }],
  options: [
    ...PROJECT_OPTIONS,
    { flags: '--uri [uri]', summary: 'the new URI; `-` reads it from standard input, and without a value it is asked for' },
    { flags: '--other-database', summary: 'take it although it is another database' },
  ],
  examples: ['flux project attach legacy-shop --uri', 'flux project attach legacy-shop --uri - < uri.txt'],
  about: 'Replaces the URI of an attached project, for example when its password was changed or its server has moved.',
  async run(context, options, [slug]) {
    const project = await resolveProject(context, options, slug);
    const instead = 'Use `--uri - < file`, or set FLUX_ATTACH_URI.';
    const given = await readAttachUri(context, options.uri ?? (context.env.FLUX_ATTACH_URI === undefined ? undefined : true), () =>
      askSecret(context, 'The new URI of the database', instead),
    );
    if (given === null) throw new FluxError('usage', 'The new URI is missing.', { hint: instead });
    context.output.status.update(`Attaching ${project.slug}`);
    const { project: summary, findings = [] } = await context.client().call('attachProject', {
      params: { hash: project.hash },
      body: { uri: given, ...(options.otherDatabase === true ? { otherDatabase: true } : {}) },
    });
    context.output.answer([`${summary.slug} (${summary.hash}) has a new URI and is ${summary.status}.`], { summary });
    for (const finding of findings) context.output.warn(warnOf(finding));
    return 0;
  },
});
