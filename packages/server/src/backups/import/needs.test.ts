import { describe, expect, it } from 'vitest';
import type { ArchiveEntry } from '../../postgres/archive/toc.ts';
import { describeLeftOutOfImport, extensionsIn, localeIn, rolesIn } from './needs.ts';

const entry = (kind: string, more: Partial<ArchiveEntry> = {}): ArchiveEntry => ({
  dumpId: 1,
  kind,
  tag: 'x',
  schema: null,
  owner: '',
  statementSha256: '',
  section: 'pre-data',
  hasData: false,
  ...more,
});
const database = (options: string) => [entry('DATABASE', { definition: `CREATE DATABASE shop WITH TEMPLATE = template0 ${options};\n` })];

describe('localeIn', () => {
  it.each([
    ["ENCODING = 'UTF8' LOCALE_PROVIDER = libc LOCALE = 'de_DE.UTF-8'", { encoding: 'UTF8', collate: 'de_DE.UTF-8', ctype: 'de_DE.UTF-8' }],
    ["ENCODING = 'LATIN1' LC_COLLATE = 'C' LC_CTYPE = 'de_DE'", { encoding: 'LATIN1', collate: 'C', ctype: 'de_DE' }],
    [
      "ENCODING = 'UTF8' LOCALE_PROVIDER = icu LOCALE = 'C' ICU_LOCALE = 'en' ICU_RULES = '&a < ''b'''",
      { collate: 'C', localeProvider: 'icu', locale: 'en', icuRules: "&a < 'b'" },
    ],
    [
      "ENCODING = 'UTF8' LOCALE_PROVIDER = builtin LOCALE = 'C' BUILTIN_LOCALE = 'C.UTF-8'",
      { localeProvider: 'builtin', locale: 'C.UTF-8' },
    ],
  ])('reads %s', (options, expected) => {
    expect(localeIn({ entries: database(options) })).toMatchObject(expected);
  });

  it('takes the encoding alone where that is all there is', () => {
    const encoding = (name: string) => localeIn({ entries: [entry('ENCODING', { definition: `SET client_encoding = '${name}';\n` })] });
    expect(encoding('LATIN1')).toMatchObject({ encoding: 'LATIN1', collate: 'C' });
    expect(encoding('UTF8')).toMatchObject({ encoding: 'UTF8', collate: 'C.UTF-8' });
    expect(localeIn({ entries: [] })).toMatchObject({ encoding: 'UTF8', collate: 'C.UTF-8', localeProvider: 'libc' });
  });
});

it('finds owners and grantees, and which of them have to be superusers', () => {
  const entries = [
    entry('TABLE', { owner: 'clerk' }),
    entry('EVENT TRIGGER', { owner: 'chief' }),
    entry('TABLE', { owner: 'chief' }),
    entry('ACL', {
      owner: 'clerk',
      acl: `GRANT SELECT ON TABLE t TO reader WITH GRANT OPTION;\nSET SESSION AUTHORIZATION middle;\nREVOKE ALL ON TABLE t FROM PUBLIC;\nGRANT ALL ON SCHEMA s TO "Odd ""Name";\nGRANT SELECT ON TABLE t TO pg_monitor;`,
    }),
  ];
  expect(rolesIn({ entries }).map(({ name, superuser }) => [name, superuser])).toEqual([
    ['clerk', false],
    ['chief', true],
    ['reader', false],
    ['middle', false],
    ['Odd "Name', false],
  ]);
});

it('finds extensions with their schemas', () => {
  const entries = [
    entry('EXTENSION', { tag: 'plpgsql' }),
    entry('EXTENSION', { tag: 'citext', definition: 'CREATE EXTENSION IF NOT EXISTS citext WITH SCHEMA "My Schema";\n' }),
    entry('EXTENSION', { tag: 'odd' }),
  ];
  expect(extensionsIn({ entries })).toEqual([
    { name: 'citext', schema: 'My Schema' },
    { name: 'odd', schema: 'public' },
  ]);
});

it('names what the archive says of the database itself, and a locale that it does not say', () => {
  const header = { database: 'shop' } as Parameters<typeof describeLeftOutOfImport>[0]['header'];
  expect(describeLeftOutOfImport({ header, entries: database("ENCODING = 'UTF8'") })).toEqual([]);
  const named = describeLeftOutOfImport({
    header,
    entries: [entry('COMMENT', { tag: 'DATABASE shop' }), entry('TABLE', { tag: 'DATABASE x' })],
  });
  expect(named.map(({ reason }) => reason)).toEqual([expect.stringContaining('(1)'), expect.stringContaining('does not say which locale')]);
});
