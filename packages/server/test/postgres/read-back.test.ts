import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { changedDefinitions } from '../../src/postgres/manifest/changed-definitions.ts';
import { compareManifests } from '../../src/postgres/manifest/compare.ts';
import { measureRestored } from '../../src/postgres/manifest/measure.ts';
import type { Manifest } from '../../src/postgres/manifest.ts';
import { compareChangedCopy } from './changed-copy.ts';
import { startCluster, type TestCluster } from './cluster.ts';
import { judgeIn, type RoundTrip, roundTrip } from './round-trip.ts';

/** Everyday conditions that Postgres words in nested brackets, and flattens when it reads its own words once more. */
const BETWEEN = (column: string) => `${column} between 1 and 5 and state <> ''`;
const SOURCE = `
  create type mood as enum ('calm', 'cross');
  create domain shown_mood as mood default 'calm';
  create function next_tag() returns text language sql volatile as $$ select 'T1' $$;
  create domain tag as text default next_tag() check (value between 'A' and 'Z' and value <> 'Q');
  create domain listed as varchar(5) check (value between 'a' and 'm' and value in ('a', 'b'));
  create table reviews (id int primary key, stars int, state text, lo int, v varchar(9), felt shown_mood, label tag, "Odd.name" int,
    sane boolean generated always as (${BETWEEN('stars')}) stored, fresh boolean default (3 between 1 and 5 and random() < 2),
    constraint sane check (${BETWEEN('stars')}), constraint "Odd.check" check (${BETWEEN('"Odd.name"')}) no inherit,
    constraint apart exclude using btree (id with =) where (${BETWEEN('lo')}));
  insert into reviews (id, stars, state) select g, 1 + g % 5, 'shown' from generate_series(1, 100) g;
  create index shown on reviews (stars) where ${BETWEEN('stars')};
  create index "Odd index" on reviews ((${BETWEEN('stars')}), "Odd.name");
  create function judge(r reviews) returns boolean language sql immutable as 'select true';
  alter table reviews add constraint by_row check (${BETWEEN('stars')} and judge(reviews.*));
  create index by_row on reviews (id) where ${BETWEEN('stars')} and judge(reviews.*);
  alter table reviews enable row level security;
  create policy "See it" on reviews using (${BETWEEN('stars')}) with check (${BETWEEN('lo')});
  create view spring as select id from reviews where ${BETWEEN('stars')};
  create view levels as select r.id, l.label from reviews r join (select 1 as level, 'high' as label union all select -1, 'low') l on l.level = r.stars;
  create view "Owned ones" as select id from reviews r where exists (select 'x' from reviews k where k.state = r.state);
  create view nested as with a as (select 1 as n, (select 'lit') as l) select n, l, (select 'x' from reviews limit 1) as one from a;
  create materialized view kept as select id, stars, state from reviews where exists (select 'x' where ${BETWEEN('stars')});
  create index kept_shown on kept (id) where ${BETWEEN('stars')};
  create view writable as select id, stars, state from reviews;
  create function put() returns trigger language plpgsql as 'begin return new; end';
  create trigger put instead of insert on writable for each row execute function put();
  create trigger noticed before update on reviews for each row when (new.stars between 1 and 5 and new.state <> old.state) execute function put();
  create rule no_delete as on delete to reviews where old.stars between 1 and 5 and old.state <> '' do instead nothing;
  create statistics known on stars, (v in ('a', 'b')) from reviews;
  create function shown_ones(n int) returns setof int begin atomic select id from reviews where ${BETWEEN('stars')} and exists (select 'x'); end;
  create procedure clear(n boolean default (1 between 0 and 2 and current_user <> '')) language sql as 'delete from reviews where false';
  create table log (day date, stars int, state text) partition by list ((${BETWEEN('stars')}));
  create table log_yes partition of log for values in (true);
  create index log_shown on log (day) where ${BETWEEN('stars')};
  create trigger log_noticed before update on log for each row when (new.stars between 1 and 5 and new.state <> old.state) execute function put();
  insert into log values ('2026-01-01', 3, 'x');
  create schema "Odd.schema ""1""";
  create table "Odd.schema ""1"""."T.x" ("a.b" int, state text, constraint "c.d" check (${BETWEEN('"a.b"')}) not valid);
  create table "Odd.schema ""1"""."Child" (more int default (case when 2 between 1 and 3 and true then 1 end)) inherits ("Odd.schema ""1"""."T.x");
  create index "i.x" on "Odd.schema ""1"""."T.x" ("a.b") where ${BETWEEN('"a.b"')};
  create policy "p.q" on "Odd.schema ""1"""."T.x" using (exists (select 'x' from reviews where ${BETWEEN('stars')}));
  create extension file_fdw; create server files foreign data wrapper file_fdw;
  create foreign table far (id int, state text, constraint far_check check (${BETWEEN('id')})) server files options (filename '/dev/null');
  create domain inner_one as int check (value between 1 and 9 and value <> 5);
  create domain outer_one as inner_one default 3 check (value between 2 and 8 and value <> 6);
  create rule through as on insert to spring where new.id between 1 and 5 and new.id <> 3 do instead select 'x', (select 'lit') from reviews;
  alter view levels alter label set default (case when 2 between 1 and 3 and true then 'x' end);
  create publication told for table reviews where (id between 1 and 5 and id <> 3);
  create function stop() returns event_trigger language plpgsql as $$ begin raise exception 'no DDL here'; end $$;`;
