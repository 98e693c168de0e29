import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { type Flux, startFlux, type TestProject } from '../harness/flux.ts';
import { processesOfServer } from '../harness/postmaster.ts';
import { until } from '../harness/process.ts';
import { exchange, openRaw } from '../harness/raw-http.ts';
import { watchMemory, whileOthersAsk } from '../harness/siege-load.ts';
import { siegeChapter } from './attack.ts';

const attack = siegeChapter('Requests');
const PER_ADDRESS = 400;
let flux: Flux;
let shop: TestProject;

beforeAll(async () => {
  flux = await startFlux({ env: { FLUX_CONNECTIONS_PER_ADDRESS: String(PER_ADDRESS), FLUX_VERIFY_STANDBY: 'off' } });
  shop = await flux.createProject('shop', 'v2_shared');
});
afterAll(() => flux?.[Symbol.asyncDispose]());

const authorized = () => ({ authorization: `Bearer ${flux.token()}` });
const sendJson = (method: string, path: string, body: unknown, headers: Record<string, string> = {}) =>
  fetch(`${flux.url}${path}`, {
    method,
    headers: { ...authorized(), 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });

/** Sends a body in pieces as fast as it is taken. @returns how many bytes were taken, and the answer */
async function pour(head: string, piece: Buffer, pieces: number): Promise<{ taken: number; answer: string }> {
  const socket = await openRaw(flux.url);
  let answer = '';
  socket.setEncoding('utf8').on('data', (text) => {
    answer += text;
  });
  socket.write(head);
  for (let sent = 0; sent < pieces && socket.writable; sent++)
    if (!socket.write(piece)) await until('it is taken', () => socket.writableLength === 0 || socket.destroyed, 30_000);
  const taken = socket.bytesWritten - socket.writableLength;
  await until('it is answered, or cut off', () => answer.includes('}') || socket.destroyed, 20_000);
  socket.destroy();
  return { taken, answer };
}

const MIB = 2 ** 20;
const pushHead = (length: number, more = '') =>
  `POST /api/cli/v1/push HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n${more}\r\n`;

attack(
  '130 MB of brackets without a token, three at once',
  '401; at most 32 MiB of each are taken; others wait less than a second; less than 64 MiB more memory',
  async () => {
    const memory = watchMemory(flux);
    const work = Promise.all([1, 2, 3].map(() => pour(pushHead(130_000_000), Buffer.alloc(MIB, '['), 124)));
    const { outcome, worstMs } = await whileOthersAsk(flux, work);
    for (const { taken, answer } of outcome) {
      expect(answer).toMatch(/^HTTP\/1\.1 401 [\s\S]*"code":"not_authenticated"/);
      expect(taken).toBeLessThan(32 * MIB);
    }
    expect(worstMs).toBeLessThan(1000);
    expect(memory.peak() - memory.before).toBeLessThan(64);
    const most = Math.round(Math.max(...outcome.map(({ taken }) => taken)) / MIB);
    return `at most ${most} MiB taken; others waited ${worstMs} ms; ${memory.peak() - memory.before} MiB more memory`;
  },
);

attack('130 MB while the catalog is stopped, so that nobody can say whose they are', '503; at most 32 MiB are taken', async () => {
  const catalog = processesOfServer(join(flux.dataFolder, 'instances/catalog/data'));
  for (const pid of catalog) process.kill(pid, 'SIGSTOP');
  let outcome: { taken: number; answer: string };
  try {
    outcome = await pour(pushHead(130_000_000, `Authorization: Bearer ${flux.token()}\r\n`), Buffer.alloc(MIB, '['), 124);
  } finally {
    for (const pid of catalog) process.kill(pid, 'SIGCONT');
  }
  expect(outcome.answer).toMatch(/^HTTP\/1\.1 503 [\s\S]*"code":"catalog_unavailable"/);
  expect(outcome.taken).toBeLessThan(32 * MIB);
  await until('it is ready', async () => (await fetch(`${flux.url}/readyz`)).status === 200);
  return `at most ${Math.round(outcome.taken / MIB)} MiB taken`;
});

attack(
  'Bodies with a token: 100 MB of brackets, a million members, 2 MB where little is expected',
  '400 or 413 with a sentence; others wait less than 3 s',
  async () => {
    const token = `Authorization: Bearer ${flux.token()}\r\n`;
    const work = async () => {
      const { answer } = await pour(pushHead(100 * MIB, token), Buffer.alloc(MIB, '['), 100);
      expect(answer).toMatch(/^HTTP\/1\.1 400 [\s\S]*nested more than 64 deep/);
      const many = await sendJson('POST', '/api/cli/v1/push', { slug: 'shop', hash: shop.hash, sql: '', x: Array(1_000_000).fill(1) });
      expect({ status: many.status, text: await many.text() }).toMatchObject({
        status: 400,
        text: expect.stringContaining('more than 100000 values'),
      });
      const large = await sendJson('POST', '/api/v1/tokens', { name: 'x'.repeat(2 * MIB) });
      expect({ status: large.status, text: await large.text() }).toMatchObject({
        status: 413,
        text: expect.stringContaining('larger than 1 MiB'),
      });
    };
    const { worstMs } = await whileOthersAsk(flux, work());
    expect(worstMs).toBeLessThan(3000);
    return `all refused; others waited ${worstMs} ms`;
  },
);

attack(
  `${PER_ADDRESS + 50} connections of one address: silent, or with headers that never end`,
  'those beyond the limit are told so at once; the others are closed within 25 s; a token is served meanwhile',
  async () => {
    const began = performance.now();
    const sockets = await Promise.all(Array.from({ length: PER_ADDRESS - 50 }, () => openRaw(flux.url)));
    const closed = Promise.all(sockets.map((socket) => once(socket.resume(), 'close')));
    const drip = setInterval(() => {
      for (const [index, socket] of sockets.entries()) if (index % 2 === 0 && socket.writable) socket.write(drops.next().value ?? '');
    }, 1000);
    const drops = (function* () {
      yield 'GET /healthz HTTP/1.1\r\n';
      for (;;) yield 'X-More: 1\r\n';
    })();
    const { worstMs } = await whileOthersAsk(
      flux,
      (async () => {
        const list = await flux.flux('list');
        expect(list.exitCode, list.stderr).toBe(0);
        const beyond = await Promise.all(Array.from({ length: 100 }, () => exchange(flux.url, '', 5000)));
        expect(beyond.filter((text) => text.startsWith('HTTP/1.1 503')).length).toBeGreaterThanOrEqual(20);
        await closed;
      })(),
    );
    clearInterval(drip);
    const seconds = (performance.now() - began) / 1000;
    expect(seconds).toBeLessThan(27);
    return `all closed after ${Math.round(seconds)} s; others waited ${worstMs} ms`;
  },
);

attack('What is no HTTP, and addresses that cannot be read', 'problem+json with the headers of every answer; never 500', async () => {
  const malformed = [
    'GET /%E0%A4%A HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
    'GET /api/v1/projects/%FF HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
    'rubbish\r\n\r\n',
    '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\ufffd\r\n\r\n',
    'GET / HTTP/9.9\r\nHost: localhost\r\n\r\n',
    `GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: ${'x'.repeat(200_000)}\r\n\r\n`,
    'POST /api/v1/tokens HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'POST /api/v1/tokens HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n',
    'GET /nowhere HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
  ];
  for (const bytes of malformed) {
    const answer = await exchange(flux.url, bytes);
    const what = bytes.slice(0, 60);
    expect(answer, what).toMatch(/^HTTP\/1\.1 4\d\d /);
    expect(answer, what).toMatch(/\r\ncontent-type: application\/problem\+json/i);
    expect(answer, what).toMatch(/\r\nx-content-type-options: nosniff\r\n/i);
    expect(answer, what).toContain('"error":"');
  }
  return `${malformed.length} requests`;
});

attack('Every route, with names and members that mean nothing', 'never 500, and nothing about a defect in the log', async () => {
  const document = (await (await fetch(`${flux.url}/api/openapi.json`)).json()) as { paths: Record<string, Record<string, object>> };
  const values = ['abc', '%00', '..%2f..', "'%20or%201=1--", '9'.repeat(500), '00000000-0000-0000-0000-000000000000', '%F0%9F%92%A5'];
  const bodies = [
    undefined,
    {},
    [],
    'text',
    null,
    { slug: '\u0000', hash: '\u0000', name: '\u0000', sql: '\u0000', note: '\u0000', reason: '\u0000' },
  ];
  let count = 0;
  const statuses = new Set<number>();
  for (const [path, methods] of Object.entries(document.paths))
    for (const method of Object.keys(methods))
      await Promise.all(
        values.map(async (value, index) => {
          // The project is there in half of them, so that what is behind it is reached.
          const filled = path.replace('{hash}', index % 2 === 0 ? shop.hash : value).replaceAll(/\{\w+\}/g, value);
          if (/\/(?:nuke|stop)$/.test(filled)) return;
          const answer = await fetch(`${flux.url}${filled}?limit=${value}&cursor=${value}`, {
            method: method.toUpperCase(),
            headers: { ...authorized(), ...(method === 'get' ? {} : { 'content-type': 'application/json' }) },
            ...(method === 'get' ? {} : { body: JSON.stringify(bodies[index % bodies.length]) ?? '' }),
            signal: AbortSignal.timeout(20_000),
          });
          await answer.text();
          count += 1;
          statuses.add(answer.status);
          expect(answer.status, `${method} ${filled} ${JSON.stringify(bodies[index % bodies.length])}`).not.toBe(500);
        }),
      );
  expect(flux.log()).not.toContain('defect');
  const revoked = await fetch(`${flux.url}/api/v1/tokens/abc`, { method: 'DELETE', headers: authorized() });
  expect({ status: revoked.status, body: await revoked.json() }).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
  return `${count} requests; ${[...statuses].sort().join(', ')}`;
});

attack('300 requests of all kinds over one connection', 'no warning about listeners', async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const send = (method: string, path: string, body?: string) =>
    new Promise<number>((resolve, reject) => {
      const type = path.endsWith('/import') ? 'application/octet-stream' : 'application/json';
      const sent = request(`${flux.url}${path}`, {
        method,
        agent,
        headers: { ...authorized(), ...(body === undefined ? {} : { 'content-type': type }) },
      });
      sent.on('response', (answer) => answer.resume().on('end', () => resolve(answer.statusCode ?? 0)));
      sent.on('error', reject);
      sent.end(body);
    });
  for (let round = 0; round < 60; round++) {
    expect(await send('GET', '/healthz')).toBe(200);
    expect(await send('GET', `/api/v1/projects/${shop.hash}`)).toBe(200);
    await send('POST', `/api/v1/projects/${shop.hash}/push`, JSON.stringify({ sql: 'select 1', dryRun: true }));
    await send('POST', `/api/v1/projects/${shop.hash}/backups/import?name=x`, 'no archive');
    expect(await send('DELETE', '/api/v1/tokens/abc')).toBe(400);
  }
  agent.destroy();
  expect(flux.log()).not.toContain('MaxListenersExceededWarning');
  return 'none';
});

