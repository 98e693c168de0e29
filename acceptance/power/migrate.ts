import { backUp } from '../harness/backups.ts';
import { EVERYTHING } from '../harness/comeback.ts';
import type { Flux, TestProject } from '../harness/flux.ts';
import { findClient } from '../harness/postgres.ts';
import { run } from '../harness/process.ts';
import { findCommonLitter, listInPostgres } from './litter.ts';
import type { Prepared, Scenario, State } from './scenario.ts';
import { readCatalog, readData, settle, shortIdOf } from './state.ts';

/** `flux migrate --to v1_dedicated`: the project is whole in the pool and writable, or whole on a server of its own. */
export function migrate(name: string, ...options: readonly string[]): Scenario {
  return {
    name,
    engine: 'v2_shared',
    isLong: options.length > 0,
    prepare: (flux, serial) => prepare(flux, `moves-${options.length}-${serial}`, options),
  };
}

async function prepare(flux: Flux, slug: string, options: readonly string[]): Promise<Prepared> {
  const project = await flux.createProject(slug, 'v2_shared');
  await flux.push(project, EVERYTHING);
  await backUp(flux, project, '--verify');
  const shortId = await shortIdOf(flux, project);
  await settle(flux, 'v2_shared', shortId);
  return {
    command: ['migrate', ...project.flags, '--to', 'v1_dedicated', '--yes', ...options],
    read: async () => JSON.parse(withoutNames(JSON.stringify(await readState(flux, project, shortId)), slug, shortId)) as State,
    // Objects have other owners and grants on the new engine; rows are what they were.
    goal: (old, undisturbed) => ({ ...undisturbed, data: merge(old.data, undisturbed.data) }),
    whenDone: { exitCode: 0, says: 'Nothing was left to do' },
    findLitter: () => findCommonLitter(flux),
    async cleanUp() {
      const nuked = await flux.flux('nuke', slug, '--hash', project.hash, '--yes', '--skip-backup-check', '--reason', 'the test is over');
      if (nuked.exitCode !== 0) throw new Error(`nuke ended with ${nuked.exitCode}\n${nuked.stderr}`);
    },
  };
}

async function readState(flux: Flux, project: TestProject, shortId: string): Promise<State> {
  const { backups, ...catalog } = await readCatalog(flux, project);
  const { apiSchema } = (await (await flux.api(`/projects/${project.hash}`)).json()) as { apiSchema: string };
  const uri = (await flux.flux('project', 'credentials', ...project.flags, '--field', 'postgres.url')).stdout.trim();
  return {
    ...catalog,
    'in the pool': await listInPostgres(flux, 'v2_shared', shortId),
    'on its own': await listInPostgres(flux, 'v1_dedicated', shortId),
    data: await readData(uri, apiSchema),
    'says to who writes': await write(uri, apiSchema),
  };
}

/** Nothing may still hold writers; nothing is changed. */
async function write(uri: string, schema: string): Promise<string> {
  const sql = `set lock_timeout = '10s'; begin; update ${schema}.customers set name = 'x'; rollback`;
  const args = ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', uri, '-c', sql];
  return (await run(`${findClient()}/psql`, args)).stderr;
}

/** Each project has names of its own, and a state is compared with that of another one. */
function withoutNames(text: string, slug: string, shortId: string): string {
  return text.replaceAll(shortId, '<id>').replaceAll(slug, '<slug>').replaceAll(slug.replaceAll('-', '_'), '<slug>');
}

function merge(before: State['data'], after: State['data']): State['data'] {
  return before === 'gone' || after === 'gone' ? 'gone' : { rows: before.rows, objects: after.objects };
}
