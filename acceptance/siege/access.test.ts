import { once } from 'node:events';
import { request } from 'node:http';
import { afterAll, beforeAll, expect } from 'vitest';
import { type Flux, startFlux, type TestProject } from '../harness/flux.ts';
import { startHostileServer } from '../harness/hostile-server.ts';
import { startThrowAwayCluster } from '../harness/postgres.ts';
import { until } from '../harness/process.ts';
import { siegeChapter } from './attack.ts';

const attack = siegeChapter('Access');
let flux: Flux;
let shop: TestProject;
let limited: string;
let reader: string;

beforeAll(async () => {
  flux = await startFlux({ env: { FLUX_VERIFY_STANDBY: 'off', FLUX_HOSTS: 'flux.example.com' } });
  shop = await flux.createProject('shop', 'v2_shared');
  await flux.push(shop, 'create table t (id int); insert into t values (1);');
  expect((await flux.flux('backup', 'create', ...shop.flags)).exitCode).toBe(0);
  limited = await createToken('limited-one', '--access', 'admin', '--project', shop.hash);
  reader = await createToken('reader-one', '--access', 'read');
});
afterAll(() => flux?.[Symbol.asyncDispose]());

async function createToken(...args: string[]): Promise<string> {
  const made = await flux.flux('token', 'create', ...args, '--json');
  expect(made.exitCode, made.stderr).toBe(0);
  return (JSON.parse(made.stdout) as { token: string }).token;
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** `fetch` would not send another Host. */
async function ask(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
  const sent = request(`${flux.url}${path}`, { headers, method });
  sent.end();
  const [answer] = await once(sent, 'response');
  let text = '';
  for await (const piece of answer.setEncoding('utf8')) text += piece;
  return { status: answer.statusCode, headers: answer.headers, text };
}
async function send(path: string, token: string, body: object): Promise<{ status: number; text: string }> {
  const headers = { ...bearer(token), 'content-type': 'application/json' };
  const answer = await fetch(`${flux.url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
  return { status: answer.status, text: await answer.text() };
}
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

attack('Requests to other names (DNS rebinding)', '421 with a sentence that names the setting; own names are served', async () => {
  const paths = ['/healthz', '/metrics', '/api/openapi.json', '/.well-known/flux-receipt-keys.json', '/api/v1/projects', '/nowhere'];
  for (const path of paths)
    for (const host of ['evil.example', 'evil.example:4400', 'localhost.evil.example', '127.0.0.1.nip.io']) {
      const { status, text } = await ask(path, { ...bearer(flux.token()), host });
      expect({ path, host, status }).toEqual({ path, host, status: 421 });
      expect(JSON.parse(text)).toMatchObject({ code: 'misdirected', hint: expect.stringContaining('FLUX_HOSTS') });
    }
  for (const host of ['localhost', '127.0.0.1:9', '[::1]:9', 'flux.example.com', '10.0.0.7:4400'])
    expect((await ask('/healthz', { host })).status).toBe(200);
  return `${paths.length * 4} refused`;
});

attack('Answers of all kinds, shown by a browser', 'headers that forbid to guess types, to frame, to keep and to load', async () => {
  const expected = {
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-resource-policy': 'same-origin',
    'content-security-policy': expect.stringContaining("frame-ancestors 'none'"),
    'cache-control': 'no-store',
  };
  const admin = bearer(flux.token());
  const operations = JSON.parse((await ask('/api/v1/operations', admin)).text) as { operations: { id: string }[] };
  const paths = [
    '/healthz',
    '/readyz',
    '/nowhere',
    '/%E0%A4%A',
    '/api/v1/me',
    '/api/v1/tokens',
    `/api/v1/projects/${shop.hash}/credentials`,
  ];
  const events = `/api/v1/operations/${operations.operations[0]?.id}/events`;
  for (const path of [...paths, events])
    expect({ path, headers: (await ask(path, admin)).headers }).toMatchObject({ path, headers: expected });
  expect((await ask('/api/v1/me')).headers).toMatchObject(expected);
  const { 'cache-control': _, ...others } = expected;
  expect((await ask(`/api/v1/projects/${shop.hash}/backups/latest/download`, admin)).headers).toMatchObject(others);
  expect((await ask('/.well-known/flux-receipt-keys.json')).headers).toMatchObject(others);
  return `${paths.length + 4} answers`;
});

attack('A token of one project lists tokens and reads the audit', 'it sees no other token, not even by name', async () => {
  for (const path of ['/api/v1/tokens', '/api/cli/v1/tokens']) {
    const { status, text } = await ask(path, bearer(limited));
    expect(status).toBe(200);
    const { tokens } = JSON.parse(text) as { tokens: { name: string }[] };
    expect(tokens.map(({ name }) => name)).toEqual(['limited-one']);
  }
  const answers = [
    `/api/v1/audit?project=${shop.hash}`,
    `/api/cli/v1/audit?hash=${shop.hash}`,
    '/api/v1/operations',
    '/api/v1/doctor',
    `/api/v1/projects/${shop.hash}/doctor`,
    `/api/v1/projects/${shop.hash}/backups`,
  ];
  for (const path of answers) {
    const { status, text } = await ask(path, bearer(limited));
    expect({ path, status }).toEqual({ path, status: 200 });
    expect(text, path).not.toContain('reader-one');
    expect(text, path).not.toMatch(/first[ -]admin|"token":"(?!limited-one|\(another token\))/);
  }
  const own = JSON.parse((await ask('/api/v1/tokens', bearer(flux.token()))).text) as { tokens: object[] };
  expect(own.tokens).toHaveLength(3);
  return `${answers.length + 2} answers; in the audit it is "(another token)"`;
});

attack('A dump is downloaded: whole, in a part, by a read token', 'each download is in the audit before its first byte', async () => {
  const path = `/api/v1/projects/${shop.hash}/backups/latest/download`;
  expect((await ask(path, bearer(reader))).status).toBe(200);
  expect((await ask(path, { ...bearer(flux.token()), range: 'bytes=0-99' })).status).toBe(206);
  expect((await ask(path, bearer(reader), 'HEAD')).status).toBe(200);
  const { events } = JSON.parse((await ask(`/api/v1/audit?project=${shop.hash}`, bearer(flux.token()))).text) as {
    events: { action: string; token: string; details: object }[];
  };
  // The newest first.
  const downloads = events.filter(({ action }) => action === 'backup.download').slice(0, 2);
  expect(downloads).toMatchObject([
    { token: expect.stringContaining('admin'), details: { bytes: { from: 0, to: 99 } } },
    { token: 'reader-one', details: { bytes: { all: expect.any(Number) } } },
  ]);
  return `${downloads.length} lines; a HEAD sends nothing and leaves none`;
});

attack(
  'Databases at addresses that nobody should reach: attached, and as targets of --to',
  '403 before anything is sent there; other ports of this host stay possible',
  async () => {
    const api = new URL(flux.url).port;
    const instance = new URL(shop.uri).port;
    await using honey = await startHostileServer({ moment: 'at once', misbehave: (socket) => socket.destroy() });
    const refused = [
      ...['127.0.0.1', 'localhost', '127.1', '2130706433', '[::1]', '[::ffff:127.0.0.1]', '0.0.0.0', '127.9.9.9'].flatMap((host) => [
        `${host}:${api}`,
        `${host}:${instance}`,
      ]),
      ...[
        '169.254.169.254:80',
        '2852039166:80',
        '[::ffff:a9fe:a9fe]:80',
        '[fd00:ec2::254]:80',
        '[fe80::1]:5432',
        '224.0.0.1:5432',
        '[::]:5432',
      ],
      `127.0.0.1:${honey.port},169.254.169.254:80`,
      `127.0.0.1:${honey.port},127.0.0.1:${api}`,
    ].map((hosts) => `postgresql://somebody:something@${hosts}/somewhere`);
    const sockets = [
      `postgresql://somebody@/somewhere?host=${encodeURIComponent(`${flux.dataFolder}/instances/catalog`)}`,
      'postgresql://somebody@%2Ftmp/x',
    ];
    for (const attach of [...refused, ...sockets]) {
      const { status, text } = await send('/api/v1/projects', flux.token(), { slug: 'inside', attach });
      expect({ attach, status }).toEqual({ attach, status: 403 });
      expect(JSON.parse(text)).toMatchObject({ code: 'forbidden', hint: expect.stringContaining('FLUX_FOREIGN_ADDRESSES') });
    }
    for (const to of refused.slice(0, 6)) {
      const { status, text } = await send(`/api/v1/projects/${shop.hash}/backups/latest/restore`, limited, { to });
      expect({ to, status, code: (JSON.parse(text) as { code: string }).code }).toEqual({ to, status: 403, code: 'forbidden' });
    }
    expect(honey.seen.came).toBe(0);
    return `${refused.length + sockets.length} attached, 6 with --to`;
  },
);

attack(
  'A project token asks what listens where, with --to',
  'the same words for refused, wrong password, and what is no Postgres; an operator is told the reason',
  async () => {
    await using silent = await startHostileServer({
      moment: 'at once',
      misbehave: (socket) => void socket.end('220 mail.example ESMTP\r\n'),
    });
    await using elsewhere = await startThrowAwayCluster();
    const real = new URL(elsewhere.uri('postgres'));
    real.password = 'wrong';
    const uris = [
      real.href,
      `postgresql://elsewhere:x@127.0.0.1:${silent.port}/postgres`,
      'postgresql://elsewhere:x@127.0.0.1:1/postgres',
      'postgresql://elsewhere:x@no-such-host.invalid:5432/postgres',
    ];
    const outcomes: string[] = [];
    const reasons = new Set<string>();
    for (const to of uris) {
      const started = await send(`/api/v1/projects/${shop.hash}/backups/latest/restore`, limited, { to });
      expect(started.status, started.text).toBe(202);
      const { id } = JSON.parse(started.text) as { id: string };
      const read = async (token: string) =>
        JSON.parse((await ask(`/api/v1/operations/${id}`, bearer(token))).text) as {
          state: string;
          error?: { detail: string; hint: string; details?: object };
        };
      await until('it has ended', async () => (await read(limited)).state === 'failed');
      const { error } = await read(limited);
      const { hostname, port } = new URL(to);
      outcomes.push(JSON.stringify(error).replaceAll(`${hostname}:${port}`, 'HOST'));
      reasons.add((await read(flux.token())).error?.detail ?? '');
    }
    expect(new Set(outcomes).size, outcomes.join('\n')).toBe(1);
    expect([...reasons].join('\n')).toMatch(/password authentication failed/);
    expect([...reasons].join('\n')).toMatch(/ECONNREFUSED/);
    return `${uris.length} cases, one answer`;
  },
);

attack('A read token, where FLUX_DOWNLOAD_ACCESS=write', '403 for downloads; /metrics only as FLUX_METRICS says', async () => {
  const path = `/api/v1/projects/${shop.hash}/backups/latest/download`;
  expect((await ask('/metrics')).status).toBe(401);
  expect((await ask('/metrics', bearer(limited))).status).toBe(403);
  expect((await ask('/metrics', bearer(reader))).text).toContain('# HELP');
  await flux.stop();
  await flux.start({ FLUX_DOWNLOAD_ACCESS: 'write', FLUX_METRICS: 'off' });
  const refused = await ask(path, bearer(reader));
  expect({ status: refused.status, text: refused.text }).toMatchObject({
    status: 403,
    text: expect.stringContaining('a download needs write here'),
  });
  expect((await ask(path, bearer(flux.token()))).status).toBe(200);
  expect((await ask('/metrics', bearer(flux.token()))).status).toBe(404);
  await flux.stop();
  await flux.start({ FLUX_METRICS: 'loopback' });
  expect((await ask('/metrics')).status).toBe(200);
  return 'refused; with off, token and loopback as documented';
});
