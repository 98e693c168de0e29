import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { VerificationProof } from '@flux/contract/backup';
import { type Observation, observe, type Place } from '../harness/by-other-means/observe.ts';
import { type Flux, startFlux, type TestProject } from '../harness/flux.ts';
import { psql, startThrowAwayCluster, type ThrowAwayCluster } from '../harness/postgres.ts';
import type { Ended } from '../harness/process.ts';
import { databaseOf, instanceOf, superuserUri } from '../harness/superuser.ts';
import { projectIdOf, tenantOf } from '../sabotage/workshop.ts';
import type { Case, Engine } from './case.ts';

/** One control plane, a cluster of somebody else that it backs up, and one that it restores to. */
export interface World extends AsyncDisposable {
  readonly flux: Flux;
  readonly source: ThrowAwayCluster;
  readonly target: ThrowAwayCluster;
}

/** A case that has been created, backed up and verified on one engine. */
export interface Prepared {
  readonly world: World;
  readonly engine: Engine;
  readonly project: TestProject;
  readonly place: Place;
  readonly observed: Observation;
  readonly verified: Verified;
}

/** What Flux said up to the verdict. */
export interface Verified {
  readonly exitCode: number | null;
  /** Null when not even a backup could be created. */
  readonly proof: VerificationProof | null;
  /** All that a person can read about it: answers, warnings, `flux backup show`. */
  readonly said: string;
}

/** Starts all three. The clusters have every role that API programs expect, and a tablespace. */
export async function startWorld(): Promise<World> {
  const logical = { settings: { wal_level: 'logical' } };
  const [flux, source, target] = await Promise.all([startFlux(), startThrowAwayCluster(logical), startThrowAwayCluster(logical)]);
  await psql(source.uri('postgres'), `create role anon; create role authenticated; create role service_role bypassrls;`);
  // A tablespace needs a folder of its own that belongs to the server's account.
  await psql(source.uri('postgres'), `copy (select '') to program 'mkdir -p ${join(source.folder, 'space')}; cat >/dev/null'`);
  await psql(source.uri('postgres'), `create tablespace house_space location '${join(source.folder, 'space')}'`);
  await psql(source.uri('postgres'), 'create database stockdb');
  await psql(source.uri('stockdb'), `create table items (id int, name text); insert into items values (1, 'one'), (2, 'two')`);
  return {
    flux,
    source,
    target,
    [Symbol.asyncDispose]: async () => {
      await source[Symbol.asyncDispose]();
      await target[Symbol.asyncDispose]();
      await flux[Symbol.asyncDispose]();
    },
  };
}

/**
 * Creates a case on an engine, observes it, backs it up and verifies the backup.
 *
 * @param name of the project: not that of the case, or Flux would name things by chance
 */
export async function prepareCase(world: World, one: Case, engine: Engine, name: string): Promise<Prepared> {
  const slug = `${name}-${engine[0]}`;
  const made = engine === 'attached' ? await attach(world, one, slug) : await create(world, one, engine, slug);
  const observed = await observe(made.place);
  return { world, engine, ...made, observed, verified: await backUpAndVerify(world.flux, made.project) };
}

/** What distinguishes a project of ours by design: its roles, its schema. */
export async function placeOf(flux: Flux, project: TestProject, engine: 'v1_dedicated' | 'v2_shared', schema?: string): Promise<Place> {
  const id = await projectIdOf(flux, project);
  const uri = superuserUri(flux, instanceOf(id, engine), databaseOf(project));
  if (engine === 'v2_shared') return { uri, schema: tenantOf(id).schema, renames: tenantRenames(tenantOf(id).owner.replace(/_ddl$/, '')) };
  const owner = `${project.slug.replaceAll('-', '_')}_owner`;
  return {
    uri,
    ...(schema === undefined ? { without: ['flux', 'auth'] } : { schema }),
    renames: [...(schema === undefined ? [] : PUBLIC_AS_TENANT), [owner, '<owner>']],
  };
}

/** Names of a tenant in the words that its copies share; `prefix` is `t_<12 hex>`. */
function tenantRenames(prefix: string): (readonly [string, string])[] {
  return [...PUBLIC_AS_TENANT, [`${prefix}_api`, '<schema>'], [`${prefix}_ddl`, '<owner>'], [prefix, '<tenant>']];
}
const PUBLIC_AS_TENANT: (readonly [string, string])[] = [
  ['public.', '<schema>.'],
  ['SCHEMA public', 'SCHEMA <schema>'],
  ['schema public', 'schema <schema>'],
  [' in public for ', ' in <schema> for '],
];

