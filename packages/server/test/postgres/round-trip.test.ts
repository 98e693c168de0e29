import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isSampled } from '../../../../scripts/tiers.ts';
import { connectPostgres } from '../../src/postgres/connect.ts';
import { renderAfter, renderBefore } from '../../src/postgres/manifest/prerequisites/render.ts';
import { recordManifest } from '../../src/postgres/manifest/record.ts';
import { openSnapshot } from '../../src/postgres/snapshot.ts';
import { startCluster, type TestCluster } from './cluster.ts';
import { type RoundTrip, roundTrip } from './round-trip.ts';

let from: TestCluster;
let to: TestCluster;
let number = 0;

beforeAll(async () => {
  // The superuser of the other cluster has another name: whatever takes the two for the same shows up.
  [from, to] = await Promise.all([startCluster({ wal_level: 'logical' }), startCluster({ wal_level: 'logical' }, 'restorer')]);
});

afterAll(async () => {
  await from?.[Symbol.asyncDispose]();
  await to?.[Symbol.asyncDispose]();
});

const there = async (
  sql: string,
  options: { schema?: string; internalRoles?: string[]; user?: string; meanwhile?: () => Promise<void> } = {},
): Promise<RoundTrip> => {
  const name = `case_${++number}`;
  const source = await from.createDatabase(name);
  await from.run(name, sql);
  const { user, ...rest } = options;
  return await roundTrip({ from, to, source: user === undefined ? source : { ...source, user }, restored: name, ...rest });
};

const failures = ({ comparison }: RoundTrip) => comparison.differences.filter(({ judgement }) => judgement === 'failure');

describe('a whole database comes back as it was', () => {
  it('when it holds everything that we could think of', async () => {
    const sql = readFileSync(new URL('everything.sql', import.meta.url), 'utf8');
    const trip = await there(sql, { internalRoles: ['flux_backup'] });

    expect(failures(trip)).toEqual([]);
    expect(trip.comparison.differences.filter(({ judgement }) => judgement === 'prerequisite')).toEqual([]);
    expect(trip.comparison.differences.map(({ name, change }) => [name, change]).sort()).toEqual([
      ['public.child', 'changed'],
      ['public.remote', 'unknown'],
      ['public.stale', 'changed'],
    ]);
    expect(trip.comparison.objectsCompared).toMatchObject({
      event_trigger: 1,
      publication: 3,
      policy: 2,
      large_object: 4,
      cast: 1,
      user_mapping: 1,
      rule: 1,
    });
    expect(trip.comparison.objectsCompared.grant).toBeGreaterThan(8);
    expect(trip.manifest.tables.find(({ name }) => name === 'public.types')).toMatchObject({ rows: 4 });
    expect(JSON.stringify(trip.manifest)).not.toContain('secret-word');
    expect(JSON.stringify(trip.manifest.objects.filter(({ kind }) => kind === 'grant'))).not.toContain('flux_backup');
  });

  it('and names what it does not bring back', async () => {
    const trip = await there(`
      CREATE TABLE users (id int, mail text); INSERT INTO users VALUES (1, 'x'), (2, 'x');
      CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (own int, parent int CONSTRAINT child_fk REFERENCES parent, id int NOT NULL);
      ALTER TABLE child INHERIT parent; CREATE TABLE grown (own int) INHERITS (parent); ALTER TABLE parent ADD added text; ALTER TABLE child DISABLE TRIGGER ALL;
      CREATE OPERATOR ?? (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq, COMMUTATOR = ???);
      CREATE TYPE stage AS ENUM ('new', 'paid', 'sent', 'done', 'void'); CREATE TABLE flow (id int, s stage) PARTITION BY HASH (s);
      CREATE TABLE flow0 PARTITION OF flow FOR VALUES WITH (MODULUS 2, REMAINDER 0); CREATE TABLE flow1 PARTITION OF flow FOR VALUES WITH (MODULUS 2, REMAINDER 1);
      INSERT INTO flow SELECT g, (enum_range(NULL::stage))[1 + g % 5] FROM generate_series(1, 200) g`);

    expect(failures(trip)).toEqual([]);
    const named = trip.comparison.differences.map(({ kind, name }) => `${kind} ${name}`);
    expect(named).toEqual(
      expect.arrayContaining(['trigger public.child (child_fk)', 'column_order public.grown', 'column_order public.child']),
    );
    // Whether rows move depends on the numbers that the two databases give to the labels.
    expect(named.filter((name) => !/^rows public\.flow[01]$/.test(name))).toHaveLength(3);
  });

  it('when it is empty', async () => {
    const trip = await there('SELECT 1');
    expect(trip.comparison).toMatchObject({ differences: [], tablesCompared: 0, rowsCompared: 0 });
  });

  it('when it has no schema public and no plpgsql', async () => {
    const trip = await there('DROP SCHEMA public; DROP EXTENSION plpgsql; CREATE SCHEMA a; CREATE TABLE a.t (x int)');
    expect(trip.comparison.differences).toEqual([]);
  });

  it('when it is Chinook', async ({ skip }) => {
    const path = join(import.meta.dirname, '../../../../../shared/data/chinook.sql');
    if (!existsSync(path)) return skip('chinook.sql is not beside the repository');
    const trip = await there(
      readFileSync(path, 'utf8')
        .replace(/^\\.*$/gm, '')
        .replace(/^(DROP|CREATE) DATABASE.*$/gm, ''),
    );
    expect(trip.comparison.differences).toEqual([]);
    expect(trip.comparison.tablesCompared).toBe(11);
    expect(trip.comparison.rowsCompared).toBeGreaterThan(15_000);
  });

  // Many small commands: minutes when the machine is busy with something else, so the quick tier makes fewer.
  const tables = isSampled() ? 300 : 2000;
  it(`when it has ${tables} tables`, { timeout: 900_000 }, async () => {
    const trip = await there(
      `DO $$ BEGIN FOR i IN 1..${tables} LOOP
         EXECUTE format('CREATE TABLE t%s (id serial PRIMARY KEY, a text NOT NULL DEFAULT ''x'', b int REFERENCES t%s, c timestamptz, CHECK (b > 0))', i, i);
         IF i %% 500 = 0 THEN COMMIT; END IF;
       END LOOP; END $$`.replaceAll('%%', '%'),
    );
    expect(trip.comparison.differences).toEqual([]);
    expect(trip.comparison.tablesCompared).toBe(tables);
    process.stderr.write(`${tables} tables: ${JSON.stringify(trip.phases)}\n`);
  });

  it('when others write to it during the dump, because the snapshot holds', async () => {
    const name = `case_${number + 1}`;
    let stop = false;
    const trip = await there(
      `CREATE TABLE accounts (id serial PRIMARY KEY, balance int); INSERT INTO accounts (balance) SELECT 0 FROM generate_series(1, 20000);
       CREATE TABLE history (id bigserial, account int); CREATE SEQUENCE busy_down INCREMENT -1 MAXVALUE 0 START 0`,
      {
        meanwhile: async () => {
          const writers = Array.from({ length: 3 }, async () => {
            await using session = await connectPostgres(from.superuser(name), { searchPath: 'role' });
            for (let round = 0; round < 3 || !stop; round++)
              await session.run(
                `UPDATE accounts SET balance = balance + 1 WHERE id = 1 + (random() * 19999)::int; INSERT INTO history (account) VALUES (1);
                 INSERT INTO accounts (balance) VALUES (7); SELECT nextval('busy_down')`,
              );
          });
          setTimeout(() => (stop = true), 600);
          await Promise.all(writers);
        },
      },
    );
    expect(trip.comparison.differences).toEqual([]);
    expect(trip.manifest.tables.find(({ name: table }) => table === 'public.accounts')?.rows).toBe(20_000);
    expect(trip.manifest.sequences.every(({ after }) => after !== undefined)).toBe(true);
  });
});

