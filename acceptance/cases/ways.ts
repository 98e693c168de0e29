import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { compareObservations, type Finding, unnamed } from '../harness/by-other-means/compare.ts';
import { type Observation, observe, rename } from '../harness/by-other-means/observe.ts';
import type { Flux, TestProject } from '../harness/flux.ts';
import { findClient, psql } from '../harness/postgres.ts';
import { run } from '../harness/process.ts';
import type { Way } from './case.ts';
import { type Prepared, placeOf, textOf } from './world.ts';

/** How a way back ended, and what is there afterwards. */
export interface CameBack {
  readonly exitCode: number | null;
  readonly said: string;
  /** Null when it was refused. */
  readonly observed: Observation | null;
  /** What this way leaves to others by design, as docs/restore.md says. */
  readonly leftOut: readonly string[];
  /** Names of the pool's `public`, which a database of its own may have as well. */
  readonly pooled?: readonly string[];
}

/** Owners and rights are those of the role in the URI, by whom a restore by hand or `--to` is done. */
const OF_THE_TARGET = ['owner', 'right', 'default right', 'role', 'membership', 'right on a setting', 'right on the database'];

/**
 * What our projects have or do not have by design, whatever a backup holds: a login of their own, no connection for everybody, and a role
 * that reads a tenant for its backup.
 */
function isByDesign({ aspect, name, there }: Finding): boolean {
  if (aspect === 'role' && name === '<owner>') return true;
  // How amounts are written is compared as what is in force; a server with another default needs the setting.
  if (aspect === 'setting of the database' && name === 'lc_monetary' && there === null) return true;
  if (aspect === 'right on the database' && / to (public|<owner>) by/.test(name)) return there !== null && name.includes(' to public ');
  return name.includes('<tenant>_backup');
}

/**
 * Leaves out rights that only have another grantor now: those of a thing that belongs to the project's owner, or to that of its database,
 * instead of a role that the project does not have, as the answer says.
 */
function withoutNewGrantors(findings: readonly Finding[]): Finding[] {
  const rights = findings.filter(({ aspect }) => aspect === 'right');
  const isPair = (there: string, here: string) => {
    const [, what = '', grantee = '', grantor = ''] = /^(.*) to (.*?) by (.*)$/s.exec(there) ?? [];
    return ['<owner>', 'pg_database_owner'].some((owner) => here === `${what} to ${grantee === grantor ? owner : grantee} by ${owner}`);
  };
  const left = new Set(rights.filter((one) => rights.some((two) => isPair(one.name, two.name) || isPair(two.name, one.name))));
  return findings.filter((finding) => !left.has(finding));
}

/** Brings the backup of a case back by one way, and observes what came. */
export const BRING_BACK: Readonly<Record<Exclude<Way, 'verify'>, (prepared: Prepared) => Promise<CameBack>>> = {
  'by hand': bringByHand,
  to: bringTo,
  into: ({ world, ...prepared }) => bringInto(world.flux, prepared, 'into'),
  'into dedicated': ({ world, ...prepared }) => bringInto(world.flux, prepared, 'into dedicated'),
  'in place': bringInPlace,
  migrate: moveAway,
};

/** pg_restore alone, of the file that was downloaded, into an empty database; what `flux backup show` prints is run before and after. */
async function bringByHand({ world, project, place, engine }: Prepared): Promise<CameBack> {
  const { flux, target } = world;
  const file = join(flux.folder, `${project.slug}.dump`);
  const downloaded = await flux.flux('backup', 'download', ...project.flags, '--latest', '-o', file);
  if (downloaded.exitCode !== 0) return refused(downloaded.exitCode, textOf(downloaded));
  const shown = JSON.parse((await flux.flux('backup', 'show', ...project.flags, '--latest', '--json')).stdout) as {
    prerequisitesSql: string | null;
  };
  const [before = '', after = ''] = `\n${shown.prerequisitesSql ?? ''}`.split(/^(?=-- After pg_restore)/m);
  // A tenant goes to a server that knows nothing of it; a whole database beside itself, where its roles are.
  const base = engine === 'shared' ? target.uri('postgres') : place.uri;
  const uri = await createEmpty(base, place.uri, engine !== 'shared');
  await psql(uri, before);
  const options = engine === 'shared' ? ['--no-owner', '--no-acl'] : [];
  const restored = await run(join(findClient(), 'pg_restore'), [...options, '--dbname', uri, file]);
  if (restored.exitCode !== 0) return refused(restored.exitCode, textOf(restored));
  await psql(uri, after);
  // pg_restore restores what is in a database, not the database.
  return {
    exitCode: 0,
    said: textOf(restored),
    observed: await observe({ ...place, uri }),
    leftOut: engine === 'shared' ? OF_THE_TARGET : ['right on the database'],
  };
}

