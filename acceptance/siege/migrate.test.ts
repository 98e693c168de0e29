import { Client } from 'pg';
import { afterAll, beforeAll, expect } from 'vitest';
import { type Flux, startFlux, type TestProject } from '../harness/flux.ts';
import { psql } from '../harness/postgres.ts';
import { pause, until } from '../harness/process.ts';
import { catalogUri, superuserUri } from '../harness/superuser.ts';
import { siegeChapter } from './attack.ts';

const attack = siegeChapter('Migrations');

let flux: Flux;
beforeAll(async () => {
  flux = await startFlux();
});
afterAll(() => flux?.[Symbol.asyncDispose]());

/** Makes a table for each call, and does what else no lock on a table stops. */
const FUNCTIONS = `
  create table written (n int primary key);
  create sequence ticket;
  create table counted (id int generated always as identity primary key, n int);
  create type state as enum ('new');
  create function edition() returns int language sql as 'select 0';
  create function day_table(n int) returns void language plpgsql security definer as $$ begin
    execute format('create table if not exists log_%s (id int, v text)', n);
    execute format('insert into log_%s values (%s, ''acknowledged'')', n, n); end $$;
  create function new_version(n int) returns void language plpgsql security definer as $$ begin
    execute format('create or replace function edition() returns int language sql as ''select %s''', n); end $$;
  create function new_state(n int) returns void language plpgsql security definer as $$ begin
    execute format('alter type state add value if not exists ''s%s''', n); end $$;
  create function new_comment(n int) returns void language plpgsql security definer as $$ begin
    execute format('comment on function edition() is ''%s''', n); end $$;`;

const CALLS = ['day_table', 'new_version', 'new_state', 'new_comment'] as const;

/** What a client was told that it is done. */
interface Acknowledged {
  readonly calls: Record<(typeof CALLS)[number], number[]>;
  readonly rows: number[];
  ticket: number;
  refused: string | undefined;
}

/** Does one thing after the other until its login is closed; what is refused is tried again with the next number. */
async function hammer(uri: string): Promise<{ done: Acknowledged; ended: Promise<void> }> {
  const done: Acknowledged = {
    calls: { day_table: [], new_version: [], new_state: [], new_comment: [] },
    rows: [],
    ticket: 0,
    refused: undefined,
  };
  const open = async () => {
    const client = new Client({ connectionString: uri });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  };
  const ddl = await open();
  const seq = await open();
  const rows = await open();
  const forever = async (client: Client, work: (n: number) => Promise<void>) => {
    for (let n = 1; ; n += 1) {
      try {
        await work(n);
      } catch (error) {
        if ((error as { code?: string }).code !== '55000') break;
        done.refused = (error as Error).message;
      }
      await pause(3);
    }
    await client.end().catch(() => undefined);
  };
  const ended = Promise.all([
    forever(ddl, async (n) => {
      for (const call of CALLS) {
        await ddl.query(`select ${call}($1)`, [n]);
        done.calls[call].push(n);
      }
    }),
    forever(seq, async () => {
      const { rows: found } = await seq.query<{ n: string }>(`select nextval('ticket') as n`);
      done.ticket = Number(found[0]?.n);
    }),
    forever(rows, async (n) => {
      await rows.query('insert into written values ($1)', [n]);
      done.rows.push(n);
    }),
  ]).then(() => undefined);
  return { done, ended };
}

async function pooled(slug: string): Promise<TestProject & { schema: string }> {
  const project = await flux.createProject(slug, 'v2_shared');
  const answer = (await (await flux.api(`/projects/${project.hash}`)).json()) as { apiSchema: string };
  return { ...project, schema: answer.apiSchema };
}
const uriOf = async ({ slug, hash }: TestProject) =>
  (await flux.flux('project', 'credentials', slug, '--hash', hash, '--field', 'postgres.url')).stdout.trim();
const engineOf = async ({ hash }: TestProject) =>
  (await psql(catalogUri(flux), `select engine from projects where hash = '${hash}'`)).trim();
const triggers = async () => (await psql(superuserUri(flux, 'shared', 'flux_shared'), 'select count(*) from pg_event_trigger')).trim();

/** Compares what was acknowledged with what is there now. Returns what is missing. */
async function missing(uri: string, { calls, rows, ticket }: Acknowledged): Promise<string[]> {
  const lost: string[] = [];
  const one = async (sql: string) => (await psql(uri, sql)).trim();
  const made = new Set(
    (await one(`select relname from pg_class where relname ~ '^log_' and relkind = 'r' and pg_table_is_visible(oid)`)).split('\n'),
  );
  for (const n of calls.day_table) if (!made.has(`log_${n}`)) lost.push(`log_${n}`);
  for (const n of calls.day_table.slice(-3))
    if (made.has(`log_${n}`) && (await one(`select count(*) from log_${n}`)) !== '1') lost.push(`row of log_${n}`);
  const states = new Set((await one('select unnest(enum_range(null::state))')).split('\n'));
  for (const n of calls.new_state) if (!states.has(`s${n}`)) lost.push(`state s${n}`);
  if (Number(await one('select edition()::text')) < Math.max(0, ...calls.new_version)) lost.push('edition()');
  if (Number(await one(`select coalesce(obj_description('edition()'::regprocedure), '0')`)) < Math.max(0, ...calls.new_comment))
    lost.push('comment');
  const there = new Set((await one('select n from written')).split('\n').map(Number));
  for (const n of rows) if (!there.has(n)) lost.push(`row ${n}`);
  if (Number(await one(`select nextval('ticket')`)) <= ticket) lost.push(`ticket ${ticket} comes again`);
  return lost;
}