/** Made last: it refuses every change of a definition, whoever makes it, and in whatever mode. */
const EVENT_TRIGGER = 'create event trigger et on ddl_command_end execute function stop(); alter event trigger et enable always;';

let cluster: TestCluster;
let trip: RoundTrip;

beforeAll(async () => {
  cluster = await startCluster({ wal_level: 'logical' });
  const source = await cluster.createDatabase('source');
  await cluster.run('source', SOURCE);
  trip = await roundTrip({ from: cluster, to: cluster, source, restored: 'restored' });
  await cluster.run('source', EVENT_TRIGGER);
});

afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
});

/** What a comparison says when the restored database was changed by this SQL. */
async function compareChanged(sql: string, manifest: Manifest = trip.manifest) {
  const differences = await compareChangedCopy(cluster, { path: trip.path, manifest }, 'restored', sql);
  return differences.filter(({ judgement }) => judgement === 'failure').map(({ kind, name }) => `${kind} ${name}`);
}

describe('definitions that Postgres words differently after a restore', () => {
  it('are the same when Postgres reads both the same', () => {
    expect(trip.comparison.differences.map(({ name, judgement }) => [name, judgement])).toEqual([
      ['public.far', 'not_compared'],
      // Its index runs a function, so that its generated column is not read.
      ['public.reviews', 'not_compared'],
    ]);
    // All of these were really told differently, so that it was Postgres who decided.
    expect(trip.changed.map(({ kind, name }) => `${kind} ${name}`).sort()).toEqual([
      'column "Odd.schema ""1"""."Child".more',
      'column public.levels.label',
      'column public.reviews.fresh',
      'column public.reviews.sane',
      'constraint "Odd.schema ""1"""."Child"."c.d"',
      'constraint "Odd.schema ""1"""."T.x"."c.d"',
      'constraint public.far.far_check',
      'constraint public.reviews."Odd.check"',
      'constraint public.reviews.apart',
      'constraint public.reviews.by_row',
      'constraint public.reviews.sane',
      'domain public.inner_one',
      'domain public.listed',
      'domain public.outer_one',
      'domain public.tag',
      'function public.shown_ones(n integer)',
      'index "Odd.schema ""1"""."i.x"',
      'index public."Odd index"',
      'index public.apart',
      'index public.by_row',
      'index public.kept_shown',
      'index public.log_shown',
      'index public.log_yes_day_idx',
      'index public.shown',
      'materialized_view public.kept',
      'policy "Odd.schema ""1"""."T.x"."p.q"',
      'policy public.reviews."See it"',
      'procedure public.clear(IN n boolean)',
      'publication told',
      'rule public.reviews.no_delete',
      'rule public.spring.through',
      'statistics public.known',
      'table public.log',
      'trigger public.log.log_noticed',
      'trigger public.log_yes.log_noticed',
      'trigger public.reviews.noticed',
      'view public."Owned ones"',
      'view public.levels',
      'view public.nested',
      'view public.spring',
    ]);
  });

  it('are the same also where an event trigger refuses every change of a definition', async () => {
    expect(await compareChanged(EVENT_TRIGGER, await withEventTrigger())).toEqual([]);
  });

  it('are not the same when anything but the words differs', async () => {
    const changes: readonly (readonly [object: string, sql: string])[] = [
      ['column public.reviews.fresh', 'alter table reviews alter fresh set default (3 between 1 and 4 and random() < 2)'],
      [
        'constraint public.reviews."Odd.check"',
        `alter table reviews drop constraint "Odd.check", add constraint "Odd.check" check ("Odd.name" between 1 and 5 or state <> '') no inherit`,
      ],
      [
        'constraint public.reviews.sane',
        `alter table reviews drop constraint sane, add constraint sane check (stars between 1 and 6 and state <> '')`,
      ],
      ['domain public.listed', `alter domain listed set default 'a'`],
      ['domain public.shown_mood', `alter domain shown_mood set default 'cross'`],
      ['domain public.tag', 'alter domain tag drop default'],
      ['function public.put()', `create or replace function put() returns trigger language plpgsql as 'begin return null; end'`],
      [
        'index public."Odd index"',
        `drop index "Odd index"; create unique index "Odd index" on reviews ((stars between 1 and 5 and state <> ''), id)`,
      ],
      ['index public.shown', `drop index shown; create index shown on reviews (stars) where stars between 1 and 5 and state <> 'x'`],
      ['policy public.reviews."See it"', 'alter policy "See it" on reviews with check (true)'],
      ['publication told', 'alter publication told set table reviews where (id between 1 and 6 and id <> 3)'],
      ['statistics public.known', `drop statistics known; create statistics known on lo, (v in ('a', 'b')) from reviews`],
      ['trigger public.reviews.noticed', 'alter table reviews disable trigger noticed'],
      [
        'view public.levels',
        `create or replace view levels as select r.id, l.label from reviews r
           join (select 1 as level, 'high' as label union all select -1, 'LOW') l on l.level = r.stars`,
      ],
      ['view public.spring', `create or replace view spring as select id from reviews where stars between 2 and 5 and state <> ''`],
    ];
    expect((await compareChanged(changes.map(([, sql]) => sql).join(';\n'))).sort()).toEqual(changes.map(([object]) => object));

    const others: readonly (readonly [object: string, sql: string])[] = [
      ['policy public.reviews."See it"', 'alter policy "See it" on reviews to current_user'],
      ['publication told', 'alter publication told set table reviews'],
      ['rule public.reviews.no_delete', `alter table reviews disable rule no_delete`],
    ];
    expect((await compareChanged(others.map(([, sql]) => sql).join(';\n'))).sort()).toEqual(others.map(([object]) => object));
  });
});