async function bringTo({ world, project, place }: Prepared): Promise<CameBack> {
  const uri = await createEmpty(world.target.uri('postgres'), place.uri);
  const ended = await world.flux.fluxWith(
    { input: `${uri}\n` },
    'backup',
    'restore',
    ...project.flags,
    '--latest',
    '--to',
    '-',
    '--prerequisites',
    '--json',
  );
  if (ended.exitCode !== 0) return refused(ended.exitCode, textOf(ended));
  const renames = [...(place.renames ?? []), ['elsewhere', '<owner>'] as const];
  return { exitCode: 0, said: textOf(ended), observed: await observe({ ...place, uri, renames }), leftOut: OF_THE_TARGET };
}

/** Restores the latest backup into a new project, on the same engine or one of its own, which is removed afterwards. */
export async function bringInto(
  flux: Flux,
  { project, place, engine }: Pick<Prepared, 'project' | 'place' | 'engine'>,
  way: 'into' | 'into dedicated',
  options: readonly string[] = [],
): Promise<CameBack> {
  const slug = `${project.slug}-${way === 'into' ? 'copy' : 'own'}`;
  const mode = way === 'into' ? [] : ['--mode', 'v1_dedicated'];
  const ended = await flux.flux('backup', 'restore', ...project.flags, '--latest', '--into', slug, ...mode, ...options, '--json');
  if (ended.exitCode !== 0) return refused(ended.exitCode, textOf(ended));
  const { hash } = (JSON.parse(ended.stdout) as { project: { hash: string } }).project;
  const copy = await projectAt(flux, slug, hash);
  const isTenant = engine === 'shared' && way === 'into';
  const at = await placeOf(flux, copy, isTenant ? 'v2_shared' : 'v1_dedicated', engine === 'shared' && !isTenant ? 'public' : undefined);
  const renames = [...(at.renames ?? []), ...(place.renames ?? [])];
  const observed = await observe({ ...at, renames, ...(place.without === undefined ? {} : { without: place.without }) });
  await nuke(flux, copy);
  const pooled = engine === 'shared' && !isTenant ? await pooledNames(place.uri) : [];
  return { exitCode: 0, said: textOf(ended), observed, leftOut: [], pooled };
}

async function bringInPlace({ world, project, place }: Prepared): Promise<CameBack> {
  const ended = await world.flux.flux('backup', 'restore', ...project.flags, '--latest', '--in-place', '--yes', '--json');
  if (ended.exitCode !== 0) return refused(ended.exitCode, textOf(ended));
  return { exitCode: 0, said: textOf(ended), observed: await observe(place), leftOut: [] };
}

async function moveAway({ world, project, place }: Prepared): Promise<CameBack> {
  const { flux } = world;
  const planned = await flux.flux('migrate', ...project.flags, '--to', 'v1_dedicated', '--dry-run');
  const ended = await flux.flux('migrate', ...project.flags, '--to', 'v1_dedicated', '--yes', '--json');
  if (ended.exitCode !== 0) return refused(ended.exitCode, `${textOf(ended)}\nThe dry run had said:\n${textOf(planned)}`);
  const moved = await projectAt(flux, project.slug, project.hash);
  const at = await placeOf(flux, moved, 'v1_dedicated', 'public');
  const renames = [...(at.renames ?? []), ...(place.renames ?? [])];
  const observed = await observe({ ...at, renames });
  return { exitCode: 0, said: textOf(planned) + textOf(ended), observed, leftOut: [], pooled: await pooledNames(place.uri) };
}

