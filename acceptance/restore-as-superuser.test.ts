import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backUp } from './harness/backups.ts';
import { type Flux, startFlux, type TestProject } from './harness/flux.ts';
import { psql, startThrowAwayCluster, type ThrowAwayCluster } from './harness/postgres.ts';
import { until } from './harness/process.ts';
import { superuserUri } from './harness/superuser.ts';

/** What nobody but a superuser may create, and Flux does not render: it comes back only when pg_restore runs as one, which an admin asks for. */

const KINDS = `
  create type shout;
  create function shout_in(cstring) returns shout language internal immutable strict as 'textin';
  create function shout_out(shout) returns cstring language internal immutable strict as 'textout';
  create type shout (input = shout_in, output = shout_out, like = text, collatable = true);
  create function shout_lt(shout, shout) returns boolean language internal immutable strict leakproof as 'text_lt';
  create function shout_le(shout, shout) returns boolean language internal immutable strict as 'text_le';
  create function shout_eq(shout, shout) returns boolean language internal immutable strict as 'texteq';
  create function shout_ge(shout, shout) returns boolean language internal immutable strict as 'text_ge';
  create function shout_gt(shout, shout) returns boolean language internal immutable strict as 'text_gt';
  create function shout_cmp(shout, shout) returns int language internal immutable strict as 'bttextcmp';
  create operator < (leftarg = shout, rightarg = shout, function = shout_lt, commutator = >, negator = >=);
  create operator <= (leftarg = shout, rightarg = shout, function = shout_le, commutator = >=, negator = >);
  create operator = (leftarg = shout, rightarg = shout, function = shout_eq, commutator = =, negator = <>, merges);
  create function shout_ne(shout, shout) returns boolean language internal immutable strict as 'textne';
  create operator <> (leftarg = shout, rightarg = shout, function = shout_ne, commutator = <>, negator = =);
  create operator >= (leftarg = shout, rightarg = shout, function = shout_ge, commutator = <=, negator = <);
  create operator > (leftarg = shout, rightarg = shout, function = shout_gt, commutator = <, negator = <=);
  create operator class shout_ops default for type shout using btree as
    operator 1 <, operator 2 <=, operator 3 =, operator 4 >=, operator 5 >, function 1 shout_cmp(shout, shout);
  create cast (shout as text) without function;
  create cast (text as shout) without function as assignment;
  create access method again type table handler heap_tableam_handler;
  create function plain_call() returns language_handler language c as '$libdir/plpgsql', 'plpgsql_call_handler';
  create language plain handler plain_call;
  create function twice(int) returns int language plain as 'begin return $1 * 2; end';
  create conversion latin for 'LATIN1' to 'UTF8' from iso8859_1_to_utf8;
  create text search template plain_template (init = dsimple_init, lexize = dsimple_lexize);
  create text search dictionary plain_words (template = plain_template);
  create table heard (word shout primary key, at int) using again;
  insert into heard select 'word ' || i, i from generate_series(1, 500) i;
  create table other (id int); create publication everything for all tables;
  create function seen() returns event_trigger language plpgsql as 'begin null; end';
  create event trigger watch on ddl_command_end execute function seen();`;

let flux: Flux;
let elsewhere: ThrowAwayCluster;
let kinds: TestProject;
beforeAll(async () => {
  [flux, elsewhere] = await Promise.all([startFlux(), startThrowAwayCluster()]);
  kinds = await attach('kinds', KINDS);
  const verified = await flux.flux('backup', 'create', ...kinds.flags, '--verify');
  if (verified.exitCode !== 0) throw new Error(verified.stdout + verified.stderr);
});
afterAll(async () => {
  await elsewhere?.[Symbol.asyncDispose]();
  await flux?.[Symbol.asyncDispose]();
});

async function attach(slug: string, sql: string): Promise<TestProject> {
  await psql(elsewhere.uri('postgres'), `create database ${slug}`);
  const uri = elsewhere.uri(slug);
  await psql(uri, sql);
  const attached = await flux.fluxWith({ env: { FLUX_ATTACH_URI: uri } }, 'create', slug, '--attach', '--json');
  const { hash } = (JSON.parse(attached.stdout) as { summary: { hash: string } }).summary;
  return { slug, hash, uri, flags: ['--project', slug, '--hash', hash] };
}

