import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Flux, startFlux } from './harness/flux.ts';
import { psql, startThrowAwayCluster, type ThrowAwayCluster } from './harness/postgres.ts';

/**
 * What an attached database has and only a superuser can create: it comes back into a project, whose owner is not one. Everything that the
 * owner wrote raises an error when a superuser runs it.
 */

let flux: Flux;
let elsewhere: ThrowAwayCluster;
beforeAll(async () => {
  [flux, elsewhere] = await Promise.all([startFlux(), startThrowAwayCluster()]);
});
afterAll(async () => {
  await elsewhere?.[Symbol.asyncDispose]();
  await flux?.[Symbol.asyncDispose]();
});

interface Copy {
  /** URI of the copy's owner. */
  readonly uri: string;
  readonly notes: readonly string[];
  readonly flags: readonly string[];
}

/** Attaches a database with this content, proves a backup of it and restores it into a project. */
async function copyOf(name: string, sql: string): Promise<Copy> {
  await psql(elsewhere.uri('postgres'), `create database ${name}`);
  await psql(elsewhere.uri(name), sql);
  const attached = await flux.fluxWith({ env: { FLUX_ATTACH_URI: elsewhere.uri(name) } }, 'create', name, '--attach', '--json');
  expect(attached.stderr).not.toContain('Error');
  const { hash } = hashOf(await flux.flux('list', '--json'), name);
  const source = ['--project', name, '--hash', hash];
  const verified = await flux.flux('backup', 'create', ...source, '--verify');
  expect(verified.stderr + verified.stdout).toContain('✓ Restorable');
  const restored = await flux.flux('backup', 'restore', ...source, '--latest', '--into', `${name}-copy`, '--json');
  expect(restored.stderr + (restored.exitCode === 0 ? '' : restored.stdout)).toBe('');
  const answer = JSON.parse(restored.stdout) as { notes: string[]; project: { hash: string } };
  const flags = ['--project', `${name}-copy`, '--hash', answer.project.hash];
  const credentials = await flux.flux('project', 'credentials', `${name}-copy`, '--hash', answer.project.hash, '--field', 'postgres.url');
  return { uri: credentials.stdout.trim(), notes: answer.notes, flags };
}

function hashOf(listed: { readonly stdout: string }, slug: string): { hash: string } {
  const found = (JSON.parse(listed.stdout) as { slug: string; hash: string }[]).find((project) => project.slug === slug);
  if (found === undefined) throw new Error(`${slug} is not listed`);
  return found;
}

/** A function of the owner that no superuser may run. */
const NOT_AS_SUPERUSER = `if (select rolsuper from pg_catalog.pg_roles where rolname = current_user) and pg_catalog.current_setting('application_name') <> 'psql'
  then raise exception 'a superuser ran this'; end if;`;