async function withEventTrigger(): Promise<Manifest> {
  const found = await measureRestored({ target: cluster.superuser('source'), manifest: trip.manifest, server: 'disposable', parallel: 1 });
  return { ...trip.manifest, objects: found.objects };
}

describe('what Postgres keeps in a column for itself', () => {
  const withOptions = (options: string[]): Manifest => ({
    ...trip.manifest,
    objects: trip.manifest.objects.map((object) =>
      object.name === 'public.reviews.stars'
        ? { ...object, definition: JSON.stringify({ ...JSON.parse(object.definition), options }) }
        : object,
    ),
  });

  it('is not compared, and what a user has set is', async () => {
    expect(await compareChanged('select 1', withOptions(['pg_attver=28883320']))).toEqual([]);
    expect(await compareChanged('select 1', withOptions(['n_distinct=5', 'pg_attver=28883320']))).toEqual(['column public.reviews.stars']);
    const set = 'alter table reviews alter stars set (n_distinct = 5)';
    expect(await compareChanged(set, withOptions(['n_distinct=5', 'pg_attver=28883320']))).toEqual([]);
    expect(await compareChanged(set)).toEqual(['column public.reviews.stars']);
  });
});

it('a column without a default is equal to one whose default is null, and to no other', async () => {
  const source = await cluster.createDatabase('children');
  await cluster.run(
    'children',
    `create table animal (id int not null, name varchar(20) default 'nobody', weight numeric(5,2) default 7); create domain short as varchar(3);
     create table dog (tricks int) inherits (animal); alter table dog alter name drop default, alter weight drop default;
     create table called (nick short default 'x'); create table pup () inherits (called); alter table pup alter nick drop default`,
  );
  const { path, manifest, changed, comparison } = await roundTrip({ from: cluster, to: cluster, source, restored: 'children_back' });
  expect(changed.map(({ name }) => name)).toContain('public.dog.name');
  expect(comparison.differences).toEqual([]);
  const target = cluster.superuser('children_back');
  await cluster.run('children_back', `alter table dog alter name set default 'Rex'`);
  const found = await measureRestored({ target, manifest, parallel: 1, server: 'disposable' });
  const judged = await judgeIn(cluster, target, { path, manifest }, changedDefinitions(manifest, found));
  expect(compareManifests(manifest, found, judged).differences.map(({ name }) => name)).toEqual(['public.dog.name']);
});

