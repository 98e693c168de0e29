import { readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { makeSelfSigned } from '../harness/certificates.ts';
import { type Flux, startFlux, type TestProject } from '../harness/flux.ts';
import { type HostileServer, type Moment, startHostileServer } from '../harness/hostile-server.ts';
import { MISBEHAVIOURS } from '../harness/misbehaviours.ts';
import { psql, startThrowAwayCluster } from '../harness/postgres.ts';
import { pause, until } from '../harness/process.ts';
import { siegeChapter } from './attack.ts';

const attack = siegeChapter('Bytes of other servers');
/** A connection that never was, tried with and without TLS, then a session that only looks. */
const BOUND_MS = 10_000;

let flux: Flux;
let shop: TestProject;
/** An address of this host at which sockets of the server under test have a handler that throws. */
const ASTRAY = '127.0.0.2';
/**
 * Throws where no code of ours handles it, as an event of a socket without a listener would: on request, where it belongs to nothing, and in a
 * handler of each socket that is connected to `ASTRAY`, with the first bytes that arrive.
 */
const STRAY = `data:text/javascript,${encodeURIComponent(`
  import net from 'node:net';
  process.on('SIGUSR2', () => { setImmediate(() => { throw new Error('astray') }); Promise.reject(new Error('rejected')) });
  const connect = net.Socket.prototype.connect;
  net.Socket.prototype.connect = function (...args) {
    this.once('connect', () => {
      if (this.remoteAddress === '${ASTRAY}') this.once('data', () => { throw new Error('astray in a socket') });
    });
    return connect.apply(this, args);
  };
`)}`;

beforeAll(async () => {
  flux = await startFlux({
    env: {
      FLUX_FOREIGN_TIMEOUT: '1500ms',
      FLUX_BACKUP_TIMEOUT: '4s',
      FLUX_CONCURRENCY: '8',
      FLUX_VERIFY_STANDBY: 'off',
      NODE_OPTIONS: `--import "${STRAY}"`,
    },
  });
  shop = await flux.createProject('shop', 'v2_shared');
  await flux.push(shop, 'create table t (id int); insert into t values (1), (2);');
});
afterAll(() => flux?.[Symbol.asyncDispose]());

const pid = () => flux.pid();
const memoryMib = (name: 'VmHWM' | 'VmRSS') =>
  Math.round(Number(new RegExp(`${name}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid()}/status`, 'utf8'))?.[1]) / 1024);
/** Starts the measurement of the peak again. Source: proc(5), clear_refs. */
const resetPeak = () => writeFileSync(`/proc/${pid()}/clear_refs`, '5');

interface Answer {
  readonly status: number;
  readonly body: { readonly code?: string; readonly detail?: string; readonly hint?: string; readonly operation?: { id: string } };
  readonly ms: number;
}

