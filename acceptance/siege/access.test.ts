import { once } from 'node:events';
import { request } from 'node:http';
import { afterAll, beforeAll, expect } from 'vitest';
import { type Flux, startFlux, type TestProject } from '../harness/flux.ts';
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
