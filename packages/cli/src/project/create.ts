import { describeScope } from '@flux/contract/backup-scope';
import { defineCommand } from '../command.ts';
import { formatFields } from '../output/table.ts';
import { readAttachUri, tellFindings } from './attach-uri.ts';
import { parseMode } from './mode.ts';
import { slugOf } from './name.ts';
import { ABOUT_PATTERNS, SCOPE_OPTIONS, type ScopeOptions, scopeOf } from './scope.ts';

/** `flux create` */
export const command = defineCommand<ScopeOptions & { mode?: string; attach?: string | true }>({
  arguments: [{ name: '<name>', summary: 'name of the project; `Bloom Atelier` becomes bloom-atelier' }],
  options: [
    { flags: '--mode <mode>', summary: 'v1_dedicated (its own server) or v2_shared (a schema on a shared server)' },
    { flags: '--attach [uri]', summary: 'back up an existing database that Flux does not run; `-` reads the URI from standard input' },
    ...SCOPE_OPTIONS,
  ],
  examples: [
    'flux create bloom-atelier',
    'flux create bloom-atelier --mode v2_shared',
    'flux create legacy-shop --attach - < uri.txt',
    "flux create legacy-shop --attach - --exclude-schema auth --exclude-table-data 'log.*' < uri.txt",
    'FLUX_ATTACH_URI=postgresql://... flux create legacy-shop --attach',
  ],
  about: `A URI contains a password: prefer \`--attach -\` or FLUX_ATTACH_URI to writing it on the command line.\n\n${ABOUT_PATTERNS}`,
  async run(context, options, [given = '']) {
    const { output } = context;
    const name = slugOf(given);
    if (name !== given) output.note(`${given} becomes ${name}.`);
    const attach = await readAttachUri(context, options.attach);
    const scope = scopeOf(options);
    const mode = parseMode(options.mode ?? (attach === null ? context.settings.defaultMode : null));
    output.status.update(`${attach === null ? 'Creating' : 'Attaching'} ${name}`);
    const answer = await context.client().call('createProject', {
      params: {},
      body: {
        slug: name,
        ...(mode === null ? {} : { mode }),
        ...(attach === null ? {} : { attach }),
        ...(scope === undefined ? {} : { scope }),
      },
    });
    const { slug, hash, status, mode: engine, scope: chosen } = answer.project;
    output.answer(
      formatFields([
        ['Slug', slug],
        ['Hash', hash],
        ['Mode', engine],
        ['Status', status],
        ['Backed up', chosen === undefined ? null : describeScope(chosen)],
      ]),
      { summary: answer.project, mode: engine },
    );
    tellFindings(output, answer.findings);
    // An attached database has its own migrations and its own address.
    const own = [
      `flux init ${slug}`,
      `flux push ./migrations --project ${slug} --hash ${hash}`,
      `flux project credentials ${slug} --hash ${hash}`,
    ];
    output.next([...(attach === null ? own : []), `flux backup create --project ${slug} --hash ${hash} --verify`].join('\n  '), 'Next:');
    return 0;
  },
});