attack(
  'A push with 300 warnings of 700 kB',
  'it is done, and answered as done; 100 warnings, shortened, and the number of the others',
  async () => {
    const path = join(flux.folder, 'warns.sql');
    writeFileSync(
      path,
      `create table after_notice (id int);
    do $$ begin for i in 1..300 loop raise warning '%', repeat('w', 700000); end loop; end $$;`,
    );
    const memory = watchMemory(flux);
    const pushed = await flux.flux('push', path, ...shop.flags, '--mode', 'raw');
    expect(pushed.exitCode, pushed.stderr.slice(0, 1000)).toBe(0);
    expect(pushed.stderr).toContain('200 more warnings of warns.sql are not shown.');
    expect(pushed.stderr.length).toBeLessThan(300_000);
    await flux.push(shop, 'insert into after_notice values (1);');
    return `exit 0, ${Math.round(pushed.stderr.length / 1000)} kB of warnings, ${memory.peak() - memory.before} MiB more memory`;
  },
);

attack('A creation that is repeated with its Idempotency-Key after the project was removed', 'not 201 again', async () => {
  const key = { 'idempotency-key': 'again' };
  const first = await sendJson('POST', '/api/v1/projects', { slug: 'soon-gone' }, key);
  expect(first.status).toBe(201);
  const { hash } = ((await first.json()) as { project: { hash: string } }).project;
  expect((await sendJson('POST', '/api/v1/projects', { slug: 'soon-gone' }, key)).status).toBe(201);
  const nuked = await flux.flux('nuke', 'soon-gone', '--hash', hash, '--yes', '--skip-backup-check');
  expect(nuked.exitCode, nuked.stderr).toBe(0);
  const again = await sendJson('POST', '/api/v1/projects', { slug: 'soon-gone' }, key);
  expect({ status: again.status, body: await again.json() }).toMatchObject({
    status: 404,
    body: { detail: `The first request with this Idempotency-Key created the project ${hash}, which has been removed since.` },
  });
  return '404, which says that it has been removed';
});

