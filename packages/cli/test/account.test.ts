import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type ControlPlane, PROJECT, sendProblem, startControlPlane, TOKEN } from './control-plane.ts';
import { flux, makeSandbox, type Sandbox } from './flux.ts';

vi.setConfig({ testTimeout: 60_000 });

let plane: ControlPlane;
let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = await makeSandbox();
  plane = await startControlPlane({
    'GET /me': () => ({
      user: 'admin',
      defaultMode: 'v1_dedicated',
      token: { name: 'first', access: 'admin', projects: null, expiresAt: null },
    }),
  });
});
afterEach(async () => {
  await plane.close();
  await sandbox[Symbol.asyncDispose]();
});
const anonymous = { FLUX_API_TOKEN: '' };

it('stores a token that the control plane knows, readable by nobody else, and uses it afterwards', async () => {
  const login = await flux(['login', '--token-stdin'], { base: plane.base, sandbox, env: anonymous, input: `${TOKEN}\n` });
  expect(login).toMatchObject({ exitCode: 0 });
  expect(login.out + login.err).not.toContain(TOKEN);
  const path = join(sandbox.home, '.flux/config.json');
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect((await stat(join(sandbox.home, '.flux'))).mode & 0o777).toBe(0o700);
  expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({ apiBase: plane.base, token: TOKEN });

  // The address comes from the login now.
  const who = await flux(['whoami', '--json'], { sandbox, env: anonymous });
  expect(JSON.parse(who.out)).toMatchObject({ user: 'admin', apiBase: plane.base });

  expect((await flux(['logout'], { sandbox, env: anonymous })).exitCode).toBe(0);
  expect((await flux(['whoami'], { base: plane.base, sandbox, env: anonymous })).exitCode).toBe(5);
});

it('catches a mistyped token before it is sent', async () => {
  const result = await flux(['login', '--token-stdin'], { base: plane.base, sandbox, env: anonymous, input: TOKEN.replace('0', '1') });

  expect(result.exitCode).toBe(5);
  expect(plane.seen).toEqual([]);
});

it.each([
  ['the end of input', ['login', '--token-stdin']],
  ['a missing terminal', ['login']],
  ['--no-input', ['login', '--no-input']],
])('treats %s at the prompt as an error', async (_name, args) => {
  const result = await flux(args, { base: plane.base, sandbox, env: anonymous });

  expect(result.exitCode).toBe(2);
  expect(result.err).toContain('--token-stdin');
});

it('keeps nothing when the control plane refuses the token', async () => {
  plane.routes['GET /me'] = (_request, response) => sendProblem(response, 'not_authenticated', 401, 'This token is unknown.');

  const result = await flux(['login', '--token-stdin'], { base: plane.base, sandbox, env: anonymous, input: TOKEN });

  expect(result.exitCode).toBe(5);
  await expect(stat(join(sandbox.home, '.flux'))).rejects.toThrow();
});

it('does not send a stored token to an address that a folder names', async () => {
  await mkdir(join(sandbox.home, '.flux'));
  await writeFile(join(sandbox.home, '.flux/config.json'), JSON.stringify({ apiBase: 'http://127.0.0.1:1/api', token: TOKEN }));
  await writeFile(join(sandbox.cwd, 'flux.json'), JSON.stringify({ slug: PROJECT.slug, hash: PROJECT.hash }));
  await writeFile(join(sandbox.cwd, '.env'), `FLUX_API_BASE=${plane.base}\n`);

  const result = await flux(['backup', 'list'], { sandbox, env: anonymous });

  expect(result.exitCode).toBe(5);
  expect(result.err).toContain('The stored login is for http://127.0.0.1:1/api');
  expect(plane.seen).toEqual([]);
});

it('says which address does not answer, and how to start one, with exit code 9', async () => {
  const result = await flux(['list'], { base: 'http://127.0.0.1:1', sandbox });

  expect(result.exitCode).toBe(9);
  expect(result.err).toContain('http://127.0.0.1:1 ');
  expect(result.err).toContain('npm start');
  expect(result.err).toContain('FLUX_API_BASE');
});

it('renders an error as one JSON document on stderr with --json', async () => {
  const result = await flux(['list', '--json'], { base: 'http://127.0.0.1:1', sandbox });

  expect(result.out).toBe('');
  expect(JSON.parse(result.err)).toMatchObject({ code: 'unreachable', status: 503, error: expect.any(String) });
});

it('explains an answer that does not come from Flux', async () => {
  plane.routes['GET /projects'] = (_request, response) => response.writeHead(502).end('<html>Bad gateway</html>');

  const result = await flux(['list'], { base: plane.base, sandbox });

  expect(result.exitCode).toBe(9);
  expect(result.err).toContain('HTTP 502');
});

