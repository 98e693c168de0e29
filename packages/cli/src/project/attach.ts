import { describeScope } from '@flux/contract/backup-scope';
import { FluxError } from '@flux/contract/errors';
import { defineCommand, PROJECT_OPTIONS, type ProjectOptions } from '../command.ts';
import { askSecret } from '../prompt.ts';
import { readAttachUri, tellFindings } from './attach-uri.ts';
import { resolveProject } from './resolve.ts';
import { ABOUT_PATTERNS, SCOPE_OPTIONS, type ScopeOptions, scopeOf } from './scope.ts';

/** `flux project attach` */
export const command = defineCommand<
  ProjectOptions & ScopeOptions & { uri?: string | true; otherDatabase?: boolean; wholeDatabase?: boolean }
>({
  arguments: [{ name: '[slug]', summary: 'name of the project (default: flux.json)' }],
  options: [
    ...PROJECT_OPTIONS,
    { flags: '--uri [uri]', summary: 'the new URI; `-` reads it from standard input, and without a value it is asked for' },
    { flags: '--other-database', summary: 'take it although it is another database' },
    ...SCOPE_OPTIONS,
    { flags: '--whole-database', summary: 'back up all of it again' },
  ],
  examples: [
    'flux project attach legacy-shop --uri',
    'flux project attach legacy-shop --uri - < uri.txt',
    "flux project attach legacy-shop --exclude-schema auth --exclude-table-data 'log.*'",
    'flux project attach legacy-shop --whole-database',
  ],
  about: [
    'Replaces the URI of an attached project, for example when its password was changed or its server has moved; or which part of its database is backed up.',
    'Options that choose a part replace all that were given before. Earlier backups keep the part that they were made of.',
    ABOUT_PATTERNS,
  ].join('\n'),
  async run(context, options, [slug]) {
    const project = await resolveProject(context, options, slug);
    const chosen = scopeOf(options);
    if (chosen !== undefined && options.wholeDatabase === true)
      throw new FluxError('usage', '--whole-database contradicts the options that choose a part of it.', {
        hint: 'Leave out one of the two.',
      });
    const scope = options.wholeDatabase === true ? null : chosen;
    const instead = 'Use `--uri - < file`, or set FLUX_ATTACH_URI.';
    // Whoever changes only what is backed up keeps the address.
    const wantsUri = options.uri ?? (scope !== undefined || context.env.FLUX_ATTACH_URI === undefined ? undefined : true);
    const ask = () => askSecret(context, 'The new URI of the database', instead);
    const given = scope !== undefined && wantsUri === undefined ? undefined : await readAttachUri(context, wantsUri, ask);
    if (given === null) throw new FluxError('usage', 'The new URI is missing.', { hint: instead });
    context.output.status.update(`Attaching ${project.slug}`);
    const { project: summary, findings = [] } = await context.client().call('attachProject', {
      params: { hash: project.hash },
      body: {
        ...(given === undefined ? {} : { uri: given }),
        ...(scope === undefined ? {} : { scope }),
        ...(options.otherDatabase === true ? { otherDatabase: true } : {}),
      },
    });
    const backedUp = `Backed up: ${summary.scope === undefined ? 'the whole database' : describeScope(summary.scope)}.`;
    const lines = [
      `${summary.slug} (${summary.hash}) ${given === undefined ? 'was looked at' : 'has a new URI'} and is ${summary.status}.`,
      ...(scope === undefined ? [] : [backedUp]),
    ];
    context.output.answer(lines, { summary });
    tellFindings(context.output, findings);
    return 0;
  },
});
