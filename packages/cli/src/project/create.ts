import { FluxError } from '@flux/contract/errors';
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { formatFields } from '../output/table.ts';
import { readStdin } from '../prompt.ts';
import { parseMode } from './mode.ts';
import { slugOf } from './name.ts';

/** `flux create` */
export const command = defineCommand<{ mode?: string; attach?: string | true }>({
  arguments: [{ name: '<name>', summary: 'name of the project; `Bloom Atelier` becomes bloom-atelier' }],
  options: [
    { flags: '--mode <mode>', summary: 'v1_dedicated (its own server) or v2_shared (a schema on a shared server)' },
    { flags: '--attach [uri]', summary: 'back up an existing database that Flux does not run; `-` reads the URI from standard input' },
  ],
  examples: [
    'flux create bloom-atelier',
    'flux create bloom-atelier --mode v2_shared',
    'flux create legacy-shop --attach - < uri.txt',
    'FLUX_ATTACH_URI=postgresql://... flux create legacy-shop --attach',
  ],
  about: 'A URI contains a password: prefer `--attach -` or FLUX_ATTACH_URI to writing it on the command line.',
  async run(context, options, [given = '']) {
    const { output } = context;
    const name = slugOf(given);
    if (name !== given) output.note(`${given} becomes ${name}.`);
    const attach = await readAttachUri(context, options.attach);
    const mode = parseMode(options.mode ?? (attach === null ? context.settings.defaultMode : null));
    output.status.update(`${attach === null ? 'Creating' : 'Attaching'} ${name}`);
    const answer = await context.client().call('createProject', {
      params: {},
      body: { slug: name, ...(mode === null ? {} : { mode }), ...(attach === null ? {} : { attach }) },
    });
    const { slug, hash, status, mode: engine } = answer.project;
    output.answer(
      formatFields([
        ['Slug', slug],
        ['Hash', hash],
        ['Mode', engine],
        ['Status', status],
      ]),
      { summary: answer.project, mode: engine },
    );
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

async function readAttachUri(context: Pick<Context, 'env' | 'output' | 'stdin'>, flag: string | true | undefined): Promise<string | null> {
  const fromEnv = context.env.FLUX_ATTACH_URI;
  const uri = flag === '-' ? (await readStdin(context.stdin)).trim() : flag === true || flag === undefined ? fromEnv : flag;
  if (uri === undefined || uri === '') {
    if (flag === undefined) return null;
    throw new FluxError(
      'usage',
      flag === '-' ? 'Standard input ended without a URI.' : '--attach has no URI, and FLUX_ATTACH_URI is not set.',
      {
        hint: 'Use `--attach - < file`, or set FLUX_ATTACH_URI=postgresql://user:password@host:5432/database.',
      },
    );
  }
  // Never quote the text in a message: it contains a password.
  if (!/^postgres(?:ql)?:\/\/|^\s*[a-z_]+\s*=/.test(uri)) {
    throw new FluxError('usage', 'The URI to attach does not begin with postgresql://.', {
      hint: 'postgresql://user:password@host:5432/database',
    });
  }
  if (typeof flag === 'string' && flag !== '-' && URL.canParse(uri) && new URL(uri).password !== '') {
    context.output.warn('A password on the command line is visible to every user of this machine; use `--attach -` or FLUX_ATTACH_URI.');
  }
  return uri;
}