async function send(path: string, body: object): Promise<Answer> {
  const began = performance.now();
  const answer = await fetch(`${flux.url}/api/v1${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${flux.token()}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: answer.status, body: (await answer.json()) as Answer['body'], ms: performance.now() - began };
}

async function operationOf(id: string): Promise<{ state: string; error?: { code: string; detail: string } }> {
  const answer = await fetch(`${flux.url}/api/v1/operations/${id}`, { headers: { authorization: `Bearer ${flux.token()}` } });
  return (await answer.json()) as never;
}

/** Asks again and again how long others wait, until the work is done. */
async function whileOthersAsk<T>(work: Promise<T>): Promise<{ outcome: T; worstMs: number }> {
  let worstMs = 0;
  let isOver = false;
  const asking = (async () => {
    while (!isOver) {
      const began = performance.now();
      expect((await fetch(`${flux.url}/healthz`)).status).toBe(200);
      worstMs = Math.max(worstMs, performance.now() - began);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  try {
    return { outcome: await work, worstMs };
  } finally {
    isOver = true;
    await asking;
  }
}

async function eachMisbehaviour(
  moment: Moment,
  names: readonly string[],
  atOnce: number,
  ask: (server: HostileServer, name: string) => Promise<void>,
): Promise<string> {
  const first = pid();
  resetPeak();
  const before = memoryMib('VmRSS');
  const work = async () => {
    // A few at once: each may be sent what fills the largest message that is read.
    const left = [...names];
    const worker = async () => {
      for (let name = left.shift(); name !== undefined; name = left.shift()) {
        await using server = await startHostileServer({ moment, misbehave: MISBEHAVIOURS[name] as never });
        await ask(server, name);
        await until(`the connection is gone: ${name}`, () => server.seen.open === 0, 5000);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
  };
  const { worstMs } = await whileOthersAsk(work());
  expect(pid()).toBe(first);
  const peak = memoryMib('VmHWM');
  expect(peak - before).toBeLessThan(2048);
  expect(flux.log()).not.toContain('because of a defect');
  return `${names.length} servers; memory ${before} MiB, at most ${peak}; others waited at most ${Math.round(worstMs)} ms`;
}

for (const moment of ['at once', 'after login'] as const)
  attack(
    `A hostile server is attached: it misbehaves ${moment}, in ${Object.keys(MISBEHAVIOURS).length} ways`,
    'each ends with a sentence within 10 s; the process goes on, with at most 2 GiB more memory',
    () =>
      eachMisbehaviour(moment, Object.keys(MISBEHAVIOURS), 4, async (server, name) => {
        const { status, body, ms } = await send('/projects', { slug: `x${server.port}`, attach: server.uri('?connect_timeout=2') });
        expect({ name, status, code: body.code }).toEqual({ name, status: 503, code: 'instance_unavailable' });
        expect(body.detail, name).toMatch(/^[A-Z].{20,}/);
        expect(body.hint, name).toBeTruthy();
        expect(ms, name).toBeLessThan(BOUND_MS);
      }),
  );

attack(
  'A hostile server is the target of a restore with --to',
  'each ends with a sentence within the time limit; the process goes on, with at most 2 GiB more memory',
  async () => {
    const created = await flux.flux('backup', 'create', ...shop.flags, '--json');
    expect(created.exitCode, created.stderr).toBe(0);
    // One at a time: each holds the backup.
    const some = Object.keys(MISBEHAVIOURS).filter((_, index) => index % 3 === 0);
    return await eachMisbehaviour('after login', some, 1, async (server, name) => {
      const { status, body } = await send(`/projects/${shop.hash}/backups/latest/restore`, { to: server.uri('?connect_timeout=2') });
      expect({ name, status }).toEqual({ name, status: 202 });
      const id = (body as unknown as { id: string }).id;
      await until(`it has ended: ${name}`, async () => !['queued', 'running'].includes((await operationOf(id)).state), 30_000);
      const { state, error } = await operationOf(id);
      expect({ name, state, code: error?.code }).toEqual({ name, state: 'failed', code: 'instance_unavailable' });
      expect(error?.detail, name).toMatch(/^[A-Z].{20,}/);
    });
  },
);

attack(
  'A real database is attached, and its server misbehaves while it is dumped',
  'the backup fails within its time limit with a sentence; nothing is stored',
  async () => {
    await using elsewhere = await startThrowAwayCluster();
    await psql(elsewhere.uri('postgres'), 'create table t as select i, repeat($$x$$, 100) from generate_series(1, 1000) i');
    const upstream = new URL(elsewhere.uri('postgres'));
    const seen: string[] = [];
    const moments = ['pg_export_snapshot', 'COPY public.t', 'pg_catalog.pg_class', 'hashtext', 'COMMIT'];
    const ways = ['silence', 'garbage', 'endless rows', 'endless COPY data', 'a message of 2 GB', 'closing in the middle of a message'];
    const cases = moments.flatMap((atText, index) => ways.filter((_, way) => (way + index) % 6 === 0).map((way) => ({ atText, way })));
    for (const { atText, way } of cases) {
      let isArmed = false;
      const moment = { upstreamPort: Number(upstream.port), atText, isArmed: () => isArmed };
      await using server = await startHostileServer({ moment, misbehave: MISBEHAVIOURS[way] as never });
      const slug = `d${server.port}`;
      const { body } = await send('/projects', { slug, attach: upstream.href.replace(`:${upstream.port}/`, `:${server.port}/`) });
      const { hash } = (body as unknown as { project: { hash: string } }).project;
      isArmed = true;
      const began = performance.now();
      const created = await flux.flux('backup', 'create', '--project', slug, '--hash', hash);
      const ms = performance.now() - began;
      if (server.seen.misbehaved === 0) {
        expect(created.exitCode, created.stderr).toBe(0);
        continue;
      }
      expect(created.exitCode, `${atText}, ${way}: ${created.stdout}`).toBe(1);
      expect(created.stderr, `${atText}, ${way}`).toMatch(/^Error: [^\n]{20,}/m);
      expect(created.stderr, `${atText}, ${way}`).not.toContain('defect');
      expect(ms, `${atText}, ${way}`).toBeLessThan(15_000);
      seen.push(way);
    }
    expect(seen.length).toBeGreaterThanOrEqual(3);
    return `${seen.length} of ${cases.length} cases met the dump; each failed with a sentence`;
  },
);

attack('Certificates that do not match', 'no password is sent; a sentence says why', async () => {
  for (const name of ['theirs', 'ours']) makeSelfSigned(flux.folder, name);
  const file = (name: string) => readFileSync(join(flux.folder, name), 'utf8');
  const received: Buffer[] = [];
  await using server = await startHostileServer({
    moment: 'after login',
    tls: { key: file('theirs.key'), cert: file('theirs.pem') },
    misbehave: (socket) => void socket.on('data', (bytes) => received.push(bytes)),
  });
  const cases = [
    `?sslmode=verify-full&sslrootcert=${join(flux.folder, 'ours.pem')}`,
    `?sslmode=verify-full&sslrootcert=${join(flux.folder, 'theirs.pem')}`,
    `?sslmode=verify-ca&sslrootcert=${join(flux.folder, 'ours.pem')}`,
  ];
  for (const parameters of cases) {
    const { status, body } = await send('/projects', { slug: 'tls', attach: server.uri(`${parameters}&connect_timeout=2`) });
    expect({ status, code: body.code }).toEqual({ status: 503, code: 'instance_unavailable' });
    expect(body.detail).toMatch(/certificate/i);
  }
  expect(server.seen.misbehaved).toBe(0);
  expect(received).toEqual([]);
  return `${cases.length} sessions refused in the handshake`;
});

attack(
  'Values, notices and errors of up to 560 MB in a push',
  'each ends within 60 s, as a success or with a sentence; others are served',
  async () => {
    // The time limit of the attacks before is also that of a session of the pool.
    await flux.stop();
    await flux.start({ FLUX_BACKUP_TIMEOUT: '2h' });
    const first = pid();
    resetPeak();
    const before = memoryMib('VmRSS');
    const sqls: Readonly<Record<string, RegExp | undefined>> = {
      'select repeat($$x$$, 560000000)': /^Error: .*Postgres sent a value, notice or error of 535 MiB/,
      "do $$ begin raise warning '%', repeat('w', 140000000); end $$": /^Error: .*Postgres sent a value, notice or error of/,
      "do $$ begin execute 'comment on table nowhere is ''' || repeat('x', 140000000) || ''''; end $$":
        /^Error: .*Postgres sent a value, notice or error of/m,
      "select set_config('application_name', repeat('a', 100000000), false)": undefined,
      [`select ${Array.from({ length: 1600 }, (_, index) => `repeat('x', 60000) as c${index}`).join(', ')}`]: undefined,
    };
    const work = async () => {
      for (const [sql, expected] of Object.entries(sqls)) {
        const path = join(flux.folder, 'large.sql');
        writeFileSync(path, `${sql};`);
        const pushed = await flux.flux('push', path, ...shop.flags, '--mode', 'raw');
        if (expected === undefined) expect(pushed.exitCode, `${sql.slice(0, 80)}: ${pushed.stderr.slice(0, 500)}`).toBe(0);
        else expect(pushed.stderr).toMatch(expected);
        expect(pushed.stderr.length).toBeLessThan(40_000);
      }
    };
    const { worstMs } = await whileOthersAsk(work());
    expect(pid()).toBe(first);
    const peak = memoryMib('VmHWM');
    expect(peak - before).toBeLessThan(1536);
    return `memory ${before} MiB, at most ${peak}; others waited at most ${Math.round(worstMs)} ms`;
  },
);

attack('An error that no code handles: thrown in a callback, and a rejected promise', 'it is logged, and the process goes on', async () => {
  const before = pid();
  process.kill(before, 'SIGUSR2');
  await until('both are in the log', () => flux.log().includes('astray') && flux.log().includes('rejected'));
  const list = await flux.flux('list');
  expect(list.exitCode, list.stderr).toBe(0);
  expect(pid()).toBe(before);
  const lines = flux
    .log()
    .split('\n')
    .filter((line) => line.includes('an error was not handled'));
  expect(lines).toHaveLength(2);
  return 'both in the log; the next command is answered';
});

attack(
  'An error that no code handles, thrown in a handler of a socket that a request has opened',
  'that request and its connection end within 5 s; another request and its connection go on; it is logged',
  async () => {
    const before = pid();
    let opened = 0;
    const sockets = new Set<Socket>();
    // It refuses TLS, and says no more.
    const server = createServer((socket) => {
      opened += 1;
      sockets.add(socket.on('error', () => undefined).on('close', () => sockets.delete(socket)));
      socket.once('data', () => socket.write('N'));
    });
    await new Promise<void>((resolve) => server.listen(0, ASTRAY, resolve));
    try {
      const { port } = server.address() as AddressInfo;
      const slow = join(flux.folder, 'slow.sql');
      writeFileSync(slow, 'select pg_sleep(4);');
      const other = flux.flux('push', slow, ...shop.flags, '--mode', 'raw');
      await pause(1000);
      const { status, body, ms } = await send('/projects', { slug: 'astray', attach: `postgresql://u:p@${ASTRAY}:${port}/d` });
      expect(opened).toBeGreaterThan(0);
      expect({ status, code: body.code }).toEqual({ status: 500, code: 'internal' });
      expect(ms).toBeLessThan(5000);
      await until('its connections are closed', () => sockets.size === 0, 5000);
      expect((await other).exitCode, (await other).stderr).toBe(0);
    } finally {
      for (const socket of sockets) socket.destroy();
      server.close();
    }
    expect(pid()).toBe(before);
    const lines = flux
      .log()
      .split('\n')
      .filter((line) => line.includes('astray in a socket'));
    expect(lines.filter((line) => line.includes('to work that is ended'))).not.toEqual([]);
    return 'answered with 500; a push that ran meanwhile was applied';
  },
);

attack('After all of this', 'memory is back, and a backup is verified', async () => {
  const verified = await flux.flux('backup', 'create', ...shop.flags, '--verify');
  expect(verified.exitCode, verified.stderr).toBe(0);
  const now = memoryMib('VmRSS');
  return `memory ${now} MiB`;
});