describe('into a project comes', () => {
  it('what fires at commands, what is published, and the comments on them', async () => {
    const { uri, notes, flags } = await copyOf(
      'wide',
      `create schema s; create table a (id int primary key, x int); create table s.c (id int primary key); insert into a values (1, 2);
       create function reload() returns event_trigger language plpgsql as $$ begin ${NOT_AS_SUPERUSER} notify pgrst; end $$;
       create function no_drop() returns event_trigger language plpgsql as $$ begin
         if current_setting('app.may_drop', true) is distinct from 'yes' then raise exception 'nothing is dropped here'; end if; end $$;
       create publication "all of it" for all tables with (publish = 'insert, delete'); create publication p_schema for tables in schema s;
       create publication p_some for table a (id) where (id > 1);
       comment on publication "all of it" is 'everything''s';
       create subscription sleeping connection 'host=127.0.0.1 port=1 dbname=none password=not-for-eyes' publication p
         with (connect = false, slot_name = none, enabled = false);
       create event trigger watch on ddl_command_end when tag in ('CREATE TABLE', 'CREATE INDEX') execute function reload();
       create event trigger "no Drop" on sql_drop execute function no_drop(); alter event trigger "no Drop" enable always;
       create event trigger off on ddl_command_start execute function reload(); alter event trigger off disable;
       comment on event trigger watch is 'tells an API';`,
    );
    const questions = `select evtname, evtevent, evtenabled, (select array_agg(x order by x) from unnest(evttags) x), evtfoid::regproc from pg_event_trigger order by 1;
      select pubname, puballtables, pubinsert, pubupdate, pubdelete from pg_publication order by 1;
      select pubname, schemaname, tablename, attnames, rowfilter from pg_publication_tables order by 1, 2, 3;
      select description from pg_description where classoid in ('pg_event_trigger'::regclass, 'pg_publication'::regclass) order by 1`;
    expect(await psql(uri, questions)).toBe(await psql(elsewhere.uri('wide'), questions));
    await expect(psql(uri, 'begin; create table later (id int); drop table later')).rejects.toThrow('nothing is dropped here');
    expect(notes.join()).not.toContain('not-for-eyes');
    // The administrator works in such a database, and none of it fires.
    const verified = await flux.flux('backup', 'create', ...flags, '--verify');
    expect(verified.stderr + verified.stdout).toContain('✓ Restorable');
    const again = await flux.flux('backup', 'restore', ...flags, '--latest', '--in-place', '--yes');
    expect(again.stderr).not.toContain('Error');
    expect(again.exitCode).toBe(0);
    expect(await psql(uri, questions)).toBe(await psql(elsewhere.uri('wide'), questions));
  });

  it('who may do what, also by grants that somebody else handed on, whatever the names', async () => {
    const { uri, notes } = await copyOf(
      'handed',
      `create role h_owner; create role h_mid; create role h_end; create role "Größe; 'x'"; create role "a""b, c: d"; create role "to PUBLIC";
       alter schema public owner to h_owner; grant usage on schema public to h_mid, h_end;
       set role h_owner;
       create table ledger (id int primary key, amount numeric(10,2)); insert into ledger values (1, 10.50), (2, -3.25);
       create table "x to y" (id int); grant select on "x to y" to "to PUBLIC";
       create function f(a int, variadic b text[]) returns int language sql return 1; revoke execute on function f(int, text[]) from public;
       grant execute on function f(int, text[]) to h_mid with grant option; grant select, update (amount) on ledger to h_mid with grant option;
       set role h_mid; grant select, update (amount) on ledger to h_end; grant execute on function f(int, text[]) to h_end, "a""b, c: d"; reset role;
       alter default privileges for role "Größe; 'x'" grant select on tables to "a""b, c: d" with grant option;
       alter default privileges for role "Größe; 'x'" in schema public grant all on sequences to h_mid;
       alter default privileges for role h_mid revoke execute on functions from public;
       alter default privileges for role pg_signal_backend revoke usage on types from pg_signal_backend;`,
    );
    const who = (
      role: string,
    ) => `select '${role}', has_table_privilege('${role}', 'ledger', 'select'), has_column_privilege('${role}', 'ledger', 'amount', 'update'),
      has_function_privilege('${role}', 'f(int, text[])', 'execute'), has_table_privilege('${role}', '"x to y"', 'select');`;
    const questions = `${['h_mid', 'h_end', 'a"b, c: d', 'to PUBLIC', 'public'].map(who).join('')}
      select defaclrole::regrole, defaclnamespace::regnamespace, defaclobjtype, defaclacl::text from pg_default_acl order by defaclrole::regrole::text, 2, 3;
      select * from ledger order by 1`;
    expect(await psql(uri, questions)).toBe(await psql(elsewhere.uri('handed'), questions));
    expect(notes.join()).not.toContain('Not restored');
    expect(await psql(uri, `select rolname from pg_roles where rolcanlogin and rolname ~ '^h_|x'`)).not.toContain('h_');
  });

  it('what extensions bring along, and the servers and mappings of their wrappers', async () => {
    const { uri, notes } = await copyOf(
      'brought',
      `create extension cube; create extension earthdistance; comment on extension earthdistance is 'how far';
       create extension postgres_fdw; create foreign data wrapper plain options (a 'b; c'); comment on foreign data wrapper plain is 'none';
       create role far_user; create server far foreign data wrapper postgres_fdw options (host '127.0.0.1', port '1');
       create server near foreign data wrapper plain; grant usage on foreign server far to far_user;
       grant usage on foreign data wrapper postgres_fdw to far_user;
       create user mapping for far_user server far options (user 'a', password 'not-for-eyes');
       create foreign table remote (id int) server far;
       create table places (at earth); insert into places values (ll_to_earth(48, 16));
       create index on places using gist (at);`,
    );
    const questions = `select extname from pg_extension order by 1; select srvname, srvoptions from pg_foreign_server order by 1;
      select fdwname, fdwoptions, obj_description(oid) from pg_foreign_data_wrapper order by 1; select srvname, usename from pg_user_mappings;
      select has_foreign_data_wrapper_privilege('far_user', 'postgres_fdw', 'usage'), has_server_privilege('far_user', 'far', 'usage');
      select obj_description(oid) from pg_extension where extname = 'earthdistance'; select * from places`;
    expect(await psql(uri, questions)).toBe(await psql(elsewhere.uri('brought'), questions));
    expect(notes.join()).not.toContain('Not restored');
  });

  it('everything but what no owner may have, which is named', async () => {
    const { uri, notes } = await copyOf(
      'rest',
      `create table t (id int primary key); insert into t select generate_series(1, 100);
       create function native(int) returns int language c as '$libdir/pg_trgm', 'show_limit'; comment on function native(int) is 'in C';
       do $$ begin for i in 1..25 loop execute format('create function native%s(int) returns int language c as ''$libdir/pg_trgm'', ''show_limit''', i); end loop; end $$;
       create function quiet(int) returns boolean leakproof language sql return $1 > 0;
       create extension file_fdw; create server files foreign data wrapper file_fdw;
       create foreign table passwords (line text) server files options (filename '/etc/passwd');
       grant execute on function pg_read_file(text) to public;`,
    );
    expect(notes.join('\n')).toMatch(/^Not restored, since the owner of a project may not have it: .*foreign table public\.passwords/m);
    for (const named of [
      'function public.native(integer)',
      'function public.native25(integer)',
      'function public.quiet(integer)',
      'pg_read_file',
    ])
      expect(notes.join()).toContain(named);
    expect(await psql(uri, 'select count(*) from t')).toBe('100\n');
    await expect(psql(uri, `select pg_read_file('/etc/passwd')`)).rejects.toThrow('permission denied');
  });
});
