import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { changedDefinitions } from '../../src/postgres/manifest/changed-definitions.ts';
import { compareManifests } from '../../src/postgres/manifest/compare.ts';
import { measureRestored } from '../../src/postgres/manifest/measure.ts';
import type { Manifest } from '../../src/postgres/manifest.ts';
import { startCluster, type TestCluster } from './cluster.ts';
import { judgeIn, roundTrip } from './round-trip.ts';

let cluster: TestCluster;
let restorer: TestCluster;
let path: string;
let manifest: Manifest;
let number = 0;

const SOURCE = `
  CREATE ROLE reader; CREATE EXTENSION citext; CREATE EXTENSION pg_trgm; CREATE TYPE mood AS ENUM ('a', 'b'); CREATE DOMAIN pos AS int CHECK (VALUE > 0);
  CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL DEFAULT 'x', boss int CONSTRAINT boss_fk REFERENCES people, n numeric, f float8, mood mood, doc jsonb, note varchar(10) CHECK (note IN ('p', 'q')), p pos);
  INSERT INTO people SELECT i, 'name ' || i, 1, 1.0, 0, 'a', '{"k": null}', 'p', 1 FROM generate_series(1, 100) i;
  CREATE TABLE pairs (a text, b text); ALTER TABLE pairs REPLICA IDENTITY FULL; INSERT INTO pairs VALUES ('1', 'x'), ('2', 'y'), ('2', 'y');
  CREATE INDEX people_name ON people (name) WHERE note IN ('p', 'q');
  CREATE VIEW bosses AS SELECT id FROM people WHERE boss = id; CREATE MATERIALIZED VIEW totals AS SELECT count(*) FROM people;
  CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
  CREATE TRIGGER tr BEFORE INSERT ON people FOR EACH ROW EXECUTE FUNCTION t(); CREATE SEQUENCE s; SELECT setval('s', 10);
  ALTER TABLE people ENABLE ROW LEVEL SECURITY; CREATE POLICY pol ON people TO reader USING (note IN ('p', 'q')); GRANT SELECT ON people TO reader; COMMENT ON TABLE people IS 'words';
  SELECT lo_from_bytea(4711, 'hello'); CREATE PUBLICATION pub FOR TABLE pairs; CREATE STATISTICS st ON id, boss FROM people; CREATE RULE r AS ON DELETE TO pairs DO INSTEAD NOTHING;
  CREATE TABLE "Odd
name" (x int); CREATE EVENT TRIGGER et ON ddl_command_end EXECUTE FUNCTION et();`.replace(
  'CREATE EVENT TRIGGER',
  `CREATE FUNCTION et() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; CREATE EVENT TRIGGER`,
);

beforeAll(async () => {
  [cluster, restorer] = await Promise.all([startCluster(), startCluster({}, 'restorer')]);
  const source = await cluster.createDatabase('source');
  await cluster.run('source', SOURCE);
  const trip = await roundTrip({ from: cluster, to: restorer, source, restored: 'restored' });
  expect(trip.comparison.differences).toEqual([]);
  ({ path, manifest } = trip);
});

afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
  await restorer?.[Symbol.asyncDispose]();
});

const damaged = async (sql: string, expected = manifest) => {
  const name = `damaged_${++number}`;
  const target = await restorer.cloneDatabase(name, 'restored');
  if (sql !== '') await restorer.run(name, sql);
  const found = await measureRestored({ target, manifest: expected, server: 'disposable', parallel: 1 });
  const judged = await judgeIn(restorer, target, { path, manifest: expected }, changedDefinitions(expected, found));
  await restorer.run('postgres', `DROP DATABASE ${name}`);
  return compareManifests(expected, found, judged);
};

const PEOPLE = 'public.people';

