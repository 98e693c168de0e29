import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Flux, startFlux, type TestProject } from '../harness/flux.ts';
import { psql } from '../harness/postgres.ts';

/** Files as other people and other tools write them. */
let flux: Flux;
const projects = new Map<string, TestProject>();

beforeAll(async () => {
  flux = await startFlux();
  projects.set('v1_dedicated', await flux.createProject('own', 'v1_dedicated'));
  projects.set('v2_shared', await flux.createProject('pooled', 'v2_shared'));
});
afterAll(() => flux?.[Symbol.asyncDispose]());

describe.each(['v1_dedicated', 'v2_shared'] as const)('a push to %s', (engine) => {
  const project = () => projects.get(engine) as TestProject;
  const put = (files: Readonly<Record<string, string | Buffer>>) => {
    for (const [name, text] of Object.entries(files)) {
      const path = join(flux.folder, engine, name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
    }
  };
  const push = (path: string, ...more: string[]) => flux.flux('push', `./${engine}/${path}`, ...more, ...project().flags);
  const ask = async (sql: string) => (await psql(project().uri, sql)).trim();
  const columns = (table: string) =>
    ask(`select string_agg(attname, ',' order by attnum) from pg_attribute where attrelid = to_regclass('${table}') and attnum > 0`);
  const recorded = async () => {
    const { stdout } = await flux.flux('migrations', 'list', '--json', ...project().flags);
    return (JSON.parse(stdout) as { applied: { version: string; filename: string }[] }).applied;
  };

  it('runs only the way up of files that hold both ways', async () => {
    put({
      'seed.sql': `create table users (id int primary key, name text); insert into users select g, 'n' || g from generate_series(1, 1000) g;`,
      'both/20260101000000_users.sql':
        '-- migrate:up\ncreate table if not exists users (id int primary key, name text);\n\n-- migrate:down\ndrop table if exists users;\n',
      'both/20260102000000_teams.sql':
        '-- +goose Up\n-- +goose StatementBegin\ncreate table teams (id int primary key);\n-- +goose StatementEnd\n\n-- +goose Down\ndrop table teams;\n',
      'both/20260103000000_plans.sql':
        '-- Up Migration\r\ncreate table plans (id int primary key);\r\n\r\n-- Down Migration\r\ndrop table plans;\r\n',
    });
    expect((await push('seed.sql')).exitCode).toBe(0);
    const plan = await push('both', '--plan');
    expect(plan.stdout).toContain('No statement destroys data.');
    expect((await push('both', '--dry-run')).exitCode).toBe(0);
    const pushed = await push('both');
    expect(pushed.stdout).toContain('Done. 3 applied, 0 skipped.');
    expect(pushed.stderr).toContain(
      'Left out: what stands below `-- migrate:down` in 20260101000000_users.sql, and in 2 other files its like; only the way up runs (dbmate).',
    );
    expect(await ask('select count(*) from users')).toBe('1000');
    expect([await columns('teams'), await columns('plans')]).toEqual(['id', 'id']);
    expect((await push('both')).stdout).toContain('Done. 0 applied, 3 skipped.');
  });

  it('refuses what only looks like two ways, before anything runs', async () => {
    put({
      'unknown/001_a.sql': 'create table early (id int);',
      'unknown/002_b.sql': 'create table u (id int);\n-- @DOWN\ndrop table users;\n',
    });
    const pushed = await push('unknown');
    expect(pushed.stderr).toContain('Error: 002_b.sql:2:1: `-- @DOWN` looks like the beginning of a way down');
    expect(pushed.exitCode).toBe(1);
    expect(await columns('early')).toBe('');
  });

  it('runs the folders of other tools in their order, and nothing that undoes', async () => {
    put({
      'pairs/000001_a.up.sql': 'create table a (id int);',
      'pairs/000001_a.down.sql': 'drop table a;',
      'flyway/V1__b.sql': 'create table b (id int);',
      'flyway/U1__undo_b.sql': 'drop table b;',
      'flyway/V1.1__c.sql': 'alter table b add c int;',
      'flyway/V10__d.sql': 'alter table b add d int;',
      'flyway/V2__e.sql': 'alter table b add e int;',
      'undo/001-y.do.sql': 'create table y (id int);',
      'undo/001-y.undo.sql': 'drop table y;',
      'nested/20260101_init/migration.sql': 'create table p (id int);',
      'nested/20260102_more/migration.sql': 'alter table p add x int;',
    });
    const said: string[] = [];
    for (const folder of ['pairs', 'flyway', 'undo', 'nested']) {
      const pushed = await push(folder);
      expect(pushed.exitCode, pushed.stderr).toBe(0);
      said.push(pushed.stderr);
      expect((await push(folder)).stdout).toContain('Done. 0 applied');
    }
    expect([await columns('a'), await columns('b'), await columns('y'), await columns('p')]).toEqual(['id', 'id,c,e,d', 'id', 'id,x']);
    expect(said[0]).toContain('Left out: 000001_a.down.sql (a way down: its name ends with .down.sql).');
    expect(said[1]).toContain('Left out: U1__undo_b.sql (an undo migration of Flyway).');

    expect((await push('nested/20260102_more/migration.sql')).stdout).toContain('already applied');
    expect((await push('flyway/V1.1__c.sql')).stdout).toContain('already applied');
    const down = await push('pairs/000001_a.down.sql');
    expect(down.stderr).toContain('would undo a migration. Nothing was run.');
    expect(down.exitCode).toBe(2);
    const theirs = await flux.api('/push', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        slug: project().slug,
        hash: project().hash,
        sql: 'drop table a;',
        migration: { version: '000001_a.down.sql', filename: '000001_a.down.sql', checksum: '7'.repeat(64) },
      }),
    });
    expect(theirs.status).toBe(400);
    expect(await columns('a')).toBe('id');
  });

  it('keeps apart two repeatable files with one name', async () => {
    put({ 'a/fn.sql': 'select 1', 'b/fn.sql': 'select 2' });
    for (const path of ['a/fn.sql', 'b/fn.sql']) expect((await push(path, '--mode', 'repeatable')).stdout).toContain('1 applied');
    for (const path of ['a/fn.sql', 'b/fn.sql']) expect((await push(path, '--mode', 'repeatable')).stdout).toContain('0 applied');
    expect((await push('a/fn.sql', '--mode', 'repeatable', '--id', 'fn')).stdout).toContain('1 applied');
    const ids = (await recorded()).map(({ version }) => version).filter((version) => version.startsWith('R:'));
    expect(ids).toEqual([`R:${engine}/a/fn.sql`, `R:${engine}/b/fn.sql`, 'R:fn']);
  });

  it('says why an enum value cannot be used at once', async () => {
    put({
      'enum/901.sql': "create type st as enum ('a'); create table e (s st default 'a');",
      'enum/902.sql':
        "alter type st add value 'b'; --> statement-breakpoint\nalter table e alter s set default 'b'; insert into e default values;\n",
    });
    const pushed = await push('enum');
    expect(pushed.exitCode).toBe(1);
    expect(pushed.stderr).toContain('move ALTER TYPE ... ADD VALUE into a file of its own before this one');
    put({
      'enum/902.sql': "alter type st add value 'b';",
      'enum/903.sql': "alter table e alter s set default 'b'; insert into e default values;",
    });
    const dry = await push('enum', '--dry-run');
    expect(dry.stderr).toContain('A push runs each file in a transaction of its own');
    expect((await push('enum')).exitCode).toBe(0);
    expect(await ask('select s from e')).toBe('b');
  });

  it('reads a byte order mark, CRLF and UTF-16, and says how to convert the rest', async () => {
    put({
      '911_bom.sql': '\uFEFFcreate table bom (id int);\r\ninsert into bom values (1);\r\n',
      '912_utf16.sql': Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from("create table u16 (t text default 'é');\r\n", 'utf16le')]),
      '913_latin1.sql': Buffer.from("create table lat (t text); insert into lat values ('\u00e9t\u00e9');", 'latin1'),
    });
    expect((await push('911_bom.sql')).exitCode).toBe(0);
    const wide = await push('912_utf16.sql');
    expect(wide.stderr).toContain('Converted from UTF-16: 912_utf16.sql.');
    expect(await ask('insert into u16 default values returning t')).toContain('é');
    const latin = await push('913_latin1.sql');
    expect(latin.exitCode).toBe(1);
    const hint = /`(iconv [^`]+)`/.exec(latin.stderr)?.[1] ?? '';
    expect((await flux.shell(hint)).exitCode).toBe(0);
    expect((await flux.flux('push', './converted.sql', ...project().flags)).exitCode).toBe(0);
    expect(await ask('select t from lat')).toBe('été');
  });

  it('takes a plain dump without COPY, and says of one with COPY what to do', async () => {
    const schema = await ask('select current_schema()');
    const dump = (body: string) =>
      `--\n-- PostgreSQL database dump\n--\n\n\\restrict aBc123\n\n-- Dumped from database version 17.12\n\nSET statement_timeout = 0;\nSET transaction_timeout = 0;\nSET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;\nSELECT pg_catalog.set_config('search_path', '', false);\nSET row_security = off;\n\nCREATE TABLE ${schema}.dumped (a text);\n\nALTER TABLE ${schema}.dumped OWNER TO somebody_else;\n\n${body}\n\n\\unrestrict aBc123\n\n`;
    put({
      'dump/copy.sql': dump(`COPY ${schema}.dumped (a) FROM stdin;\nx;y\nit's\n\\.\n`),
      'dump/inserts.sql': dump(`INSERT INTO ${schema}.dumped VALUES ('x;y'), ('back\\slash');`),
    });
    const copy = await push('dump/copy.sql');
    expect(copy.stderr).toContain('this is a plain dump of pg_dump, and a push cannot run COPY ... FROM STDIN (line 20)');
    expect(copy.stderr).toMatch(
      /Restore it with psql: `psql "\$\(flux project credentials --field postgres\.url --project \S+ --hash [0-9a-f]{7}\)" -1 -f copy\.sql`/,
    );
    expect(copy.exitCode).toBe(1);
    expect((await push('dump/copy.sql', '--plan')).stderr).toContain('this is a plain dump of pg_dump');
    const inserts = await push('dump/inserts.sql');
    expect(inserts.stderr).toContain('1 ALTER ... OWNER TO of this dump were left out');
    expect(inserts.exitCode).toBe(0);
    expect(await ask('select string_agg(a, $$|$$ order by a) from dumped')).toBe('back\\slash|x;y');
  });

  it('tells why a file that turns standard_conforming_strings off is not run', async () => {
    put({
      'strings.sql':
        "set standard_conforming_strings = off;\ncreate table s (a text);\ninsert into s values ('a\\'b; drop table s; --');\n",
    });
    const pushed = await push('strings.sql');
    expect(pushed.stderr).toContain('strings.sql:1:1: this statement turns standard_conforming_strings off');
    expect(pushed.exitCode).toBe(1);
  });

  it('does for the role postgres what it can, and has a word about other roles', async () => {
    const schema = await ask('select current_schema()');
    put({
      'roles.sql': `create table r (id int);\nalter default privileges for role postgres in schema "${schema}" grant select on tables to postgres, anon;\ngrant all on table r to postgres;\nalter table r owner to postgres;\ncreate table r2 (id int);\n`,
      'stranger.sql': 'grant select on r to authenticator_of_another;',
      'made.sql': 'create role reporting;',
    });
    const pushed = await push('roles.sql');
    expect(pushed.stderr).toContain('there is no role postgres here; what is for it in 3 statements was left out');
    expect(pushed.exitCode).toBe(0);
    expect(await ask("select has_table_privilege('anon', 'r2', 'select')")).toBe('t');
    expect((await push('stranger.sql')).stderr).toContain('CURRENT_USER');
    expect((await push('made.sql')).stderr).toContain('Roles belong to the whole server');
  });

  it('still runs what is unusual and right', async () => {
    put({
      'two.sql': 'begin;\ncreate table tx1 (a int);\ncommit;\nbegin;\ncreate table tx2 (a int);\ncommit;\n',
      'concurrently.sql': '-- migrate:up transaction:false\ncreate table i (id int, t text);\ncreate index concurrently i_t on i (t);\n',
      'quotes.sql': `/* outer /* inner ; ' */ still comment */\ncreate table "naïve 🎈; drop" ("Ünï" text, "a""b" int);\ninsert into "naïve 🎈; drop" values ('it''s; -- no comment', 1), (E'back\\'slash\\\\', 2), (U&'d\\0061t\\+000061', 3), ($x$ $y$ ; $x$, 4), ('a' -- note\n  'b', 5);\nselect $$ \\. $$, '\\copy', E'\\\\x' as "\\gset";\nset search_path to pg_catalog;\nselect 1 as "end";\n`,
      'atomic.sql':
        'create table at (a int);\ncreate function fa() returns void begin atomic insert into at values (1); insert into at values (2); end;\ncreate or replace procedure pa() begin atomic update at set a = case when a = 1 then 2 else 3 end; end;\ninsert into at values (7);\n',
    });
    expect((await push('two.sql')).stderr).toContain('each file runs in one transaction');
    expect((await push('concurrently.sql')).stderr).toContain('CREATE INDEX CONCURRENTLY cannot run in a transaction');
    expect(await columns('tx1')).toBe('');
    for (const name of ['quotes.sql', 'atomic.sql']) expect((await push(name)).exitCode, name).toBe(0);
    expect(await ask('select count(*) from "naïve 🎈; drop"')).toBe('5');
    expect(await ask('select a from at')).toBe('7');
  });
});