it.each([
  [['backp'], 'Did you mean backup?'],
  [['backup', 'lst'], 'Did you mean list?'],
  [['backup', 'list', '--verbos'], 'Did you mean --verbose?'],
  [['migrate', '--hash', PROJECT.hash, '-y', '--sideways'], '`flux migrate --help`'],
  [['--api-base', 'http://x', 'backup', 'creat'], 'Did you mean create? See `flux backup --help`.'],
  [['push', '--mode', 'sideways'], 'raw, versioned, repeatable'],
  [['create'], 'flux create --help'],
])('answers %j with exit code 2 and a suggestion', async (args, words) => {
  const result = await flux(args, { base: plane.base, sandbox });

  expect(result.exitCode).toBe(2);
  expect(result.err).toContain(words);
  expect(result.out).toBe('');
});

it.each([['backup create --help'], ['help backup create']])('shows examples first with `flux %s`', async (line) => {
  const result = await flux(line.split(' '), { sandbox });

  expect(result.exitCode).toBe(0);
  expect(result.out).toMatch(/^Examples:\n {2}\$ flux backup create /);
  expect(result.out).toContain('--note <text>');
});

it('creates a project and says what comes next', async () => {
  plane.routes['POST /projects'] = () => ({
    project: { slug: PROJECT.slug, hash: PROJECT.hash, status: 'running', mode: 'v1_dedicated' },
  });

  const result = await flux(['create', PROJECT.slug, '--mode', 'v1_dedicated'], { base: plane.base, sandbox });

  expect(result.out).toBe(`Slug:    ${PROJECT.slug}\nHash:    ${PROJECT.hash}\nMode:    v1_dedicated\nStatus:  running\n`);
  expect(result.err).toContain('flux backup create');
});

it.each([
  ['standard input', ['--attach', '-'], {}, 'postgresql://a:b@h/d\n'],
  ['the environment', [], { FLUX_ATTACH_URI: 'postgresql://a:b@h/d' }, ''],
])('takes the URI of a database to attach from %s', async (_name, args, env, input) => {
  plane.routes['POST /projects'] = () => ({
    project: { slug: 's', hash: PROJECT.hash, status: 'running', mode: 'v1_dedicated' },
  });

  const result = await flux(['create', 's', ...args], { base: plane.base, sandbox, env, input });

  expect(result.exitCode).toBe(0);
  expect(plane.seen[0]?.body).toEqual({ slug: 's', attach: 'postgresql://a:b@h/d' });
  expect(result.err).not.toContain('Warning');
});

it('links a folder and leaves what else is in flux.json', async () => {
  await writeFile(join(sandbox.cwd, 'flux.json'), JSON.stringify({ slug: PROJECT.slug, hash: 'REPLACE_AFTER_FLUX_INIT', theme: 'dark' }));
  plane.routes['POST /projects/link'] = () => ({ action: 'created', project: PROJECT });

  const result = await flux(['init'], { base: plane.base, sandbox });

  expect(result.exitCode).toBe(0);
  expect(JSON.parse(await readFile(join(sandbox.cwd, 'flux.json'), 'utf8'))).toEqual({
    slug: PROJECT.slug,
    hash: PROJECT.hash,
    theme: 'dark',
  });
});

it('prints one bare field of the credentials, and all of them under Postgres', async () => {
  plane.routes[`GET /projects/${PROJECT.hash}/credentials`] = () => ({
    ...PROJECT,
    postgres: {
      url: 'postgresql://owner:pw@127.0.0.1:6001/app',
      user: 'owner',
      password: 'pw',
      host: '127.0.0.1',
      port: 6001,
      database: 'app',
    },
  });

  const url = await flux(['project', 'credentials', PROJECT.slug, '--field', 'postgres.url'], { base: plane.base, sandbox });
  expect(url.out).toBe('postgresql://owner:pw@127.0.0.1:6001/app\n');

  const all = await flux(['project', 'credentials', PROJECT.slug], { base: plane.base, sandbox });
  expect(all.out).toMatch(
    /\nPostgres\n {2}User: +owner\n {2}Password: +pw\n {2}Database: +app\n {2}Host: +127\.0\.0\.1\n {2}Port: +6001\n {2}URI: +postgresql:/,
  );
});

it('prints a new token alone on stdout', async () => {
  plane.routes['POST /tokens'] = ({ body }) => ({ token: TOKEN, item: { id: 'i', ...(body as object) } });

  const result = await flux(['token', 'create', 'ci', '--access', 'read', '--project', PROJECT.hash, '--expires', '30d'], {
    base: plane.base,
    sandbox,
  });

  expect(result.out).toBe(`${TOKEN}\n`);
  expect(plane.seen[0]?.body).toMatchObject({
    name: 'ci',
    access: 'read',
    projects: [PROJECT.hash],
    expiresAt: expect.stringMatching(/Z$/),
  });
});
