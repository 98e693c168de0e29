import { expect, it } from 'vitest';
import { createRole } from '../postgres/manifest/prerequisites/literal.ts';
import { sortPrerequisites } from './prerequisites.ts';

it('reads roles whatever their names hold, and never that one was a superuser', () => {
  const names = ['plain', 'Two Words', `it's "quoted"`, 'back\\slash'];
  const sql = [...names.map((name) => createRole(name, 'NOLOGIN SUPERUSER NOINHERIT')), 'GRANT "plain" TO "Two Words";'].join('\n');

  const { roles, memberships, others } = sortPrerequisites(sql);

  expect(roles).toEqual(names.map((name) => ({ name, inherits: false, bypassesRls: false })));
  expect(memberships).toEqual([{ group: 'plain', member: 'Two Words' }]);
  expect(others).toEqual([]);
});

it('leaves everything that it does not know to a role without power', () => {
  const sql = `SET check_function_bodies = off;
    CREATE EXTENSION IF NOT EXISTS "citext" WITH SCHEMA "public" CASCADE; -- 1.6 in the source
    DO 'BEGIN IF true THEN CREATE ROLE "x" NOLOGIN; DROP TABLE y; END IF; END';
    CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ select 1; $$;`;

  const { roles, extensions, others } = sortPrerequisites(sql);

  expect(roles).toEqual([]);
  expect(extensions).toEqual([{ name: 'citext', schema: 'public' }]);
  expect(others).toHaveLength(3);
});