const restore = ({ flags }: TestProject, ...more: string[]) => flux.flux('backup', 'restore', ...flags, '--latest', ...more);

describe('what only a superuser may create', () => {
  it('is refused without the option, which is named with what it means', async () => {
    const refused = await restore(kinds, '--into', 'plain-copy');

    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toContain('The backup could not be restored');
    expect(refused.stderr).toMatch(/`flux backup restore --id \S+ --into <name> --as-superuser/);
    expect(refused.stderr).toContain('everything in the archive then runs with all rights of the new server');
    expect(refused.stderr).toContain('only for a database that you trust');
    expect((await flux.flux('list')).stdout).not.toContain('plain-copy');
  });

  it('comes back with it, and the owner is an ordinary role that owns all of it', async () => {
    const restored = await restore(kinds, '--into', 'kinds-copy', '--as-superuser', '--yes', '--json');

    expect(restored.exitCode, restored.stderr).toBe(0);
    expect(restored.stderr).toContain('--as-superuser: everything in the archive runs with all rights of the new server');
    const answer = JSON.parse(restored.stdout) as { notes: string[]; project: { hash: string } };
    expect(answer.notes.join('\n')).toContain('is an ordinary role again');
    expect(answer.notes.join('\n')).not.toContain('Not restored');
    const copy = ['--project', 'kinds-copy', '--hash', answer.project.hash];
    const uri = (await flux.flux('project', 'credentials', ...copy, '--field', 'postgres.url')).stdout.trim();
    const questions = `select count(*), min(word::text), max(word::text) from heard where word > 'word 3'; select twice(4);
      select castcontext, castmethod from pg_cast where castsource = 'shout'::regtype or casttarget = 'shout'::regtype order by 1;
      select opcname, opcdefault from pg_opclass where oid >= 16384; select amname, amhandler from pg_am where oid >= 16384;
      select proname, proleakproof, l.lanname from pg_proc p join pg_language l on l.oid = prolang where pronamespace = 'public'::regnamespace order by 1;
      select conname from pg_conversion where oid >= 16384; select tmplname from pg_ts_template where oid >= 16384;
      select evtname from pg_event_trigger; select pubname, puballtables from pg_publication`;
    expect(await psql(uri, questions)).toBe(await psql(kinds.uri, questions));
    expect(await psql(uri, 'select rolname, rolsuper, rolcreaterole, rolbypassrls from pg_roles where rolname = current_user')).toBe(
      'kinds_copy_owner|f|f|f\n',
    );
    expect(await psql(uri, `select string_agg(rolname, ',') from pg_roles where rolsuper`)).toBe('flux_admin\n');
    const owners = `select distinct pg_get_userbyid(o.owner) from (select typowner as owner, oid from pg_type union all select proowner, oid from pg_proc
      union all select relowner, oid from pg_class union all select opcowner, oid from pg_opclass union all select oprowner, oid from pg_operator
      union all select conowner, oid from pg_conversion union all select lanowner, oid from pg_language union all select dictowner, oid from pg_ts_dict) o
      where o.oid >= 16384 and not exists (select from pg_depend d where d.objid = o.oid and d.deptype = 'e')`;
    expect(await psql(uri, owners)).toBe('kinds_copy_owner\n');
    await psql(
      uri,
      `insert into heard values ('later', 1); alter type shout owner to current_user; drop conversion latin; reindex table heard`,
    );
    await expect(psql(uri, `create function more(int) returns int language internal as 'int4abs'`)).rejects.toThrow('permission denied');
    await expect(psql(uri, `select pg_read_file('/etc/passwd')`)).rejects.toThrow('permission denied');
    expect((await flux.flux('audit', '--json')).stdout.match(/"asSuperuser": ?true/g)?.length).toBe(2);
    const verified = await flux.flux('backup', 'create', ...copy, '--verify');
    expect(verified.stdout + verified.stderr).toContain('✓ Restorable');
  });
});

describe('--as-superuser', () => {
  it('is for a new dedicated project alone', async () => {
    const pooled = await flux.createProject('pooled', 'v2_shared');
    await backUp(flux, pooled);
    const refusals: [TestProject, string[], string][] = [
      [kinds, ['--in-place'], '--as-superuser requires --into'],
      [kinds, ['--table', 'other'], '--as-superuser requires --into'],
      [kinds, ['--to', elsewhere.uri('postgres')], '--as-superuser requires --into'],
      [kinds, ['--into', 'a-copy', '--accept-unproven'], 'not those that were dumped'],
      [pooled, ['--into', 'a-copy'], 'is that of other projects too'],
      [pooled, ['--into', 'a-copy', '--mode', 'v1_dedicated'], 'has nothing that needs a superuser'],
    ];
    for (const [project, options, why] of refusals) {
      const refused = await restore(project, ...options, '--as-superuser', '--yes');
      expect(refused.stderr).toContain(why);
      expect(refused.exitCode).toBe(2);
    }
    const path = `/projects/${kinds.hash}/backups/latest/restore`;
    const unsaid = await flux.flux('backup', 'restore', ...kinds.flags, '--latest', '--into', 'a-copy', '--as-superuser', '--no-input');
    expect(unsaid.stderr).toContain('--confirm kinds');
    for (const [goal, why] of [
      [{ inPlace: true }, 'has open sessions'],
      [{ tables: ['other'] }, 'has open sessions'],
      [{ to: elsewhere.uri('postgres') }, 'the role in the URI decides'],
    ] as const) {
      const body = JSON.stringify({ ...goal, asSuperuser: true });
      const answer = await flux.api(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
      expect(answer.status).toBe(400);
      expect(await answer.text()).toContain(why);
    }
  });

  it('is not for a token of single projects', async () => {
    const made = await flux.flux('token', 'create', 'limited', '--access', 'admin', '--project', kinds.hash, '--json');
    const { token } = JSON.parse(made.stdout) as { token: string };
    const options = ['backup', 'restore', ...kinds.flags, '--latest', '--into', 'a-copy', '--as-superuser', '--yes'];

    const refused = await flux.fluxWith({ env: { FLUX_API_TOKEN: token } }, ...options);

    expect(refused.stderr).toContain('is limited to some projects');
    expect(refused.exitCode).toBe(5);
  });

  it('leaves no superuser behind when the control plane dies in the middle', async () => {
    const nap = `pg_sleep(case current_setting('application_name') when 'pg_restore' then 10 else 0 end)`;
    const slow = await attach('slow', `create materialized view nap as select 1 as one from ${nap}`);
    await backUp(flux, slow);
    const others = new Set(instances());
    const running = restore(slow, '--into', 'slow-copy', '--as-superuser', '--yes');
    const created = () => instances().find((id) => !others.has(id));
    const countSuperusers = async (id: string) =>
      await psql(superuserUri(flux, id, 'postgres'), `select count(*) from pg_roles where rolsuper and rolname <> 'flux_admin'`);
    await until('the owner is a superuser', async () => {
      const id = created();
      // Its socket comes later than its folder.
      return id !== undefined && (await countSuperusers(id).catch(() => '')) === '1\n';
    });

    await flux.kill();
    await flux.start();

    await running;
    await until('the server of the copy is gone', () => created() === undefined);
    expect((await flux.flux('list')).stdout).not.toContain('slow-copy');
  });

  it('is for nobody where the operator does not allow it', async () => {
    await flux.stop();
    await flux.start({ FLUX_RESTORE_AS_SUPERUSER: 'off' });

    const refused = await restore(kinds, '--into', 'a-copy', '--as-superuser', '--yes');

    expect(refused.stderr).toContain('FLUX_RESTORE_AS_SUPERUSER');
    expect(refused.exitCode).toBe(5);
  });
});

function instances(): string[] {
  return readdirSync(join(flux.dataFolder, 'instances'));
}
