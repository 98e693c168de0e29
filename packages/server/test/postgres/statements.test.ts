import { createWriteStream, readFileSync } from 'node:fs';
import { chmod, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tapToc } from '../../src/postgres/archive/tap-toc.ts';
import { readArchiveToc } from '../../src/postgres/archive/toc.ts';
import { schemaDumpArguments } from '../../src/postgres/dump.ts';
import { keyOf } from '../../src/postgres/manifest/changed-definitions.ts';
import { findEqualDefinitions } from '../../src/postgres/manifest/read-back.ts';
import { statementsOf } from '../../src/postgres/manifest/statements.ts';
import type { Manifest } from '../../src/postgres/manifest.ts';
import { libpqEnvironment, type PostgresTarget } from '../../src/postgres/target.ts';
import { runProcess } from '../../src/system/process.ts';
import { compareChangedCopy } from './changed-copy.ts';
import { startCluster, type TestCluster } from './cluster.ts';
import { type RoundTrip, roundTrip } from './round-trip.ts';

/** What pg_dump has no words for, each with what a restore makes of it. */
const SOURCE = `
  create table dangling (id int not null); create unique index gone on dangling (id);
  alter table dangling replica identity using index gone; drop index gone;
  create table amounts (n int); create table paid () inherits (amounts); create table "Paid ""late""" (day date) inherits (paid);
  alter table amounts add constraint positive check (n > 0) not valid;
  alter table paid validate constraint positive;
  create aggregate total(int) (sfunc = int4pl, stype = int); create aggregate total(bigint) (sfunc = int8pl, stype = bigint);
  set allow_system_table_mods = on; update pg_aggregate set aggmfinalextra = true where aggfnoid = 'total(int)'::regprocedure`;
/** What a child table takes from its parent, because pg_dump cannot say that it lacks it. */
const USUAL_CHILD = `
  create table parents (v text, w text, n int default 5);
  alter table parents alter v set storage external, alter w set compression pglz;
  create table children () inherits (parents); create table grandchildren () inherits (children);
  alter table children alter v set storage extended, alter w set compression default;
  alter table children alter n drop default; alter table grandchildren alter w set compression default`;
/** Before 18, a parent could be NOT NULL without its children. */
const NULLABLE_CHILD =
  'create table strict (n int); create table loose () inherits (strict); alter table only strict alter n set not null; create view shown as select * from strict';
const UNDUMPED = [
  'aggregate public.total(integer)',
  'constraint public."Paid ""late""".positive',
  'constraint public.paid.positive',
  'table public.dangling',
];

let cluster: TestCluster;
let trip: RoundTrip;

beforeAll(async () => {
  cluster = await startCluster({ wal_level: 'logical' });
  const source = await cluster.createDatabase('source');
  await cluster.run('source', SOURCE);
  await cluster.run('source', NULLABLE_CHILD);
  await cluster.run('source', USUAL_CHILD);
  trip = await roundTrip({ from: cluster, to: cluster, source, restored: 'restored' });
});

afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
});

/** A dump of a database of the cluster; returns the path. */
async function dump(database: string, file: string, args: readonly string[]): Promise<string> {
  const path = join(cluster.folder, file);
  const ended = await runProcess(cluster.tools.pgDump as string, args, {
    env: libpqEnvironment(cluster.superuser(database)),
    account: cluster.account,
    onStdout: (stdout) => pipeline(stdout, createWriteStream(path)),
  });
  expect(ended).toMatchObject({ exitCode: 0 });
  await chmod(path, 0o644);
  return path;
}

/** What is said of the restored database after this SQL. */
async function compareChanged(sql: string, manifest: Manifest = trip.manifest, path: string = trip.path) {
  const differences = await compareChangedCopy(cluster, { path, manifest }, 'restored', sql);
  const of = (judgement: string) =>
    differences
      .filter((found) => found.judgement === judgement)
      .map(({ kind, name: object }) => `${kind} ${object}`)
      .sort();
  return { failures: of('failure'), named: of('left_out') };
}

const isBefore18 = () => cluster.tools.major < 18;
const isBefore17 = () => cluster.tools.major < 17;
const TAKEN = ['children', 'grandchildren'].flatMap((table) => ['v', 'w'].map((column) => `column public.${table}.${column}`));
const undumped = () =>
  [
    ...UNDUMPED,
    ...TAKEN,
    ...(isBefore17() ? [] : ['column public.grandchildren.n']),
    ...(isBefore18() ? ['column public.loose.n'] : []),
  ].sort();

