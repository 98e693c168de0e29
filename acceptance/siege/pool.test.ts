import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, expect } from 'vitest';
import { type Flux, startFlux, type TestProject } from '../harness/flux.ts';
import { psql } from '../harness/postgres.ts';
import { postmasterPid } from '../harness/postmaster.ts';
import { pause } from '../harness/process.ts';
import { databaseOf, superuserUri } from '../harness/superuser.ts';
import { siegeChapter } from './attack.ts';

const attack = siegeChapter('One tenant and the others');

let flux: Flux;

beforeAll(async () => {
  flux = await startFlux({
    env: {
      FLUX_POOL_STATEMENT_TIMEOUT: '3s',
      FLUX_POOL_IDLE_TRANSACTION_TIMEOUT: '60s',
      FLUX_POOL_TRANSACTION_TIMEOUT: '60s',
      FLUX_POOL_TEMP_FILES: '1MiB',
    },
  });
});
afterAll(async () => await flux?.[Symbol.asyncDispose]());

/** A session of a program of the project, with errors that nobody waits for ignored. */
async function connect({ uri }: TestProject, more: object = {}): Promise<Client & AsyncDisposable> {
  const client = new Client({ connectionString: uri, ...more });
  client.on('error', () => undefined);
  await client.connect();
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end().catch(() => undefined) });
}

const asPoolAdmin = async (sql: string) => (await psql(superuserUri(flux, 'shared', 'flux_shared'), sql)).trim();
const postmasterOf = (instance: string) => postmasterPid(join(flux.dataFolder, 'instances', instance, 'data'));
const schemaOf = ({ uri }: TestProject) => new URL(uri).username.replace(/login$/, 'api');

async function timed<T>(work: () => Promise<T>): Promise<{ readonly value: T; readonly ms: number }> {
  const began = performance.now();
  const value = await work();
  return { value, ms: Math.round(performance.now() - began) };
}

async function statuses(): Promise<Record<string, string>> {
  const projects = (await (await flux.api('/list')).json()) as { slug: string; status: string }[];
  return Object.fromEntries(projects.map(({ slug, status }) => [slug, status]));
}

/** Creates a project without a CLI. */
async function create(slug: string): Promise<number> {
  const body = JSON.stringify({ name: slug, mode: 'v2_shared' });
  return (await flux.api('/create', { method: 'POST', headers: { 'content-type': 'application/json' }, body })).status;
}

attack(
  'A dedicated server hangs (SIGSTOP), then the pool does',
  'a list takes 2.5 s once and then 1 s; doctor 5 s; the others are shown as they are',
  async () => {
    const hung = await flux.createProject('hung', 'v1_dedicated');
    await flux.createProject('well', 'v1_dedicated');
    await flux.createProject('pooled', 'v2_shared');
    const running = { hung: 'running', well: 'running', pooled: 'running' };
    expect(await statuses()).toMatchObject(running);
    const seen: string[] = [];
    const own = readdirSync(join(flux.dataFolder, 'instances')).filter((name) => name.startsWith('p-'));
    const ports = await Promise.all(
      own.map(async (name) => [name, readFileSync(join(flux.dataFolder, 'instances', name, 'data/postmaster.pid'), 'utf8')]),
    );
    const port = new URL(hung.uri).port;
    const instance = ports.find(([, text]) => text?.split('\n')[3] === port)?.[0] ?? '';
    for (const [stopped, slug] of [
      [postmasterOf(instance), 'hung'],
      [postmasterOf('shared'), 'pooled'],
    ] as const) {
      process.kill(stopped, 'SIGSTOP');
      try {
        // What was known a moment ago is still told for three seconds.
        await pause(3100);
        expect(stopped).toBeGreaterThan(1);
        const first = await timed(statuses);
        expect(first.value).toMatchObject({ ...running, [slug]: 'partial' });
        expect(first.ms).toBeLessThan(2500);
        const again = await timed(() => Promise.all(Array.from({ length: 5 }, statuses)));
        expect(again.ms).toBeLessThan(1000);
        const doctor = await timed(() => flux.flux('doctor'));
        expect(doctor.ms).toBeLessThan(5000);
        seen.push(`${slug}: ${first.ms} ms, then five at once ${again.ms} ms, doctor ${doctor.ms} ms`);
      } finally {
        process.kill(stopped, 'SIGCONT');
      }
      await pause(300);
      const back = await timed(statuses);
      expect(back.value).toMatchObject(running);
    }
    return seen.join('; ');
  },
);

