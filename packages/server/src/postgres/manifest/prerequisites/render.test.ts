import { splitSql } from '@flux/contract/sql/split';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NO_PREREQUISITES, type Prerequisites } from './data.ts';
import { renderAfter, renderBefore, renderOwnAfter, renderOwnBefore } from './render.ts';

const role = (name: string) => ({ name, superuser: false, inherits: true, bypassesRls: false });
const lines = (change: Partial<Prerequisites>) => renderBefore({ ...NO_PREREQUISITES, ...change }).split('\n');

describe('SQL of prerequisites', () => {
  it('is empty for nothing', () => {
    expect([renderBefore(NO_PREREQUISITES), renderAfter(NO_PREREQUISITES, 'x')]).toEqual(['', '']);
  });

  it.each([
    [{ roles: [role('plain')] }, `THEN CREATE ROLE "plain" NOLOGIN; END IF; END';`],
    [
      { roles: [{ name: 'x', superuser: true, inherits: false, bypassesRls: true }] },
      `CREATE ROLE "x" NOLOGIN SUPERUSER NOINHERIT BYPASSRLS; END IF; END';`,
    ],
    [{ memberships: [{ group: 'a"b', member: 'C d' }] }, 'GRANT "a""b" TO "C d";'],
    [{ schemas: ['A'] }, 'CREATE SCHEMA IF NOT EXISTS "A";'],
    [
      { extensions: [{ name: 'citext', schema: 'e', version: '1\n; DROP TABLE x' }] },
      'CREATE EXTENSION IF NOT EXISTS "citext" WITH SCHEMA "e" CASCADE; -- 1 ; DROP TABLE x in the source',
    ],
    [
      { extensions: [{ name: 'x', schema: 'e', version: null, possibly: true }] },
      `DO 'BEGIN CREATE EXTENSION IF NOT EXISTS "x" WITH SCHEMA "e" CASCADE; EXCEPTION WHEN OTHERS THEN NULL; END';`,
    ],
    [{ settings: [{ name: 'a', value: `o'ff` }] }, `SET "a" = 'o''ff';`],
  ] as const)('writes %j', (change, expected) => {
    const written = lines(change);
    expect(written).toHaveLength(1);
    expect(written[0]).toContain(expected);
  });

  it('grants columns and grant options, and revokes first', () => {
    const target = { kind: 'TABLE', identity: 's.t' } as const;
    expect(
      renderOwnAfter({
        ...NO_PREREQUISITES,
        owners: [{ kind: 'TABLE', identity: 's.t', owner: 'o' }],
        revocations: [
          { ...target, owner: 'o' },
          { ...target, owner: null },
        ],
        grants: [{ ...target, column: 'c', privileges: ['INSERT', 'SELECT'], grantee: null, grantable: true }],
        defaultRevocations: [{ owner: 'o', objects: 'FUNCTIONS' }],
        defaultPrivileges: [
          { owner: 'o', schema: null, objects: 'FUNCTIONS', privilege: 'EXECUTE', grantee: 'o', grantable: false },
          { owner: 'o', schema: 's', objects: 'TABLES', privilege: 'SELECT', grantee: 'r', grantable: false },
        ],
      }),
    ).toEqual([
      'ALTER TABLE s.t OWNER TO "o";',
      'REVOKE ALL ON TABLE s.t FROM PUBLIC, "o";',
      'REVOKE ALL ON TABLE s.t FROM PUBLIC;',
      'GRANT INSERT ("c"), SELECT ("c") ON TABLE s.t TO PUBLIC WITH GRANT OPTION;',
      'ALTER DEFAULT PRIVILEGES FOR ROLE "o" REVOKE ALL ON FUNCTIONS FROM PUBLIC, "o";',
      'ALTER DEFAULT PRIVILEGES FOR ROLE "o" GRANT EXECUTE ON FUNCTIONS TO "o";',
      'ALTER DEFAULT PRIVILEGES FOR ROLE "o" IN SCHEMA "s" GRANT SELECT ON TABLES TO "r";',
    ]);
  });

  it('never leaves an owner without its own schema in between', () => {
    const [schema, table] = [{ kind: 'SCHEMA', identity: 's' } as const, { kind: 'TABLE', identity: 's.t' } as const];
    const grant = { column: null, grantee: 'o', grantable: false };
    expect(
      renderOwnAfter({
        ...NO_PREREQUISITES,
        revocations: [schema, table].map((target) => ({ ...target, owner: 'o' })),
        grants: [
          { ...schema, ...grant, privileges: ['USAGE'] },
          { ...table, ...grant, privileges: ['SELECT'] },
        ],
      }),
    ).toEqual([
      'REVOKE ALL ON SCHEMA s FROM PUBLIC, "o";',
      'GRANT USAGE ON SCHEMA s TO "o";',
      'REVOKE ALL ON TABLE s.t FROM PUBLIC, "o";',
      'GRANT SELECT ON TABLE s.t TO "o";',
    ]);
  });

  it('leaves roles, memberships, extensions and the ledger to others', () => {
    const all: Prerequisites = {
      ...NO_PREREQUISITES,
      roles: [role('r')],
      memberships: [{ group: 'r', member: 'r' }],
      extensions: [{ name: 'e', schema: 's', version: null }],
      ledger: [{ version: '1', filename: 'f', checksum: 'c', appliedAt: '2026-01-01 00:00:00+00' }],
    };
    expect([renderOwnBefore(all), renderOwnAfter(all)]).toEqual([[], []]);
  });

  it('is one statement for each thing, whatever names and texts hold', () => {
    const hostile = fc
      .array(fc.constantFrom(`'`, '"', '\\', ';', '$flux$', '$$', '--', '/*', '\n', 'x', ' DROP TABLE t'), { minLength: 1, maxLength: 8 })
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(hostile, hostile, (one, other) => {
        const all: Prerequisites = {
          ...NO_PREREQUISITES,
          roles: [role(one), role(other)],
          memberships: [{ group: one, member: other }],
          schemas: [one],
          extensions: [{ name: one, schema: other, version: other }],
          settings: [{ name: 'x', value: one }],
          statements: [{ phase: 'before', unlessType: one, sql: 'CREATE TYPE t AS ENUM ()' }],
          ledger: [{ version: one, filename: other, checksum: one, appliedAt: 'now' }],
        };
        expect(splitSql(renderBefore(all)).statements).toHaveLength(7);
        expect(splitSql(renderAfter(all, other)).statements).toHaveLength(3);
      }),
    );
  });
});