attack(
  'More requests a minute than are allowed, with and without a token',
  '429 with Retry-After, for that token and that address only',
  async () => {
    const made = JSON.parse((await flux.flux('token', 'create', 'fast', '--access', 'read', '--json')).stdout) as { token: string };
    const other = JSON.parse((await flux.flux('token', 'create', 'other', '--access', 'read', '--json')).stdout) as { token: string };
    await flux.stop();
    await flux.start({ FLUX_RATE_LIMIT: '120' });
    const ask = async (token: string | undefined) => {
      const answer = await fetch(`${flux.url}${token === undefined ? '/api/openapi.json' : '/api/v1/me'}`, {
        headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      });
      await answer.text();
      return { status: answer.status, after: Number(answer.headers.get('retry-after')) };
    };
    for (const token of [made.token, undefined]) {
      const answers = [];
      for (let count = 0; count < 200; count++) answers.push(await ask(token));
      expect(answers.slice(0, 120).every(({ status }) => status === 200)).toBe(true);
      const refused = answers.filter(({ status }) => status === 429);
      expect(refused.length).toBeGreaterThan(40);
      expect(refused.every(({ after }) => after >= 1 && after <= 60)).toBe(true);
    }
    expect((await ask(other.token)).status).toBe(200);
    // A supervisor may have the address of whoever floods.
    for (const path of ['/healthz', '/readyz']) expect((await fetch(flux.url + path)).status).toBe(200);
    return 'after 120, each further one waits; another token is served';
  },
);