describe('a comparison names exactly what is not as it was', () => {
  it.each<[string, string, Array<[kind: string, name: string, change: string]>]>([
    ['nothing', '', []],
    ['one value', `UPDATE people SET name = 'other' WHERE id = 7`, [['rows', PEOPLE, 'changed']]],
    ['one row lost', 'DELETE FROM people WHERE id = 7', [['rows', PEOPLE, 'changed']]],
    ['one row added', 'INSERT INTO pairs VALUES (NULL, NULL)', [['rows', 'public.pairs', 'changed']]],
    ['all rows lost', 'TRUNCATE pairs', [['rows', 'public.pairs', 'changed']]],
    [
      'two rows that exchanged a value',
      `UPDATE pairs SET b = CASE a WHEN '1' THEN 'y' ELSE 'x' END WHERE ctid IN ('(0,1)', '(0,2)')`,
      [['rows', 'public.pairs', 'changed']],
    ],
    ['two columns that exchanged their values', 'UPDATE pairs SET a = b, b = a', [['rows', 'public.pairs', 'changed']]],
    ['a row in place of its double', `UPDATE pairs SET a = '1', b = 'x' WHERE ctid = '(0,3)'`, [['rows', 'public.pairs', 'changed']]],
    ['null in place of empty', `UPDATE people SET doc = NULL WHERE id = 1`, [['rows', PEOPLE, 'changed']]],
    ['1.00 in place of 1.0', 'UPDATE people SET n = 1.00 WHERE id = 1', [['rows', PEOPLE, 'changed']]],
    ['-0 in place of 0', `UPDATE people SET f = '-0' WHERE id = 1`, [['rows', PEOPLE, 'changed']]],
    ['an enum value', `UPDATE people SET mood = 'b' WHERE id = 1`, [['rows', PEOPLE, 'changed']]],
    ['an index dropped', 'DROP INDEX people_name', [['index', 'public.people_name', 'missing']]],
    [
      'an index of another condition',
      `DROP INDEX people_name; CREATE INDEX people_name ON people (name) WHERE note IN ('p')`,
      [['index', 'public.people_name', 'changed']],
    ],
    ['an index added', 'CREATE INDEX more ON people (n)', [['index', 'public.more', 'extra']]],
    ['a policy dropped', 'DROP POLICY pol ON people', [['policy', 'public.people.pol', 'missing']]],
    ['a policy changed', `ALTER POLICY pol ON people USING (note IN ('p', 'z'))`, [['policy', 'public.people.pol', 'changed']]],
    ['row security off', 'ALTER TABLE people DISABLE ROW LEVEL SECURITY', [['row_security', PEOPLE, 'missing']]],
    ['a grant revoked', 'REVOKE SELECT ON people FROM reader', [['grant', 'table public.people to reader', 'missing']]],
    ['a grant widened', 'GRANT UPDATE ON people TO reader', [['grant', 'table public.people to reader', 'changed']]],
    ['a grant to everybody', 'GRANT SELECT ON pairs TO PUBLIC', [['grant', 'table public.pairs to PUBLIC', 'extra']]],
    ['a default grant revoked', 'REVOKE EXECUTE ON FUNCTION f() FROM PUBLIC', [['grant', 'function public.f() to PUBLIC', 'extra']]],
    ['another owner', 'ALTER VIEW bosses OWNER TO reader', [['owner', 'view public.bosses', 'changed']]],
    ['a trigger dropped', 'DROP TRIGGER tr ON people', [['trigger', 'public.people.tr', 'missing']]],
    ['a trigger disabled', 'ALTER TABLE people DISABLE TRIGGER tr', [['trigger', 'public.people.tr', 'changed']]],
    ['a function body', `CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 2'`, [['function', 'public.f()', 'changed']]],
    ['a comment', `COMMENT ON TABLE people IS 'other words'`, [['comment', 'table public.people', 'changed']]],
    ['a comment removed', 'COMMENT ON TABLE people IS NULL', [['comment', 'table public.people', 'missing']]],
    ['a view', 'CREATE OR REPLACE VIEW bosses AS SELECT id FROM people WHERE boss > id', [['view', 'public.bosses', 'changed']]],
    ['a sequence ahead', `SELECT setval('s', 11)`, [['sequence_value', 'public.s', 'changed']]],
    ['a sequence behind', `SELECT setval('s', 9)`, [['sequence_value', 'public.s', 'changed']]],
    ['a sequence not called', `SELECT setval('s', 10, false)`, [['sequence_value', 'public.s', 'changed']]],
    ['a sequence of another step', 'ALTER SEQUENCE s INCREMENT 2', [['sequence', 'public.s', 'changed']]],
    ['a foreign key', 'ALTER TABLE people DROP CONSTRAINT boss_fk', [['constraint', 'public.people.boss_fk', 'missing']]],
    [
      'a check',
      `ALTER TABLE people DROP CONSTRAINT people_note_check, ADD CONSTRAINT people_note_check CHECK (note IN ('p', 'q', 'r'))`,
      [['constraint', 'public.people.people_note_check', 'changed']],
    ],
    ['a default', `ALTER TABLE people ALTER name SET DEFAULT 'y'`, [['column', 'public.people.name', 'changed']]],
    ['not null', 'ALTER TABLE people ALTER name DROP NOT NULL', [['column', 'public.people.name', 'changed']]],
    ['an enum label', `ALTER TYPE mood ADD VALUE 'c'`, [['enum', 'public.mood', 'changed']]],
    ['a domain', 'ALTER DOMAIN pos DROP CONSTRAINT pos_check', [['domain', 'public.pos', 'changed']]],
    [
      'an extension',
      'DROP EXTENSION citext',
      [
        ['extension', 'citext', 'missing'],
        ['comment', 'extension citext', 'missing'],
      ],
    ],
    [
      'an extension moved',
      'CREATE SCHEMA x; ALTER EXTENSION pg_trgm SET SCHEMA x',
      [
        ['extension', 'pg_trgm', 'changed'],
        ['owner', 'schema x', 'extra'],
        ['schema', 'x', 'extra'],
      ],
    ],
    [
      'a publication',
      'DROP PUBLICATION pub',
      [
        ['owner', 'publication pub', 'missing'],
        ['publication', 'pub', 'missing'],
      ],
    ],
    [
      'statistics',
      'DROP STATISTICS st',
      [
        ['owner', 'statistics object public.st', 'missing'],
        ['statistics', 'public.st', 'missing'],
      ],
    ],
    ['a rule', 'DROP RULE r ON pairs', [['rule', 'public.pairs.r', 'missing']]],
    [
      'an event trigger',
      'DROP EVENT TRIGGER et',
      [
        ['event_trigger', 'et', 'missing'],
        ['owner', 'event trigger et', 'missing'],
      ],
    ],
    ['a large object lost', 'SELECT lo_unlink(4711)', [['large_object', 'large objects', 'missing']]],
    ['a large object changed', `SELECT lo_put(4711, 0, 'j')`, [['large_object', 'content of large objects', 'changed']]],
    [
      'a table dropped',
      'DROP TABLE "Odd\nname"',
      [
        ['rows', 'public."Odd\\u000aname"', 'missing'],
        ['table', 'public."Odd\\u000aname"', 'missing'],
      ],
    ],
    [
      'a table added',
      'CREATE TABLE more ()',
      [
        ['owner', 'table public.more', 'extra'],
        ['rows', 'public.more', 'extra'],
        ['table', 'public.more', 'extra'],
      ],
    ],
    [
      'a column dropped',
      'ALTER TABLE pairs DROP a CASCADE',
      [
        ['column', 'public.pairs.a', 'missing'],
        ['column', 'public.pairs.b', 'changed'],
        ['rows', 'public.pairs', 'changed'],
      ],
    ],
    [
      'a materialized view without data',
      'REFRESH MATERIALIZED VIEW totals WITH NO DATA',
      [['materialized_view', 'public.totals', 'changed']],
    ],
  ])('%s', async (_what, sql, expected) => {
    const { differences } = await damaged(sql);
    const named = differences.filter(({ judgement }) => judgement === 'failure').map(({ kind, name, change }) => [kind, name, change]);
    expect(named.sort()).toEqual(expected.sort());
  });

  it('and calls another content of a materialized view what it is', async () => {
    const { differences } = await damaged('INSERT INTO people (id) VALUES (0); REFRESH MATERIALIZED VIEW totals');
    const [, view] = differences;
    expect(view).toMatchObject({ judgement: 'not_compared', kind: 'rows', name: 'public.totals', change: 'changed' });
  });

  it('and leaves the version of an extension to the server that restores', async () => {
    const older = {
      ...manifest,
      objects: manifest.objects.map((o) =>
        o.kind === 'extension' ? { ...o, definition: o.definition.replace(/"version": "[^"]*"/, '"version": "0.1"') } : o,
      ),
    };
    const { differences } = await damaged('', older);
    expect(differences.map(({ judgement, kind }) => [judgement, kind])).toEqual([
      ['prerequisite', 'extension'],
      ['prerequisite', 'extension'],
      ['prerequisite', 'extension'],
    ]);
  });

  it('and lists no more than can be read, failures first', async () => {
    const objects = Array.from({ length: 3000 }, (_, index) => ({ kind: 'index', name: `i${index}`, definition: 'x' }));
    const { differences } = await damaged('', { ...manifest, objects: [...manifest.objects, ...objects] });
    expect(differences).toHaveLength(1001);
    expect(differences.at(-1)).toMatchObject({ judgement: 'not_compared', expected: '2000 more are not listed' });
  });
});