attack(
  'A tenant locks its table and stays',
  'its backup fails within a minute and names the session; another project is backed up meanwhile',
  async () => {
    const locked = await flux.createProject('locked', 'v2_shared');
    const other = await flux.createProject('other', 'v2_shared');
    await flux.push(locked, `create table mine (id int); grant all on mine to ${new URL(locked.uri).username}`);
    await using holder = await connect(locked);
    await holder.query('begin; lock table mine in access exclusive mode');
    const pid = (await holder.query('select pg_backend_pid() as pid')).rows[0].pid as number;
    const failing = timed(() => flux.flux('backup', 'create', ...locked.flags));
    const beside = await timed(() => flux.flux('backup', 'create', ...other.flags));
    expect(beside.value.exitCode, beside.value.stderr).toBe(0);
    const { value, ms } = await failing;
    expect(value.exitCode).toBe(1);
    const words = value.stderr.replaceAll(/\s+/g, ' ');
    expect(words).toContain(`Session ${pid} of ${new URL(locked.uri).username} has a lock that this needs`);
    expect(words).toContain(`pg_terminate_backend(${pid})`);
    expect(ms).toBeLessThan(60_000);
    return `refused after ${(ms / 1000).toFixed(0)} s, the other's backup took ${(beside.ms / 1000).toFixed(1)} s`;
  },
);

attack(
  'A tenant keeps a transaction on the table of another, which is removed',
  'the removal takes 5 s; a project that is created meanwhile takes 3 s',
  async () => {
    const owner = await flux.createProject('owner', 'v2_shared');
    const reader = await flux.createProject('reader', 'v2_shared');
    await flux.push(
      owner,
      `create table mine (id int); grant usage on schema ${schemaOf(owner)} to ${new URL(reader.uri).username};
       grant select on mine to ${new URL(reader.uri).username}; do $$ begin for n in 1..1000 loop execute format('create table t_%s (id int primary key)', n); end loop; end $$`,
    );
    await using holder = await connect(reader);
    await holder.query(`begin; select count(*) from ${schemaOf(owner)}.mine`);
    const nuking = timed(() => flux.flux('nuke', ...owner.flags, '--skip-backup-check', '--yes'));
    await pause(500);
    const creating = await timed(() => create('innocent'));
    expect(creating.value).toBe(201);
    expect(creating.ms).toBeLessThan(3000);
    const nuked = await nuking;
    expect(nuked.value.exitCode, nuked.value.stderr).toBe(0);
    expect(await asPoolAdmin(`select count(*) from pg_roles where rolname like '${schemaOf(owner).slice(0, 14)}%'`)).toBe('0');
    return `removed with 1,001 tables in ${(nuked.ms / 1000).toFixed(1)} s, created in ${creating.ms} ms`;
  },
);

attack('A tenant lifts the bounds of its login', 'each of them still ends what is over it', async () => {
  const project = await flux.createProject('lifter', 'v2_shared');
  const tries = {
    set: 'set statement_timeout = 0',
    'its role': 'alter role current_user set statement_timeout = 0',
    'a function': `do $$ begin perform set_config('statement_timeout', '0', false); end $$`,
  };
  const ends = await Promise.all(
    Object.entries(tries).map(async ([how, sql]) => {
      await using session = await connect(project);
      await session.query(sql);
      await using again = await connect(project, { options: '-c statement_timeout=0' });
      const took = await timed(async () => expect((how === 'set' ? session : again).query('select pg_sleep(30)')).rejects.toThrow());
      expect(took.ms).toBeLessThan(8000);
      return took.ms;
    }),
  );
  await using session = await connect(project);
  for (const sql of ['set temp_file_limit = -1', 'alter role current_user set temp_file_limit = -1'])
    await expect(session.query(sql)).rejects.toMatchObject({ code: '42501' });
  await expect(
    session.query('select count(*) from (select g from generate_series(1, 400000) g order by random()) x'),
  ).rejects.toMatchObject({
    code: '53400',
  });
  return `ended after ${Math.max(...ends)} ms of 30 s, with a bound of 3 s; temporary files beyond 1 MiB refused`;
});

attack('A push sets the password of the owner role', 'nobody logs in as it, before, during or after another push', async () => {
  const project = await flux.createProject('sneaky', 'v2_shared');
  const login = new URL(project.uri);
  login.username = login.username.replace(/login$/, 'ddl');
  login.password = 'known1';
  let tried = 0;
  let isOver = false;
  const trying = (async () => {
    for (; !isOver; tried++) {
      await expect(connect({ ...project, uri: String(login) })).rejects.toThrow(/not permitted to log in|authentication failed/);
    }
  })();
  for (let n = 0; n < 3; n++) await flux.push(project, `alter role current_user password 'known1'; create table t_${n} (id int)`);
  isOver = true;
  await trying;
  expect(tried).toBeGreaterThan(20);
  expect((await flux.flux('backup', 'create', ...project.flags, '--verify')).exitCode).toBe(0);
  return `${tried} tries during three pushes, none let in; a backup was verified afterwards`;
});

