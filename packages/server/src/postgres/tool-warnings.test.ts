import { describe, expect, it } from 'vitest';
import { warningsOf } from './tool-warnings.ts';

describe('warningsOf', () => {
  it('makes one line of each message, and says nothing twice', () => {
    const stderr = [
      'WARNING:  database "shop" has a collation version mismatch',
      'DETAIL:  The database was created using collation version 2.31, but the operating system provides version 2.36.',
      'HINT:  Rebuild all objects in this database.',
      'pg_dump: warning: there are circular foreign-key constraints on this table:',
      'pg_dump: detail: \u001b[31mpeople',
      'pg_dump: warning: subscriptions not dumped because current user is not a superuser',
      'pg_dump: warning: subscriptions not dumped because current user is not a superuser',
    ];
    expect(warningsOf(stderr)).toEqual([
      'database "shop" has a collation version mismatch The database was created using collation version 2.31, but the operating system provides version 2.36. Rebuild all objects in this database.',
      'there are circular foreign-key constraints on this table: \\u001b[31mpeople',
      'subscriptions not dumped because current user is not a superuser',
    ]);
  });

  it('keeps no statement, and no text of one', () => {
    const said = warningsOf([
      'pg_restore: warning: could not do it: secret-word',
      "Command was: CREATE USER MAPPING FOR a SERVER b OPTIONS (password 'secret-word');",
      'pg_restore: warning: errors ignored on restore: 1',
    ]);
    expect(said.join('\n')).not.toContain('secret-word');
    expect(said.at(-1)).toBe('errors ignored on restore: 1');
  });

  it('is empty for nothing', () => expect(warningsOf(['', ' '])).toEqual([]));
});
