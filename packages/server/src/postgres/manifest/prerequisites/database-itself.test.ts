import { splitSql } from '@flux/contract/sql/split';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { databaseStatements, renderDatabaseItself } from './database-itself.ts';

const sqlOf = (kind: string, name: string, definition: string) =>
  databaseStatements([{ kind, name, definition }], '"d"').map(({ sql }) => sql);

it.each([
  ['database_setting', 'search_path', 'app, "$user", "A, b"', `ALTER DATABASE "d" SET "search_path" TO 'app', '$user', 'A, b'`],
  ['database_setting', 'timezone', 'Asia/Kolkata', `ALTER DATABASE "d" SET "timezone" TO 'Asia/Kolkata'`],
  ['database_setting', '"My role": app.key', `o'x`, `ALTER ROLE "My role" IN DATABASE "d" SET "app"."key" TO 'o''x'`],
  ['role_setting', 'anon: statement_timeout', '3s', `ALTER ROLE "anon" SET "statement_timeout" TO '3s'`],
  ['database_comment', 'comment', `It's`, `COMMENT ON DATABASE "d" IS 'It''s'`],
  ['database_limit', 'connection limit', '40', 'ALTER DATABASE "d" CONNECTION LIMIT 40'],
  ['database_grant', 'PUBLIC', 'nothing', 'REVOKE ALL ON DATABASE "d" FROM PUBLIC'],
  ['role_limit', '"A b"', 'CONNECTION LIMIT 3', 'ALTER ROLE "A b" CONNECTION LIMIT 3'],
  ['role_limit', 'anon', `VALID UNTIL '2030-01-01 00:00:00+00'`, `ALTER ROLE "anon" VALID UNTIL '2030-01-01 00:00:00+00'`],
  ['membership', '"A in b" in team', 'ADMIN OPTION, SET FALSE', 'GRANT "team" TO "A in b" WITH ADMIN OPTION, SET FALSE'],
  ['setting_grant', 'app: log_min_messages', 'SET*', 'GRANT SET ON PARAMETER "log_min_messages" TO "app" WITH GRANT OPTION'],
  ['database_grant', '"A b"', 'CREATE*', 'GRANT CREATE ON DATABASE "d" TO "A b" WITH GRANT OPTION'],
])('gives %s %s', (kind, name, definition, sql) => {
  expect(sqlOf(kind, name, definition)).toEqual([sql]);
});

it('is one statement for each thing, whatever names and values hold', () => {
  const kinds = ['database_setting', 'database_comment', 'database_grant', 'role_limit', 'membership', 'setting_grant'];
  const hostile = fc
    .array(fc.constantFrom(`'`, '"', '\\', ';', '$$', '--', '/*', '\n', 'x', ' DROP TABLE t', '%', '%I', ',', ': ', '.'), {
      minLength: 1,
      maxLength: 8,
    })
    .map((parts) => parts.join(''));
  fc.assert(
    fc.property(hostile, hostile, (name, value) => {
      const objects = kinds.map((kind) => ({ kind, name, definition: value }));
      const statements = databaseStatements(objects, '"d"');
      expect(splitSql(renderDatabaseItself(objects)).statements).toHaveLength(statements.length);
      for (const { sql } of statements) expect(splitSql(`${sql};`).statements).toHaveLength(1);
    }),
  );
});