attack('Ten tenants take every connection that they get', 'Flux works on, and another tenant is let in', async () => {
  const crowd: TestProject[] = [];
  for (let n = 0; n < 10; n++) crowd.push(await flux.createProject(`crowd-${n}`, 'v2_shared'));
  const quiet = await flux.createProject('quiet', 'v2_shared');
  const clients: Client[] = [];
  let refused = 0;
  try {
    for (const project of crowd)
      for (let n = 0; n < 20; n++)
        await connect(project).then(
          (client) => clients.push(client),
          () => refused++,
        );
    await pause(1500);
    await using session = await connect(quiet);
    expect((await session.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    await flux.push(quiet, 'create table t (id int)');
    expect((await flux.flux('backup', 'create', ...quiet.flags)).exitCode).toBe(0);
    expect(Object.values(await statuses()).every((status) => status === 'running')).toBe(true);
  } finally {
    await Promise.all(clients.map((client) => client.end().catch(() => undefined)));
  }
  return `${clients.length} connections, ${refused} refused; a push, a backup and a list as always`;
});

attack('The owner of a database gives it settings that keep everybody out', 'Flux works on, and a push takes them back', async () => {
  const project = await flux.createProject('shut', 'v1_dedicated');
  await flux.push(project, 'create table t (id int); insert into t values (1)');
  const database = databaseOf(project);
  const settings = [
    `local_preload_libraries = 'nowhere'`,
    'default_transaction_read_only = on',
    `statement_timeout = '1ms'`,
    `lock_timeout = '1ms'`,
    'search_path = nowhere',
  ];
  await flux.push(project, settings.map((setting) => `alter database ${database} set ${setting};`).join('\n'));
  await expect(connect(project)).rejects.toThrow(/nowhere/);
  const verified = await flux.flux('backup', 'create', ...project.flags, '--verify');
  expect(verified.exitCode, verified.stderr).toBe(0);
  expect(await statuses()).toMatchObject({ shut: 'running' });
  expect((await flux.flux('project', 'credentials', project.slug, '--hash', project.hash)).exitCode).toBe(0);
  await flux.push(project, `alter database ${database} reset all`);
  await using session = await connect(project);
  expect((await session.query('select id from t')).rows).toEqual([{ id: 1 }]);
  return `${settings.length} settings: backup verified, credentials printed, project running`;
});

attack(
  'Pushes of twelve tenants sleep for hours, half as many again as may run at once',
  "a list, a new project, and another tenant's backup and push take 5 s each; whoever is sent away is told when to come again",
  async () => {
    const quiet = await flux.createProject('peaceful', 'v2_shared');
    const sleepers: TestProject[] = [];
    for (let n = 0; n < 12; n++) sleepers.push(await flux.createProject(`asleep-${n}`, 'v2_shared'));
    const leaving = new AbortController();
    const answers = sleepers.map(({ hash }) =>
      fetch(`${flux.url}/api/v1/projects/${hash}/push`, {
        method: 'POST',
        headers: { authorization: `Bearer ${flux.token()}`, 'content-type': 'application/json' },
        body: JSON.stringify({ sql: 'select pg_sleep(40000)' }),
        signal: leaving.signal,
      }).then(
        (answer) => ({ status: answer.status, retryAfter: Number(answer.headers.get('retry-after')) }),
        () => undefined,
      ),
    );
    try {
      // Who came when all places were taken has one by now, or was sent away.
      await pause(16_000);
      const listed = await timed(statuses);
      expect(Object.values(listed.value).every((status) => status === 'running')).toBe(true);
      const works = {
        list: listed.ms,
        create: (await timed(() => create('newcomer'))).ms,
        push: (await timed(() => flux.push(quiet, 'create table t (id int)'))).ms,
        backup: (await timed(async () => expect((await flux.flux('backup', 'create', ...quiet.flags)).exitCode).toBe(0))).ms,
      };
      for (const ms of Object.values(works)) expect(ms).toBeLessThan(5000);
      leaving.abort();
      const sentAway = (await Promise.all(answers)).filter((answer) => answer !== undefined);
      expect(sentAway.length).toBeGreaterThan(0);
      for (const { status, retryAfter } of sentAway) {
        expect(status).toBe(503);
        expect(retryAfter).toBeGreaterThan(0);
      }
      const seen = Object.entries(works).map(([what, ms]) => `${what} ${ms} ms`);
      return `${seen.join(', ')}; ${sentAway.length} of 12 were told to come again`;
    } finally {
      leaving.abort();
    }
  },
);