describe('a tenant export is restored unchanged', () => {
  const sql = readFileSync(new URL('tenant.sql', import.meta.url), 'utf8');

  it('by a role that is not a superuser, with its prerequisites', async () => {
    const trip = await there(sql, { schema: 't_abc_api', internalRoles: ['tenant_backup'], user: 'tenant_backup' });

    expect(trip.comparison.differences.map(({ judgement, name }) => [judgement, name])).toEqual([['left_out', 'tenants']]);
    expect(trip.comparison.tablesCompared).toBe(3);
    expect(trip.comparison.rowsCompared).toBe(551);
    expect(trip.comparison.objectsCompared).toMatchObject({ policy: 1, extension: 2, default_privileges: 2, comment: 3 });
    const { prerequisites, schema, leftOut } = trip.manifest;
    const [before, after] = [renderBefore(prerequisites), renderAfter(prerequisites, schema)];
    expect(before).toMatch(/CREATE EXTENSION IF NOT EXISTS "citext" WITH SCHEMA "extensions" CASCADE; -- 1\.\d+ in the source/);
    expect(before).toContain('auth.jwt');
    expect(before).not.toMatch(/secret|unrelated|pgcrypto|hstore|tenant_backup|t_other|PASSWORD/);
    expect(after).toContain("'001_it''s.sql'");
    expect(after).not.toMatch(/theirs|tenant_backup/);
    expect(leftOut).toEqual([
      {
        kind: 'publication',
        name: 'tenants',
        reason: 'It contains tables of the tenant; a tenant export contains no publications.',
      },
    ]);
    // Whoever follows the instructions by hand may do so twice, and from psql.
    await using session = await connectPostgres(to.superuser(`case_${number}`), { searchPath: 'role' });
    await session.run(before);
    await session.run(after);
    expect(await session.query('SELECT version, filename, checksum FROM flux.flux_migrations ORDER BY 1')).toEqual([
      { version: '001', filename: "001_it's.sql", checksum: 'abc' },
      { version: '002', filename: '002.sql', checksum: '' },
    ]);
  });

  it('and reports what it uses of another schema', async () => {
    const trip = await there(
      'CREATE SCHEMA shared; CREATE TABLE shared.lookup (id int PRIMARY KEY); CREATE SCHEMA tenant; CREATE TABLE tenant.t (x int)',
      { schema: 'tenant' },
    );
    expect(trip.comparison.differences).toEqual([]);
    expect(trip.manifest.leftOut).toEqual([]);
    const name = `case_${number}`;
    await from.run(
      name,
      'CREATE VIEW tenant.v AS SELECT * FROM shared.lookup; ALTER TABLE tenant.t ADD FOREIGN KEY (x) REFERENCES shared.lookup',
    );
    await using snapshot = await openSnapshot(from.superuser(name));
    const source = { kind: 'tenant_export' as const, schema: 'tenant', internalRoles: [] };
    const manifest = await recordManifest({ snapshot, source, parallel: 1 });
    expect(manifest.leftOut).toContainEqual({
      kind: 'table',
      name: 'shared.lookup',
      reason: 'The tenant uses it, and a tenant export does not contain it.',
    });
  });

  it('when its schema is empty', async () => {
    const trip = await there('CREATE SCHEMA "Empty"', { schema: 'Empty' });
    expect(trip.comparison).toMatchObject({ differences: [], tablesCompared: 0 });
  });
});