describe('a difference of which pg_dump says the same before and after a restore', () => {
  it('is named, with what it is, and is no failure', async () => {
    const { differences } = trip.comparison;
    expect(differences.map(({ judgement, kind, name }) => [judgement, `${kind} ${name}`]).sort()).toEqual(
      undumped().map((object) => ['left_out', object]),
    );
    const reasons = new Map(differences.map(({ name, expected }) => [name, expected]));
    expect(reasons.get('public.dangling')).toBe(
      'pg_dump says the same of both, so no dump carries the difference: replica identity: "i" there, nothing after a restore.',
    );
    expect(reasons.get('public.paid.positive')).toContain('CHECK ((n > 0)) there, CHECK ((n > 0)) NOT VALID after a restore');
    expect(reasons.get('public.children.v')).toBe(
      'pg_dump cannot say that a column lacks what the column of its parent table has, so a restore adds it: storage: nothing there, "e" after a restore.',
    );
    if (isBefore18()) expect(reasons.get('public.loose.n')).toContain('not null: nothing there, true after a restore');
  });

  it("would be one by the server's parser alone", async () => {
    const equal = await findEqualDefinitions(cluster.superuser('restored'), trip.changed);
    expect(trip.changed.map((object) => keyOf(object).replace('\n', ' ')).sort()).toEqual(undumped());
    expect(equal.size).toBe(0);
  });

  it('is one where the manifest does not say what pg_dump said', async () => {
    const { statements: _, ...older } = trip.manifest;
    expect(await compareChanged('select 1', older)).toEqual({ failures: undumped(), named: [] });
  });

  it('is one where a child table has something else than its parent', async () => {
    const { failures } = await compareChanged('alter table children alter v set storage main');
    expect(failures).toEqual(expect.arrayContaining(['column public.children.v', 'column public.grandchildren.v']));
  });

  it('is one where the archive does not say any more what pg_dump said', async () => {
    await cluster.cloneDatabase('rewritten', 'restored');
    await cluster.run('rewritten', 'alter table children add more int');
    const path = await dump('rewritten', 'rewritten.dump', ['--format=custom']);
    const { failures, named } = await compareChanged('select 1', trip.manifest, path);
    expect(failures).toEqual(expect.arrayContaining(TAKEN));
    expect(named).toEqual([]);
  });

  it.each([
    ['its own table', 'alter table dangling replica identity full', 'table public.dangling'],
    ['its parent', 'alter table amounts validate constraint positive', 'constraint public.amounts.positive'],
    ['its function', 'create or replace aggregate total(int) (sfunc = int4mul, stype = int)', 'aggregate public.total(integer)'],
    [
      'its condition',
      'alter table amounts drop constraint positive, add constraint positive check (n > 1) not valid',
      'constraint public.paid.positive',
    ],
  ])('is one when pg_dump says something else of %s, and so are then the others', async (_what, sql, object) => {
    const { failures, named } = await compareChanged(sql);
    expect(failures).toContain(object);
    expect(failures).toEqual(expect.arrayContaining(undumped().filter((other) => !other.startsWith('constraint '))));
    expect(named).toEqual([]);
  });

  it('stays one where rights, comments and rows are not as they were', async () => {
    const { failures, named } = await compareChanged(
      `grant select on amounts to public; comment on table paid is 'x'; insert into dangling values (1)`,
    );
    expect(failures).toEqual(['comment table public.paid', 'grant table public.amounts to PUBLIC', 'rows public.dangling']);
    expect(named).toEqual(undumped());
  });
});

/** Two parents in different schemas, names with dots and quotes, a default that is a sequence, and a foreign table. */
const ODD_FAMILY = `
  create schema "Odd s"; create sequence ids;
  create table "Odd s"."Top ""x""" (id int default nextval('ids'), "v.w" text, body text default 'a.b');
  alter table "Odd s"."Top ""x""" alter "v.w" set storage external;
  create table side (body text default 'a.b', more text); alter table side alter more set storage main, alter more set compression pglz;
  create table low () inherits ("Odd s"."Top ""x""", side);
  alter table low alter "v.w" set storage extended, alter more set storage extended, alter more set compression default;
  alter table low alter body drop default, alter id drop default;
  create table "lo.wer" () inherits (low); alter table "lo.wer" alter more set compression default;
  create foreign data wrapper nothing; create server nowhere foreign data wrapper nothing; create foreign table far () inherits (low) server nowhere`;

it('what tables of an odd family take from each other is no failure either', async () => {
  const source = await cluster.createDatabase('family');
  await cluster.run('family', ODD_FAMILY);
  const { comparison } = await roundTrip({ from: cluster, to: cluster, source, restored: 'family_back' });
  expect(comparison.differences.filter(({ judgement }) => judgement === 'failure')).toEqual([]);
  const named = comparison.differences.filter(({ kind }) => kind === 'column').map(({ name }) => name);
  expect(named).toEqual(expect.arrayContaining(['public.low."v.w"', 'public.low.more', 'public."lo.wer"."v.w"']));
});

