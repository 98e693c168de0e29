import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectPostgres } from '../../src/postgres/connect.ts';
import { NO_PREREQUISITES } from '../../src/postgres/manifest/prerequisites/data.ts';
import { renderBefore } from '../../src/postgres/manifest/prerequisites/render.ts';
import { tenantBefore } from '../../src/postgres/manifest/prerequisites/tenant-before.ts';
import { DIGEST_SETTINGS } from '../../src/postgres/manifest.ts';
import { libpqEnvironment } from '../../src/postgres/target.ts';
import { runProcess } from '../../src/system/process.ts';
import { startCluster, type TestCluster } from './cluster.ts';
import { type RoundTrip, roundTrip } from './round-trip.ts';

let from: TestCluster;
let to: TestCluster;

beforeAll(async () => {
  [from, to] = await Promise.all([startCluster(), startCluster({}, 'restorer')]);
});
afterAll(async () => {
  await from?.[Symbol.asyncDispose]();
  await to?.[Symbol.asyncDispose]();
});

const scope = { schema: 't_house', internalRoles: [] };

/** The statements of `pg_dump -s` of one schema, without owners. */
async function definitionsOf(cluster: TestCluster, database: string, schema: string): Promise<string[]> {
  const ended = await runProcess(cluster.tools.pgDump as string, ['--schema-only', '--no-owner', '--schema', schema, database], {
    env: libpqEnvironment(cluster.superuser(database)),
    account: cluster.account,
  });
  return ended.stdout
    .split(/\n\n+/)
    .map((text) => text.trim())
    .filter((text) => /^(CREATE|ALTER|COMMENT|GRANT|REVOKE)/.test(text))
    .sort();
}

describe('what a tenant uses of `public` and of extensions', () => {
  let trip: RoundTrip;

  beforeAll(async () => {
    const source = await from.createDatabase('pool');
    await from.run('pool', readFileSync(new URL('tenant-outside.sql', import.meta.url), 'utf8'));
    trip = await roundTrip({ from, to, source, schema: 't_house', restored: 'own' });
  });

  it('comes back exactly as it was', async () => {
    expect(trip.comparison.differences.filter(({ judgement }) => judgement !== 'left_out')).toEqual([]);
    const there = await definitionsOf(from, 'pool', 'public');
    const here = await definitionsOf(to, 'own', 'public');
    const notUsed = /unrelated|public\.shout|public\.prices/;
    expect(here).toEqual(there.filter((statement) => !notUsed.test(statement)));
    expect(here.join('\n')).toMatch(/NOT VALID/);
  });

  it('and so do the extensions that only bodies name, with the right to use their schema', async () => {
    const made = trip.manifest.prerequisites.extensions.map(({ name, schema }) => `${schema}.${name}`);
    expect(made.sort()).toEqual(['extensions.cube', 'extensions.earthdistance', 'extensions.pgcrypto', 'public.unaccent']);
    await using session = await connectPostgres(to.superuser('own'));
    await session.run('SET ROLE house');
    expect(await session.query<{ ok: boolean }>(`SELECT t_house.hash('x') <> '' AND t_house.plainly('é') = 'e' AS ok`)).toEqual([
      { ok: true },
    ]);
  });

  it('and its casts, but for those that only a superuser may create, which are named', async () => {
    await using session = await connectPostgres(to.superuser('own'));
    expect(await session.query(`SELECT 3::t_house.colour::text AS colour, ROW(1, 2)::t_house.pair::text AS pair`)).toEqual([
      { colour: 'red', pair: '(1,2)' },
    ]);
    expect(trip.manifest.leftOut).toContainEqual(expect.objectContaining({ kind: 'cast', name: 't_house.days as daterange' }));
  });

  it('and the default privileges that its owner has in every schema', async () => {
    const question = `SELECT string_agg(defaclobjtype::text || ' ' || defaclacl::text, ' ' ORDER BY defaclobjtype) AS acl FROM pg_default_acl WHERE defaclnamespace = 0`;
    const asked = async (cluster: TestCluster, database: string) => {
      await using session = await connectPostgres(cluster.superuser(database));
      return await session.query(question);
    };
    expect(await asked(to, 'own')).toEqual(await asked(from, 'pool'));
  });

  const bodies = async (sql: string) => {
    await using session = await connectPostgres(from.superuser('pool'), { settings: DIGEST_SETTINGS });
    await session.run(`BEGIN; ${sql}`);
    const found = await tenantBefore(session, scope);
    await session.run('ROLLBACK');
    return found;
  };
  const namesOf = async (sql: string) => (await bodies(sql)).prerequisites.extensions.map(({ name }) => name);
  const dynamic = `CREATE FUNCTION t_house.any(a text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'select ' || a; END $$`;

  it.each([
    ['a function', `CREATE FUNCTION t_house.f() RETURNS int LANGUAGE sql AS 'SELECT public.levenshtein(''a'', ''b'')'`, 'fuzzystrmatch'],
    ['a type', `CREATE FUNCTION t_house.f() RETURNS void LANGUAGE plpgsql AS $$ DECLARE h public."hstore"; BEGIN END $$`, 'hstore'],
    [
      'a constant that is run',
      `CREATE FUNCTION t_house.f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'select soundex(''x'')'; END $$`,
      'fuzzystrmatch',
    ],
  ])('is found by %s in a body', async (_, sql, extension) => {
    expect(await namesOf(sql)).toContain(extension);
  });

  it('may be every extension that its functions reach, where SQL is put together when it runs', async () => {
    const { prerequisites } = await bodies(dynamic);
    const possibly = prerequisites.extensions.filter((extension) => extension.possibly).map(({ name }) => name);
    expect(possibly.sort()).toEqual(['fuzzystrmatch', 'hstore']);
    expect(renderBefore({ ...NO_PREREQUISITES, ...prerequisites })).toMatch(
      /DO 'BEGIN CREATE EXTENSION IF NOT EXISTS "hstore" .*EXCEPTION WHEN OTHERS THEN NULL; END'/,
    );
  });

  it('is not brought along where it would stand beside something of the same name, and is named', async () => {
    const { prerequisites, doubtful } = await bodies(
      `${dynamic}; CREATE FUNCTION t_house.soundex(text) RETURNS text LANGUAGE sql AS 'SELECT 1::text'`,
    );
    expect(prerequisites.extensions.map(({ name }) => name)).not.toContain('fuzzystrmatch');
    expect(doubtful).toContainEqual(expect.objectContaining({ kind: 'extension', name: 'fuzzystrmatch' }));
  });

  it('is named when it is a table', async () => {
    const { doubtful } = await bodies(`CREATE FUNCTION t_house.f() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM public.prices'`);
    expect(doubtful).toContainEqual({
      kind: 'table',
      name: 'public.prices',
      reason: 'A function of the tenant names it, and a tenant export does not contain it.',
    });
  });
});
