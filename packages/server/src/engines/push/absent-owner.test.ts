import { splitSql } from '@flux/contract/sql/split';
import { expect, it } from 'vitest';
import { withoutUsualOwner } from './absent-owner.ts';

const leave = (sql: string) => withoutUsualOwner(sql, splitSql(sql).statements).sql.replace(/ +/g, ' ').trim();

it.each([
  [
    'alter default privileges for role postgres in schema public grant select on tables to anon',
    'alter default privileges in schema public grant select on tables to anon',
  ],
  [
    'alter default privileges in schema public grant all on tables to postgres, anon, service_role',
    'alter default privileges in schema public grant all on tables to anon, service_role',
  ],
  [
    'alter default privileges for user "postgres" grant all on tables to anon, postgres',
    'alter default privileges grant all on tables to anon',
  ],
  ['grant all on table t to anon, postgres with grant option', 'grant all on table t to anon with grant option'],
  ['grant usage on schema public to postgres, postgres', ''],
  ['revoke all on t from PUBLIC, postgres, anon', 'revoke all on t from PUBLIC, anon'],
  ['alter table public.t owner to postgres', ''],
  ['alter function f(a int) owner to "postgres"', ''],
  ['set role postgres', ''],
  ['set local role postgres', ''],
  ['SET SESSION AUTHORIZATION postgres', ''],
  ['create schema if not exists api authorization postgres', 'create schema if not exists api'],
])('leaves out what concerns the role postgres: %s', (sql, rest) => {
  expect(leave(sql)).toBe(rest);
});

it.each([
  'grant postgres to anon',
  'grant anon to postgres',
  'alter default privileges for role postgres, anon grant select on tables to anon',
  'create policy p on t to postgres using (true)',
  'create schema authorization postgres',
  'grant select on postgres to anon',
  "insert into t values ('grant all on t to postgres')",
  'alter database postgres set work_mem = 1',
  'set search_path to postgres',
])('keeps what it cannot leave out, or what only looks like it: %s', (sql) => {
  expect(withoutUsualOwner(sql, splitSql(sql).statements)).toEqual({ sql, count: 0 });
});