describe('a table that belongs to an extension', () => {
  it('and is in no archive is lost, with its rows', async () => {
    const name = 'members';
    const source = await cluster.createDatabase(name);
    await cluster.run(
      name,
      `create extension hstore; create table outbox as select generate_series(1, 500) id; create table "Empty" ();
       create materialized view sums as select 1; alter extension hstore add table outbox; alter extension hstore add table "Empty";
       alter extension hstore add materialized view sums`,
    );
    const { comparison } = await roundTrip({ from: cluster, to: cluster, source, restored: 'members_back' });
    const lost = (table: string, rows: string, dropped: string, judgement = 'failure') => [
      judgement,
      'rows',
      table,
      'missing',
      `${rows}; the table belongs to the extension hstore, so that pg_dump leaves it out; ALTER EXTENSION "hstore" DROP ${dropped} ${table} in the source makes it dumped`,
    ];
    expect(comparison.differences.map(({ judgement, kind, name, change, expected }) => [judgement, kind, name, change, expected])).toEqual([
      lost('public.outbox', '500 rows', 'TABLE'),
      lost('public.sums', '1 rows', 'MATERIALIZED VIEW'),
      lost('public."Empty"', '0 rows', 'TABLE', 'left_out'),
    ]);
  });

  it('is named when it is something without rows, or was changed, or is a row or value that the extension does not have dumped', async () => {
    const name = 'changed_members';
    const source = await cluster.createDatabase(name);
    await cluster.run(
      name,
      `create extension hstore; create extension "uuid-ossp"; create function rate() returns int language sql as 'select 19';
       create view prices as select 1 as cents; create type unit as enum ('m'); create sequence s; select setval('s', 7);
       alter extension hstore add function rate(); alter extension hstore add view prices; alter extension hstore add type unit;
       alter extension hstore add sequence s; comment on function uuid_nil() is 'changed';
       create or replace function hstore_to_json(hstore) returns json language sql immutable strict as $$ select null::json $$`,
    );
    const { comparison } = await roundTrip({ from: cluster, to: cluster, source, restored: 'changed_members_back' });
    expect(comparison.differences.map(({ judgement, kind, name, change }) => [judgement, kind, name, change]).sort()).toEqual([
      ['left_out', 'extension_member', 'function public.hstore_to_json(public.hstore)', 'changed'],
      ['left_out', 'extension_member', 'function public.rate()', 'missing'],
      ['left_out', 'extension_member', 'function public.uuid_nil()', 'changed'],
      ['left_out', 'extension_member', 'sequence public.s', 'missing'],
      ['left_out', 'extension_member', 'type public.unit', 'missing'],
      ['left_out', 'extension_member', 'view public.prices', 'missing'],
      ['left_out', 'sequence_value', 'public.s', 'missing'],
    ]);
  });

  it('and is made anew by the extension is told when its rows differ', async () => {
    const source = await cluster.createDatabase('remade');
    await cluster.run('remade', 'create table words (word text); insert into words values (1), (2)');
    const { manifest } = await roundTrip({ from: cluster, to: cluster, source, restored: 'remade_back' });
    const ofExtension = {
      ...manifest,
      tables: manifest.tables.map((table) => ({
        ...table,
        comparison: 'not_dumped' as const,
        extension: 'words',
        reason: 'of an extension',
      })),
    };
    const target = cluster.superuser('remade_back');
    const compare = async () =>
      compareManifests(ofExtension, await measureRestored({ target, manifest, server: 'disposable', parallel: 1 })).differences;
    expect(await compare()).toEqual([]);
    await cluster.run('remade_back', 'delete from words where word = $$1$$');
    expect(await compare()).toMatchObject([
      { judgement: 'left_out', kind: 'rows', name: 'public.words', change: 'changed', expected: expect.stringContaining('2 rows') },
    ]);
  });
});
