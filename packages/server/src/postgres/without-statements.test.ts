import { expect, it } from 'vitest';
import { withoutStatements } from './without-statements.ts';

it.each([
  [
    'a mapping',
    `pg_restore: error: could not execute query: ERROR:  role "needs_mapping" does not exist
Command was: CREATE USER MAPPING FOR needs_mapping SERVER far OPTIONS (
    password 'not-for-eyes',
    "user" 'a'
);

`,
    [
      'pg_restore: error: could not execute query: ERROR:  role "needs_mapping" does not exist',
      'Command was: CREATE USER MAPPING FOR needs_mapping SERVER far OPTIONS ...',
    ],
  ],
  [
    'a subscription whose error repeats its connection',
    `pg_restore: error: could not execute query: ERROR:  invalid connection string syntax: missing "=" after "not-for-eyes" in connection info string
Command was: CREATE SUBSCRIPTION "s 1" CONNECTION 'host=h not-for-eyes' PUBLICATION p WITH (connect = false);
pg_restore: warning: errors ignored on restore: 1
`,
    [
      'pg_restore: error: could not execute query: ERROR:  invalid connection string syntax: missing "=" after "***" in connection info string',
      'Command was: CREATE SUBSCRIPTION "s 1" CONNECTION ...',
      'pg_restore: warning: errors ignored on restore: 1',
    ],
  ],
  [
    'a piece of a statement',
    `pg_restore: error: could not execute query: ERROR:  syntax error at or near "x"
LINE 3:     password 'not-for-eyes' x
                                    ^
Command was: CREATE FUNCTION f() RETURNS text AS $$ select 'not-for-eyes' $$;`,
    ['pg_restore: error: could not execute query: ERROR:  syntax error at or near "x"', 'Command was: CREATE FUNCTION f...'],
  ],
  [
    'a connection',
    'pg_restore: error: connection to server on socket "/var/lib/flux/run/shared/.s.PGSQL.5432" failed: No such file or directory',
    ['pg_restore: error: connection to server on its socket failed: No such file or directory'],
  ],
])('leaves out what is secret in the error of %s', (_, stderr, expected) => {
  expect(withoutStatements(stderr).filter((line) => line !== '')).toEqual(expected);
});