/** What the operator keeps in `public` for all tenants, other than extensions. */
async function pooledNames(uri: string): Promise<readonly string[]> {
  const names = await psql(
    uri,
    `select distinct quote_ident(i.name) from (select 'pg_type'::regclass as c, oid from pg_type where typnamespace = 'public'::regnamespace and typelem = 0
       union all select 'pg_proc'::regclass, oid from pg_proc where pronamespace = 'public'::regnamespace) o
     cross join lateral (select coalesce((select typname from pg_type where oid = o.oid and o.c = 'pg_type'::regclass), (select proname from pg_proc where oid = o.oid)) as name) i
     where not exists (select from pg_depend e where e.classid = o.c and e.objid = o.oid and e.deptype = 'e')`,
  );
  return names.split('\n').filter((name) => name !== '');
}

/** What came back differently, and is neither by design nor named in any of these texts. */
export async function findUnnamed(there: Observation, back: CameBack, said: readonly string[]): Promise<Finding[]> {
  if (back.observed === null) throw new Error(back.said);
  const all = await compareObservations(there, back.observed, back.leftOut);
  const members = new Set(
    [...(there.facts.get('member of an extension')?.keys() ?? [])].map((name) =>
      name.replaceAll('pg_catalog.', '').replace(/^[a-z ]+ (?=\S+\.)/, ''),
    ),
  );
  // Whoever creates an extension owns its members, and grants what it grants: the administrator, where its owner could not.
  const isMember = ({ aspect, name, here }: Finding) =>
    (aspect === 'owner' && here === 'flux_admin' && members.has(name.replace(/^type /, ''))) ||
    (aspect === 'right' && / by (<owner>|flux_admin)$/.test(name) && members.has(name.replace(/^type /, '').replace(/: .*$/, '')));
  const own = withoutPooled(all, back.pooled).filter((finding) => !isByDesign(finding) && !isMember(finding));
  const findings = /belonged to another role/.test(back.said) ? withoutNewGrantors(own) : own;
  return unnamed(
    findings,
    said.map((text) => rename(there.place, text)),
  );
}

/** Leaves out what was brought along from the pool's `public`, unless the tenant has something of that name. */
function withoutPooled(findings: readonly Finding[], pooled: readonly string[] = []): Finding[] {
  return findings.filter(({ name, there }) => there !== null || !pooled.some((brought) => name.includes(`<schema>.${brought}`)));
}

/** Removes a project that a test is done with, so that its server does not run on. */
export async function nuke(flux: Flux, project: Pick<TestProject, 'slug' | 'hash'>): Promise<void> {
  await flux.flux('nuke', project.slug, '--hash', project.hash, '--yes', '--skip-backup-check');
}

/** A project that was restored into, with the URI of its owner. */
export async function projectAt(flux: Flux, slug: string, hash: string): Promise<TestProject> {
  const flags = ['--project', slug, '--hash', hash] as const;
  const uri = (await flux.flux('project', 'credentials', slug, '--hash', hash, '--field', 'postgres.url')).stdout.trim();
  return { slug, hash, uri, flags: [...flags] };
}

/** An empty database in a cluster, with the encoding and the locale of another one. */
async function createEmpty(cluster: string, like: string, withItsOwner = false): Promise<string> {
  const name = `empty_${randomBytes(5).toString('hex')}`;
  const options = await psql(
    like,
    `select ${withItsOwner ? `format('owner %I ', pg_get_userbyid(datdba)) || ` : ''}format('encoding %L lc_collate %L lc_ctype %L', pg_encoding_to_char(encoding), datcollate, datctype)
       || case datlocprovider when 'i' then format(' locale_provider icu icu_locale %L', coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale')) else '' end
     from pg_database d where datname = current_database()`,
  );
  const at = (database: string) => cluster.replace(/^(postgres(?:ql)?:\/\/[^/]*\/)[^?]*/, (_, before: string) => before + database);
  await psql(at('template1'), `create database ${name} template template0 ${options}`);
  return at(name);
}

function refused(exitCode: number | null, said: string): CameBack {
  return { exitCode: exitCode ?? -1, said, observed: null, leftOut: [] };
}
