import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recordManifest } from '../../src/postgres/manifest/record.ts';
import { openSnapshot } from '../../src/postgres/snapshot.ts';
import { startCluster, type TestCluster } from './cluster.ts';
import { roundTrip } from './round-trip.ts';

let from: TestCluster;
let to: TestCluster;
beforeAll(async () => {
  // Room for 13 * (20 + 8 + 10 + ...) locks: about 600, where a server with default settings has about 8,000. pg_dump alone takes 500.
  const small = { max_locks_per_transaction: '13', max_connections: '20' };
  [from, to] = await Promise.all([startCluster(small), startCluster({}, 'restorer')]);
});
afterAll(async () => {
  await from?.[Symbol.asyncDispose]();
  await to?.[Symbol.asyncDispose]();
});

async function trip(name: string, ...scripts: readonly string[]) {
  const source = await from.createDatabase(name);
  for (const sql of scripts) await from.run(name, sql);
  return await roundTrip({ from, to, source, restored: name });
}

describe('a manifest asks no more of the source than pg_dump', () => {
  it('not more locks, for more tables and sequences than the lock table could hold with their indexes', async () => {
    const tables = Array.from({ length: 220 }, (_, i) => `create table t${i} (id serial primary key, v text unique)`);
    const scripts = [...tables, `insert into t1 (v) select 'x' || n from generate_series(1, 1000) n`];
    const { comparison } = await trip('many', ...scripts);
    expect(comparison.differences).toEqual([]);
    expect(comparison).toMatchObject({ tablesCompared: 220, rowsCompared: 1000 });
  });

  it('runs no function that an index or a statistics object names', async () => {
    const { manifest, comparison } = await trip(
      'indexed',
      `create function public.two() returns int immutable language plpgsql as $$ begin return 2; end $$;
       create function public.at_least(v int) returns boolean immutable language plpgsql as $$ begin return v > 0; end $$;
       create table t (id int, v text, g text generated always as (upper(v)) stored);
       create index on t ((id + public.two()));
       create index on t (v) where public.at_least(id);
       insert into t (id, v) values (1, E'a\\tb'), (2, null), (3, '\\N');
       create table plain (id int primary key, v text);
       create index on plain ((lower(v))) where id > 0;
       insert into plain values (1, 'x');
       create or replace function public.two() returns int immutable language plpgsql as $$
         begin if pg_catalog.current_setting('max_connections') = '20' then raise 'it ran'; end if; return 2; end $$`,
    );
    // COPY leaves generated columns out, so nothing is said of them but that.
    expect(comparison.differences).toMatchObject([
      { judgement: 'not_compared', kind: 'generated_columns', name: 'public.t', change: 'unknown' },
    ]);
    const { t, plain } = Object.fromEntries(manifest.tables.map((table) => [table.name.replace('public.', ''), table]));
    expect(t).toMatchObject({ rows: 3, digestOf: 'copy', generatedDigest: null });
    expect(plain).not.toHaveProperty('digestOf');
  });

  it('counts rows where a name in a function of an index cannot be resolved, as pg_dump dumps them', async () => {
    const unqualified = trip(
      'unqualified',
      `create function squeeze(t text) returns text language sql immutable as $$ select lower(t) $$;
       create function slug(t text) returns text language sql immutable as $$ select squeeze(t) $$;
       create table posts (title text); create index on posts (slug(title)); insert into posts values ('Hello')`,
    );
    await expect(unqualified).rejects.toThrow(/pg_restore.*function squeeze\(text\) does not exist/);
  });

  it('takes no row of a catalog that has lost its object for an object, and says what it could not read', async () => {
    const source = await from.createDatabase('orphans');
    await from.run(
      'orphans',
      `create table kept (id int); create text search dictionary lost (template = simple);
       set allow_system_table_mods = on; update pg_ts_dict set dicttemplate = 99999 where dictname = 'lost';
       insert into pg_description values (99999, 'pg_class'::regclass, 0, 'outlived'), (99999, 'pg_operator'::regclass, 0, 'outlived')`,
    );
    await using snapshot = await openSnapshot(source);

    const { objects, leftOut } = await recordManifest({ snapshot, source: { kind: 'project_db', internalRoles: [] }, parallel: 1 });

    expect(objects.filter(({ name, definition }) => typeof name !== 'string' || typeof definition !== 'string')).toEqual([]);
    expect(objects.map(({ kind, name }) => `${kind} ${name}`)).toContain('table public.kept');
    expect(objects.filter(({ kind, definition }) => kind === 'text_search_dictionary' || definition === 'outlived')).toEqual([]);
    expect(leftOut).toMatchObject([
      { kind: 'text_search_dictionary', name: 'public.lost', reason: 'The server tells no definition of it, so it was not compared.' },
    ]);
  });
});
