import { describe, expect } from 'vitest';
import { psql, type ThrowAwayCluster } from '../harness/postgres.ts';
import { describeWholeDatabase } from './whole-database.ts';

/** A value of a type that an extension has; its table is made where the extension is. */
const VALUES: Readonly<Record<string, readonly [type: string, value: string]>> = {
  citext: ['citext', `'Orders'`],
  cube: ['cube', `'(1, 2), (3, 4)'`],
  hstore: ['hstore', `'a => 1, b => NULL'`],
  intarray: ['int[]', `'{3,1,2}'`],
  isn: ['isbn', `'978-0-11-000533-1'`],
  lo: ['lo', '4711'],
  ltree: ['ltree', `'top.science.astronomy'`],
  pg_trgm: ['text', `'trigram'`],
  postgis: ['geometry(point, 4326)', `'SRID=4326;POINT(10.5 53.25)'`],
  postgis_raster: ['raster', 'st_makeemptyraster(2, 2, 0, 0, 1)'],
  seg: ['seg', `'1.5 .. 2.50'`],
  vector: ['vector(3)', `'[1, 2.5, 3]'`],
};

const INDEXES: Readonly<Record<string, string>> = {
  bloom:
    'create table bloomed (a int, b int); insert into bloomed select i, i % 7 from generate_series(1, 500) i; create index on bloomed using bloom (a, b)',
  btree_gist: `create table booked (room int, during tsrange, exclude using gist (room with =, during with &&)); insert into booked values (1, '[2025-01-01,2025-01-02)')`,
  // Before 17, ll_to_earth names its type without a schema: an index on it is a case of its own (sql-function-in-an-index).
  earthdistance:
    'create table cities (at earth); create index on cities using gist (at); insert into cities values (ll_to_earth(53.5, 10))',
  hstore: 'create index on of_hstore using gin (v)',
  intarray: 'create index on of_intarray using gist (v gist__int_ops)',
  ltree: 'create index on of_ltree using gist (v)',
  pg_trgm: 'create index on of_pg_trgm using gin (v gin_trgm_ops)',
  postgis: 'create index on of_postgis using gist (v)',
  unaccent: `create text search configuration plain (copy = simple); alter text search configuration plain alter mapping for word with unaccent, simple`,
};

/** Every extension of the host in one database, with rows of its types and indexes of its classes. */
async function makeAllExtensions(cluster: ThrowAwayCluster): Promise<string> {
  await psql(cluster.uri('postgres'), 'create database all_extensions template template0');
  const uri = cluster.uri('all_extensions');
  // Those with a number are older or newer scripts of another one.
  const names = (await psql(uri, `select name from pg_available_extensions where name !~ '-\\d+$' order by name`)).trim().split('\n');
  const failed: string[] = [];
  for (const name of names) {
    const schema = name === 'pg_partman' ? 'create schema if not exists partman; ' : '';
    const where = name === 'pg_partman' ? ' schema partman' : '';
    await psql(uri, `${schema}create extension if not exists "${name}"${where} cascade`).catch(() => failed.push(name));
  }
  // Those need a library from the start of the server, and have a case of their own.
  expect(failed.filter((name) => !['pg_cron', 'pgaudit'].includes(name))).toEqual([]);
  for (const [name, [type, value]] of Object.entries(VALUES))
    if (names.includes(name))
      await psql(uri, `create table of_${name} (id serial primary key, v ${type}); insert into of_${name} (v) values (${value}), (null)`);
  for (const [name, sql] of Object.entries(INDEXES)) if (names.includes(name)) await psql(uri, sql);
  return uri;
}

describe('a database with every extension that the host has', () => {
  describeWholeDatabase({ slug: 'extensions', make: makeAllExtensions, tables: 12 });
});
