import { FluxError } from '@flux/contract/errors';
import type { CredentialsAnswer } from '@flux/contract/project';
import { defineCommand, PROJECT_OPTIONS, type ProjectOptions } from '../command.ts';
import { formatFields } from '../output/table.ts';
import { resolveProject } from './resolve.ts';

const FIELDS: Readonly<Record<string, (answer: CredentialsAnswer) => string>> = {
  'postgres.url': (answer) => answer.postgres.url,
  'postgres.user': (answer) => answer.postgres.user,
  'postgres.password': (answer) => answer.postgres.password,
  'postgres.host': (answer) => answer.postgres.host,
  'postgres.port': (answer) => String(answer.postgres.port),
  'postgres.database': (answer) => answer.postgres.database,
};
const NAMES = 'postgres.url, .user, .password, .host, .port, .database';

/** `flux project credentials` */
export const command = defineCommand<ProjectOptions & { field?: string }>({
  arguments: [{ name: '[slug]', summary: 'name of the project (default: flux.json)' }],
  options: [...PROJECT_OPTIONS, { flags: '--field <name>', summary: `print only this: ${NAMES}` }],
  examples: [
    'flux project credentials bloom-atelier --hash 0a1b2c3',
    'psql "$(flux project credentials --field postgres.url)"',
    'pg_restore --clean --if-exists --no-owner --no-acl --dbname "$(flux project credentials --field postgres.url)" ./bloom.dump',
  ],
  async run(context, { field, ...options }, [slug]) {
    // `--field password` works as well: there is only one section.
    const pick = field === undefined ? undefined : (FIELDS[field] ?? FIELDS[`postgres.${field}`]);
    if (field !== undefined && pick === undefined)
      throw new FluxError('usage', `There is no field ${JSON.stringify(field)}.`, { hint: `There are ${NAMES}.` });
    const project = await resolveProject(context, options, slug);
    const answer = await context.client().call('getCredentials', { params: { hash: project.hash } });
    if (pick !== undefined) {
      const value = pick(answer);
      context.output.answer([value], value);
      return 0;
    }
    const { postgres } = answer;
    context.output.answer(
      [
        `${answer.slug} (${answer.hash}, ${answer.mode})`,
        '',
        'Postgres',
        ...formatFields(
          [
            ['User', postgres.user],
            ['Password', postgres.password],
            ['Database', postgres.database],
            ['Host', postgres.host],
            ['Port', String(postgres.port)],
            ['URI', answer.postgres.url],
          ],
          '  ',
        ),
        ...describeKeys(answer),
      ],
      answer,
    );
    if (answer.note !== undefined) context.output.note(answer.note);
    return 0;
  },
});

function describeKeys(answer: CredentialsAnswer): string[] {
  const lines = formatFields(
    [
      ['Anon key', answer.anonKey ?? null],
      ['Service role key', answer.serviceRoleKey ?? null],
      ['JWT secret', answer.projectJwtSecret ?? null],
    ],
    '  ',
  );
  return lines.length === 0 ? [] : ['', 'Keys', ...lines];
}
