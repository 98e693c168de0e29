import type { Postgres } from './raw.ts';

/** A database that the benchmark creates. */
export interface Shape {
  readonly name: string;
  readonly about: string;
  fill(postgres: Postgres): void;
}

const mixed = (rows: number) => `
  create table events (
    id bigint generated always as identity primary key,
    at timestamptz not null, kind text not null, amount numeric(12,2), ratio float8, flag boolean, payload jsonb, note text);
  insert into events (at, kind, amount, ratio, flag, payload, note)
    select timestamptz '2026-01-01' + n * interval '3 seconds', (array['view','click','order','refund'])[1 + n % 4], (n % 100000) / 100.0,
      sqrt(n), n % 2 = 0, jsonb_build_object('session', md5(n::text), 'page', n % 977, 'tags', jsonb_build_array('a', n % 13)),
      repeat(md5((n * 7)::text), 2)
    from generate_series(1, ${rows}) n;
  create index events_by_kind on events (kind, at);
  create table accounts (id int primary key, owner text not null, balance bigint not null);
  insert into accounts select n, 'owner ' || n, n * 17 % 100003 from generate_series(1, ${Math.round(rows / 10)}) n;
  create table entries (account int not null references accounts, at date not null, amount int not null);
  insert into entries select 1 + n % ${Math.round(rows / 10)}, date '2026-01-01' + n % 300, n % 1000 from generate_series(1, ${rows}) n;
  analyze events, accounts, entries;`;

/** About 10 MB: a small project. */
export const SMALL: Shape = {
  name: '10 MB',
  about: 'three tables, 29,400 rows',
  fill: (postgres) => postgres.sql(mixed(14_000)),
};

/** About 1 GB on disk: numbers, times, JSON, text, two indexes and a foreign key. */
export const LARGE: Shape = {
  name: '1 GB mixed',
  about: 'numbers, times, JSON and text, two primary keys, an index, a foreign key',
  fill: (postgres) => postgres.sql(mixed(2_350_000)),
};

/** Few wide rows, stored mostly out of line (TOAST). */
export const WIDE: Shape = {
  name: 'wide rows',
  about: '20,000 rows of about 10 kB that do not compress well',
  fill: (postgres) =>
    postgres.sql(`create table documents (id int primary key, body text not null);
      insert into documents select n, (select string_agg(md5((n * 331 + m)::text), '') from generate_series(1, 320) m) from generate_series(1, 20000) n;
      analyze documents;`),
};

/** Many small tables: shows the cost per table. */
export const MANY: Shape = {
  name: '2,000 tables',
  about: '2,000 tables with a primary key, an index and 10 rows each',
  fill: (postgres) => {
    for (let from = 1; from <= 2000; from += 100) {
      postgres.sql(`do $$ begin for n in ${from}..${from + 99} loop
        execute format('create table t%s (id int primary key, name text, at timestamptz default now())', n);
        execute format('create index t%s_name on t%s (name)', n, n);
        execute format('insert into t%s select m, ''name '' || m from generate_series(1, 10) m', n);
      end loop; end $$`);
    }
    postgres.sql('set client_min_messages = error; analyze');
  },
};
