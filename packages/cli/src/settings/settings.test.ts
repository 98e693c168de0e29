import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { normaliseApiBase } from './api-base.ts';
import { parseEnvFile } from './env-file.ts';
import { readSettings } from './settings.ts';

let home: string;
let cwd: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'flux-settings-'));
  cwd = join(home, 'shop/src');
  await mkdir(cwd, { recursive: true });
});
afterEach(() => rm(home, { recursive: true, force: true }));
const read = (env: Record<string, string> = {}, apiBaseFlag?: string) => readSettings({ apiBaseFlag, env, cwd, home });

it('takes flags before the environment, .env.local, .env, the login and the default', async () => {
  expect((await read()).apiBase).toBe('http://127.0.0.1:4400/api');

  await mkdir(join(home, '.flux'));
  await writeFile(join(home, '.flux/config.json'), '{"apiBase":"http://login/api","token":"from-login"}');
  expect(await read()).toMatchObject({ apiBase: 'http://login/api', token: 'from-login' });

  await writeFile(join(home, 'shop/flux.json'), '{}');
  await writeFile(join(home, 'shop/.env'), 'FLUX_API_BASE=http://env\nFLUX_API_TOKEN=from-env\nFLUX_DEFAULT_MODE=v2_shared\n');
  expect(await read()).toMatchObject({ apiBase: 'http://env/api', token: 'from-env', defaultMode: 'v2_shared' });

  await writeFile(join(home, 'shop/.env.local'), 'FLUX_API_BASE=http://local\n');
  expect(await read()).toMatchObject({ apiBase: 'http://local/api', token: 'from-env' });

  expect((await read({ FLUX_API_BASE: 'http://environment' })).apiBase).toBe('http://environment/api');
  expect((await read({ FLUX_API_BASE: 'http://environment' }, 'http://flag')).apiBase).toBe('http://flag/api');
});

it.each([
  ['http://h:1', 'http://h:1/api'],
  ['http://h:1/', 'http://h:1/api'],
  ['http://h:1/api/', 'http://h:1/api'],
  ['https://h/flux/api/cli/v1', 'https://h/flux/api'],
])('brings %s into the form %s', (text, base) => {
  expect(normaliseApiBase(text, 'x')).toBe(base);
});

it.each(['127.0.0.1:4400', 'ftp://h', 'http://user:pw@h', ''])('refuses %j as an address', (text) => {
  expect(() => normaliseApiBase(text, 'FLUX_API_BASE')).toThrow(/FLUX_API_BASE/);
});

it('leaves a # inside a value alone, and the lines after an unclosed quote', () => {
  const values = parseEnvFile('\texport  A=a#b\r\nB="open\r\nC="it\'s"\r\n9X=1\nD="x\\ny"\n');
  expect(Object.fromEntries(values)).toEqual({ A: 'a#b', B: '"open', C: "it's", D: 'x\\ny' });
});

it('reads quotes, comments and export in a .env', () => {
  const values = parseEnvFile('# c\nexport A=1 # one\nB="two # 2"\nC=\'three\'\n\nbroken\nD=\n');
  expect(Object.fromEntries(values)).toEqual({ A: '1', B: 'two # 2', C: 'three', D: '' });
});
