import { readFileSync } from 'node:fs';
import { splitSql } from '@flux/contract/sql/split';
import { expect, it } from 'vitest';
import { renderAfter, renderBefore } from './prerequisites/render.ts';
import { parseManifest } from './schema.ts';

const read = (name: string) => readFileSync(new URL(`../../../test/fixtures/manifest-1/${name}.manifest.json`, import.meta.url), 'utf8');
const tenant = JSON.parse(read('tenant')) as Record<string, unknown>;
const withText = (before: string, after = '') =>
  parseManifest(JSON.stringify({ ...tenant, prerequisitesBefore: before, prerequisitesAfter: after })).prerequisites;

it('turns the text of a tenant export into data', () => {
  const { prerequisites } = parseManifest(read('tenant'));

  expect(prerequisites.roles.map(({ name }) => name)).toEqual([`Tenant's "login"`, 'anon', 'authenticated', 'tenant_owner']);
  expect(prerequisites.schemas).toEqual(['extensions', 'auth', 'public']);
  expect(prerequisites.extensions.map(({ name, schema }) => [name, schema])).toEqual([
    ['citext', 'extensions'],
    ['pg_trgm', 'extensions'],
  ]);
  expect(prerequisites.settings).toEqual([{ name: 'check_function_bodies', value: 'off' }]);
  expect(prerequisites.ledger).toEqual([
    { version: '001', filename: `001_it's.sql`, checksum: 'abc', appliedAt: '2026-01-01 00:00:00.123456+00' },
    { version: '002', filename: '002.sql', checksum: null, appliedAt: '2026-01-02 00:00:00+00' },
  ]);
  expect(prerequisites.statements.filter(({ phase }) => phase === 'before')).toHaveLength(6);
  expect(prerequisites.statements.filter(({ sql }) => sql.includes('flux_migrations'))).toEqual([]);
});

it('loses no statement of a whole database', () => {
  const stored = JSON.parse(read('everything')) as { prerequisitesBefore: string };
  const { prerequisites, schema } = parseManifest(read('everything'));
  expect(prerequisites.statements).toEqual([]);
  expect(splitSql(renderBefore(prerequisites)).statements).toHaveLength(splitSql(stored.prerequisitesBefore).statements.length);
  expect(renderAfter(prerequisites, schema)).toBe('');
});

it.each([
  `DO 'BEGIN IF true THEN CREATE ROLE "x" NOLOGIN; DROP TABLE y; END IF; END'`,
  `DO 'BEGIN IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = ''x'') THEN CREATE ROLE "y" NOLOGIN; END IF; END'`,
  'CREATE EXTENSION "citext"',
  'GRANT "a" TO "b" WITH ADMIN OPTION',
  'SET role = postgres',
])('leaves what it does not recognise to the role that restores: %s', (sql) => {
  expect(withText(sql)).toMatchObject({ roles: [], memberships: [], extensions: [], statements: [{ phase: 'before', sql }] });
});

it('never takes a statement for a row of the ledger because of how it begins', () => {
  const sql =
    "INSERT INTO flux.flux_migrations (tenant_schema, version, filename, checksum, applied_at) SELECT 't_abc_api', '1', evil(), NULL, '2026-01-01'::timestamptz";
  expect(withText('', sql)).toMatchObject({ ledger: [], statements: [{ phase: 'after', sql }] });
  const foreign = `${sql.replace('evil()', "'x'").replace('t_abc', 't_other')}\n  WHERE NOT EXISTS (SELECT FROM flux.flux_migrations WHERE tenant_schema = 't_other_api' AND version = '1')`;
  expect(withText('', foreign)).toMatchObject({ ledger: [], statements: [{ phase: 'after', sql: foreign }] });
});

it.each([
  ['not JSON', '{', /is not JSON/],
  ['a later version', '{"version":4}', /has version 4/],
  ['an unknown key', JSON.stringify({ ...tenant, extra: 1 }), /extra/],
  ['a wrong value', JSON.stringify({ ...tenant, server: { ...(tenant.server as object), major: 'x' } }), /server\.major/],
])('names what is wrong with %s', (_, text, message) => {
  expect(() => parseManifest(text)).toThrow(
    expect.objectContaining({ code: 'verification_inconclusive', message: expect.stringMatching(message) }),
  );
});
