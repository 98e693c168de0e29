import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { compareObservations, describeFinding, type Finding, unnamed } from '../harness/by-other-means/compare.ts';
import { type Observation, observe } from '../harness/by-other-means/observe.ts';
import { psql, startThrowAwayCluster, type ThrowAwayCluster } from '../harness/postgres.ts';

const SOURCE = `
  create extension hstore;
  create table orders (id bigserial primary key, name text default 'x', at timestamptz, a int, b int check (a between 1 and 5 and b > 0));
  insert into orders (name, at, a, b) select 'order ' || i, now(), 1, i from generate_series(1, 50) i;
  create table parts (k text, v int) partition by hash (k);
  create table parts0 partition of parts for values with (modulus 1, remainder 0);
  insert into parts values ('a', 1), ('b', 2);
  create view shown as select id from orders where (a between 1 and 5) and b > 0;
  create function act() returns int language sql as 'select 1';
  create role reader; grant select on orders to reader;
  create index by_name on orders (name);
  create table child (b int, a int); comment on table child is 'a child';
  create table refers (id bigint references orders);
  select lo_from_bytea(4711, 'letter');
  alter default privileges grant select on tables to reader;
  alter database place set timezone to 'Asia/Tokyo'; comment on database place is 'words';
`;

/** One change each, and the aspect in which it has to be found. */
const DAMAGES: readonly (readonly [sql: string, aspect: string, name: string])[] = [
  [`delete from orders where id = 7`, 'rows', 'public.orders'],
  [`update orders set name = 'order 8' where id = 9`, 'rows', 'public.orders'],
  [`truncate parts`, 'rows', 'public.parts'],
  [`select nextval('orders_id_seq')`, 'sequence', 'public.orders_id_seq'],
  [`drop view shown`, 'definition', 'VIEW public.shown'],
  [`create or replace view shown as select id from orders where (a between 1 and 5) and b > 1`, 'definition', 'VIEW public.shown'],
  [`alter table orders alter name drop default`, 'definition', 'TABLE public.orders'],
  [`alter table orders drop constraint orders_check`, 'definition', 'TABLE public.orders'],
  [`create or replace function act() returns int language sql as 'select 2'`, 'definition', 'FUNCTION public.act()'],
  [`drop table child; create table child (a int, b int); comment on table child is 'a child'`, 'order of columns', 'public.child'],
  [`comment on table child is 'another child'`, 'comment', 'table public.child'],
  [`revoke select on orders from reader`, 'right', 'public.orders: SELECT to reader by elsewhere'],
  [`grant execute on function act() to reader`, 'right', 'public.act(): EXECUTE to reader by elsewhere'],
  [`alter table child owner to reader`, 'owner', 'public.child'],
  [`revoke connect on database $db from public`, 'right on the database', 'the database: CONNECT to public by elsewhere'],
  [`alter database $db reset timezone`, 'setting of the database', 'TimeZone'],
  [`alter database $db connection limit 7`, 'database', 'connection limit'],
  [`comment on database $db is null`, 'database', 'comment'],
  [`select lo_put(4711, 0, 'LETTER')`, 'large object', '4711'],
  [
    `alter default privileges revoke select on tables from reader`,
    'default right',
    'default of elsewhere for r: SELECT to reader by elsewhere',
  ],
  [`alter table refers disable trigger all`, 'trigger', 'public.refers refers_id_fkey "RI_FKey_check_ins" 5'],
  [`update pg_index set indisvalid = false where indexrelid = 'by_name'::regclass`, 'index', 'public.by_name'],
  [`alter extension hstore add table child`, 'member of an extension', 'table public.child'],
];

let cluster: ThrowAwayCluster;
let source: Observation;
const place = (database: string) => ({ uri: cluster.uri(database) });

beforeAll(async () => {
  cluster = await startThrowAwayCluster();
  await psql(cluster.uri('postgres'), 'create database place');
  await psql(cluster.uri('place'), SOURCE);
  source = await observe(place('place'));
});
afterAll(async () => {
  source?.kept.remove();
  await cluster?.[Symbol.asyncDispose]();
});

/** A copy of the source with a change in it, and what is found then. */
async function find(database: string, sql: string): Promise<Finding[]> {
  await psql(
    cluster.uri('postgres'),
    `create database ${database} template place; alter database ${database} set timezone to 'Asia/Tokyo'; comment on database ${database} is 'words';`,
  );
  await psql(cluster.uri(database), sql.replaceAll('$db', database));
  const copy = await observe(place(database));
  copy.kept.remove();
  await psql(cluster.uri('postgres'), `drop database ${database}`);
  return compareObservations(source, copy);
}

it('shares nothing with the product that it checks', () => {
  const folder = join(import.meta.dirname, '../harness/by-other-means');
  const imports = readdirSync(folder).flatMap((name) => readFileSync(join(folder, name), 'utf8').match(/from '.*'/g) ?? []);
  expect(imports.filter((from) => /packages|@flux/.test(from))).toEqual([]);
});

it('finds nothing where nothing is different', async () => {
  expect(await find('same', '')).toEqual([]);
});

it('finds nothing in what Postgres itself only words differently when it reads its own dump', async () => {
  expect(await find('worded', 'create or replace view shown as select id from orders where a between 1 and 5 and b > 0')).toEqual([]);
});

it.each([0, 1])('finds each planted difference of half %i, in the place where it is', async (half) => {
  // Neighbours change the same thing, so that one would hide the other.
  const damages = DAMAGES.filter((_, index) => index % 2 === half);
  const found = await find(`damaged_${half}`, damages.map(([sql]) => `${sql};\n`).join(''));
  const missed = damages.filter(([, aspect, name]) => !found.some((finding) => finding.aspect === aspect && finding.name === name));
  expect(missed, found.map(describeFinding).join('\n')).toEqual([]);
});

it('counts a finding as named when its object is, and not otherwise', async () => {
  const found = await find('named', 'delete from orders; alter database $db connection limit 7');
  expect(unnamed(found, []).map(({ name }) => name)).toEqual(found.map(({ name }) => name));
  expect(unnamed(found, ['rows of public.orders are missing']).map(({ name }) => name)).toEqual(['connection limit']);
  expect(unnamed(found, ['rows of public.orders are missing', 'the connection limit (7) does not come back'])).toEqual([]);
});