for (const drop of [[], ['--drop-source-after']] as const) {
  attack(
    `Functions create tables, replace functions and draw numbers during a migration${drop.length === 0 ? '' : ' with --drop-source-after'}`,
    'moved with every acknowledged call, or rolled back with every one',
    async () => {
      const project = await pooled(drop.length === 0 ? 'moving' : 'moving-drop');
      await flux.push(project, FUNCTIONS);
      expect((await flux.flux('backup', 'create', ...project.flags, '--verify')).exitCode).toBe(0);
      const { done, ended } = await hammer(project.uri);
      await until('it hammers', () => done.rows.length > 5 && done.calls.new_comment.length > 5 && done.ticket > 5);
      const moved = await flux.flux('migrate', ...project.flags, '--to', 'v1_dedicated', ...drop, '--yes');
      const engine = await engineOf(project);
      expect([moved.exitCode, engine], moved.stderr).toEqual([0, 'v1_dedicated']);
      await ended;
      expect(done.refused).toContain('being moved to a server of its own');
      expect(await missing(await uriOf(project), done)).toEqual([]);
      expect(await triggers()).toBe('0');
      const calls = CALLS.reduce((sum, call) => sum + done.calls[call].length, 0);
      return `${calls} calls, ${done.rows.length} rows and ${done.ticket} numbers acknowledged, none lost`;
    },
    120_000,
  );
}

attack(
  'A superuser creates a table, grants and alters during a migration, as nothing of Flux can stop',
  'rolled back, with a sentence that names it',
  async () => {
    const project = await pooled('meddled');
    await flux.push(project, `${FUNCTIONS} create view seen as select * from written;`);
    const shared = (sql: string) => psql(superuserUri(flux, 'shared', 'flux_shared'), sql);
    const seen: string[] = [];
    for (const [sql, named] of [
      [
        `create table ${project.schema}.slipped (id int); alter table ${project.schema}.slipped owner to ${project.schema.replace(/_api$/, '_ddl')}`,
        'table',
      ],
      [`comment on view ${project.schema}.seen is 'x'`, 'view'],
      [`drop function ${project.schema}.new_comment(int)`, 'dropped'],
    ] as const) {
      const moving = flux.flux('migrate', ...project.flags, '--to', 'v1_dedicated', '--yes');
      await until(
        'the copy is made',
        async () =>
          (
            await psql(
              catalogUri(flux),
              `select count(*) from operations where kind = 'migrate' and state = 'running' and progress ->> 'phase' not in ('block')`,
            )
          ).trim() === '1',
      );
      await until(
        'it is dumped',
        async () =>
          (
            await psql(
              catalogUri(flux),
              `select count(*) from operations where kind = 'migrate' and state = 'running' and progress ->> 'phase' in ('provision', 'restore')`,
            )
          ).trim() === '1',
      );
      await shared(sql);
      const moved = await moving;
      expect(moved.exitCode).toBe(1);
      expect(moved.stderr).toContain('the project was not moved');
      expect(moved.stderr).toContain(named);
      expect(await engineOf(project)).toBe('v2_shared');
      seen.push(named);
    }
    // It is as it was: it can be written to, and created in.
    expect(await psql(project.uri, `select day_table(1); insert into written values (1); select count(*) from written`)).toContain('1');
    expect(await triggers()).toBe('0');
    return `rolled back ${seen.length} times, naming ${seen.join(', ')}; writable afterwards`;
  },
  150_000,
);

attack(
  'The control plane is killed while nothing may be created',
  'after its start the project is writable again, and can be created in',
  async () => {
    const project = await pooled('killed');
    await flux.push(project, FUNCTIONS);
    const moving = flux.flux('migrate', ...project.flags, '--to', 'v1_dedicated', '--yes');
    await until('creation is refused', async () => (await triggers()) === '1');
    await flux.kill();
    await moving;
    await flux.start();
    await until('the migration is ended', async () => (await triggers()) === '0');
    expect(await engineOf(project)).toBe('v2_shared');
    expect(await psql(project.uri, 'select day_table(1); select count(*) from log_1')).toContain('1');
    return 'writable after the next start';
  },
  90_000,
);

for (const engine of ['v2_shared', 'v1_dedicated'] as const) {
  attack(
    `Functions create tables and draw numbers during a restore in place (${engine})`,
    'what was acknowledged is in the data of before or of after; nothing is nowhere',
    async () => {
      const project = engine === 'v2_shared' ? await pooled('restored') : await flux.createProject('restored-own', 'v1_dedicated');
      await flux.push(project, FUNCTIONS);
      expect((await flux.flux('backup', 'create', ...project.flags, '--verify')).exitCode).toBe(0);
      const { done, ended } = await hammer(project.uri);
      await until('it hammers', () => done.rows.length > 5 && done.calls.new_comment.length > 5 && done.ticket > 5);
      const restored = await flux.flux('backup', 'restore', ...project.flags, '--latest', '--in-place', '--yes');
      expect(restored.exitCode, restored.stderr).toBe(0);
      await ended;
      const after = await missing(await uriOf(project), { ...done, ticket: 0 });
      const undone = await flux.flux('backup', 'restore', ...project.flags, '--undo', '--yes');
      expect(undone.exitCode, undone.stderr).toBe(0);
      expect(await missing(await uriOf(project), done)).toEqual([]);
      expect(after.length).toBeGreaterThan(0);
      return `${after.length} acknowledged things were replaced by the restore, and all are back after the undo`;
    },
    120_000,
  );
}