async function create(
  { flux }: World,
  one: Case,
  engine: 'dedicated' | 'shared',
  slug: string,
): Promise<Pick<Prepared, 'project' | 'place'>> {
  const mode = engine === 'dedicated' ? 'v1_dedicated' : 'v2_shared';
  const project = await flux.createProject(slug, mode);
  const place = await placeOf(flux, project, mode);
  const asSuperuser = (sql: string) => psql(place.uri, sql);
  if (one.before !== undefined) await asSuperuser(one.before);
  const sql = inputOf(one, place.uri);
  // psql's own commands are not for a push.
  if (one.asSuperuser === true) await asSuperuser(`${sql};\n${toOwner(`${slug.replaceAll('-', '_')}_owner`)}`);
  else if (sql.includes('\\gexec')) await psql(project.uri, sql);
  else await flux.push(project, sql);
  await runAfter(place.uri, one);
  return { project, place };
}

/** What the operator made in a project belongs to its owner afterwards, except for what only a superuser may have. */
function toOwner(owner: string): string {
  return `do $$ declare o record; begin
    for o in select c.oid::regclass::text as name, 'table' as kind from pg_class c where c.relkind in ('r', 'v', 'p', 'm', 'f') and c.oid >= 16384 and c.relowner = current_user::regrole
        and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')
      union all select p.oid::regprocedure::text, 'routine' from pg_proc p where p.oid >= 16384 and p.proowner = current_user::regrole
        and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e') loop
      execute format('alter %s %s owner to %I', o.kind, o.name, '${owner}'); end loop; end $$`;
}

async function attach({ flux, source }: World, one: Case, slug: string): Promise<Pick<Prepared, 'project' | 'place'>> {
  const database = slug.replaceAll('-', '_');
  await psql(source.uri('postgres'), `create database ${database} template template0 ${one.database ?? ''}`);
  const uri = source.uri(database);
  await psql(uri, `${one.before ?? ''};\n${inputOf(one, uri)}`);
  await runAfter(uri, one);
  const made = await flux.fluxWith({ env: { FLUX_ATTACH_URI: uri } }, 'create', slug, '--attach', '--json');
  if (made.exitCode !== 0) throw new Error(`create --attach ended with ${made.exitCode}\n${made.stderr}`);
  const { hash } = (JSON.parse(made.stdout) as { summary: { hash: string } }).summary;
  return {
    project: { slug, hash, uri, flags: ['--project', slug, '--hash', hash] },
    place: { uri, without: ['flux', 'auth'], renames: [['elsewhere', '<owner>']] },
  };
}

/** A last statement of the superuser; one that fails is meant to leave something behind. */
async function runAfter(uri: string, { after }: Case): Promise<void> {
  if (after === undefined) return;
  for (const statement of after.split('\n')) await psql(uri, statement).catch(() => undefined);
}

function inputOf({ input }: Case, uri: string): string {
  const { port, username, password, pathname } = new URL(uri);
  const values: Record<string, string> = { port, user: username, password, database: pathname.slice(1) };
  const text = readFileSync(join(import.meta.dirname, 'inputs', `${input}.sql`), 'utf8');
  return text.replace(/\{\{(\w+)\}\}/g, (_, name: string) => values[name] ?? '');
}

async function backUpAndVerify(flux: Flux, project: TestProject): Promise<Verified> {
  const made = await flux.flux('backup', 'create', ...project.flags);
  if (made.exitCode !== 0) return { exitCode: made.exitCode, proof: null, said: textOf(made) };
  const verified = await flux.flux('backup', 'verify', ...project.flags, '--latest', '--json');
  const shown = await flux.flux('backup', 'show', ...project.flags, '--latest');
  const proof = verified.stdout === '' ? null : (JSON.parse(verified.stdout) as { proof: VerificationProof }).proof;
  return { exitCode: verified.exitCode, proof, said: [made, verified, shown].map(textOf).join('\n').replaceAll('\\"', '"') };
}

/** All that a program printed. */
export function textOf({ stdout, stderr }: Ended): string {
  return `${stdout}\n${stderr}`;
}