describe('pg_dump excuses no difference', () => {
  const source = `
    create table t (id int generated always as identity, k int primary key, v text); create unique index u on t (v);
    create table wide (a int, b text, s text); alter table wide alter s set storage external; create index wide_a on wide (a) with (fillfactor = 70);
    create materialized view kept as select 1 as one; create type pair as (a int, b int); create table typed of pair;
    create operator class own for type int using btree as operator 1 <, operator 3 =, function 1 btint4cmp(int, int);
    create table root (id int, v text) partition by range (id); create table leaf partition of root for values from (0) to (9);
    create index root_v on root (v); create view seen as select v from t`;
  let own: RoundTrip;

  beforeAll(async () => {
    own = await roundTrip({ from: cluster, to: cluster, source: await withSource(), restored: 'own_back' });
    expect(own.comparison.differences).toEqual([]);
  });

  const withSource = async (): Promise<PostgresTarget> => {
    const target = await cluster.createDatabase('own');
    await cluster.run('own', source);
    return target;
  };

  it.each([
    ['of an identity column', 'alter table t alter id set generated by default', ['column public.t.id']],
    ['of a view that lost its rows', 'refresh materialized view kept with no data', ['materialized_view public.kept']],
    [
      'of an operator class',
      'create operator class another for type int using hash as operator 1 =, function 1 hashint4(int); drop operator class own using btree; create operator class own for type int using btree as operator 1 <, operator 2 <=, function 1 btint4cmp(int, int)',
      ['operator_family public.own using btree'],
    ],
    ['of a storage', 'alter table wide alter s set storage main', ['column public.wide.s']],
    ['of the options of an index', 'alter index wide_a set (fillfactor = 60)', ['index public.wide_a']],
    ['of the replica identity', 'alter table t replica identity using index t_pkey', ['index public.t_pkey', 'table public.t']],
    ['of a primary key', 'alter table t drop constraint t_pkey', ['constraint public.t.t_pkey', 'index public.t_pkey']],
    [
      'of an index in a partition',
      'drop index root_v; create index root_v on only root (v); create index leaf_v_idx on leaf (v)',
      ['index public.leaf_v_idx'],
    ],
    [
      'of a type that columns come from',
      'alter type pair alter attribute b type bigint cascade',
      ['column public.typed.b', 'type public.pair'],
    ],
    [
      'of a column that a view shows',
      'drop view seen; alter table t alter v type varchar(5); create view seen as select v from t',
      ['column public.seen.v', 'column public.t.v'],
    ],
  ])('%s', async (_what, sql, objects) => {
    const differences = await compareChangedCopy(cluster, own, 'own_back', sql);
    const failures = differences.filter(({ judgement }) => judgement === 'failure').map(({ kind, name: object }) => `${kind} ${object}`);
    expect(failures).toEqual(expect.arrayContaining(objects));
    expect(differences.filter(({ judgement }) => judgement === 'left_out')).toEqual([]);
  });
});

const drain = async (bytes: AsyncIterable<Buffer>) => {
  for await (const _ of bytes);
};

describe('the statements of an archive', () => {
  it('are the same with data and without', async () => {
    await cluster.createDatabase('everything');
    await cluster.run('everything', readFileSync(new URL('everything.sql', import.meta.url), 'utf8'));
    const [whole, empty] = [
      await dump('everything', 'whole.dump', ['--format=custom']),
      await dump('everything', 'empty.dump', schemaDumpArguments({})),
    ];
    const [before, after] = [statementsOf((await readArchiveToc(whole)).entries), statementsOf((await readArchiveToc(empty)).entries)];
    expect(before.flatMap(({ digests }) => digests).length).toBeGreaterThan(60);
    expect(after).toEqual(before);
  });

  it('are read while the archive passes, which is not changed by that', async () => {
    const path = await dump('source', 'passing.dump', ['--format=custom']);
    const bytes = await readFile(path);
    const pieces = [...Array(Math.ceil(bytes.length / 100)).keys()].map((at) => bytes.subarray(at * 100, at * 100 + 100));
    for (const chunks of [[bytes], pieces]) {
      const passing = tapToc(Readable.from(chunks));
      const passed: Buffer[] = [];
      for await (const chunk of passing.bytes) passed.push(chunk);
      expect(Buffer.concat(passed)).toEqual(bytes);
      expect(await passing.toc).toEqual(await readArchiveToc(path));
    }
  });

  it('are those of a whole table of contents or none', async () => {
    const bytes = await readFile(await dump('source', 'cut.dump', ['--format=custom']));
    const cut = tapToc(Readable.from([bytes.subarray(0, 200)]));
    await expect(drain(cut.bytes)).rejects.toMatchObject({ code: 'artifact_invalid' });
    await expect(cut.toc).rejects.toMatchObject({ code: 'artifact_invalid' });

    const source = Readable.from([bytes.subarray(0, 200)]);
    const left = tapToc(source);
    for await (const _ of left.bytes) break;
    await expect(left.toc).rejects.toThrow();
    expect(source.destroyed).toBe(true);
    const broken = tapToc(
      Readable.from(
        (async function* () {
          yield bytes.subarray(0, 200);
          throw new Error('the disk is away');
        })(),
      ),
    );
    await expect(drain(broken.bytes)).rejects.toThrow('the disk is away');
    await expect(broken.toc).rejects.toThrow();
  });
});
