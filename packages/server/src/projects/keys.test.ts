import { createHmac } from 'node:crypto';
import { expect, it } from 'vitest';
import { signProjectKey } from './keys.ts';

it('signs a JWT that names the role and lasts ten years', () => {
  const [header = '', payload = '', signature] = signProjectKey('secret', 'anon', new Date('2026-01-02T03:04:05.678Z')).split('.');

  expect(JSON.parse(Buffer.from(header, 'base64url').toString())).toEqual({ alg: 'HS256', typ: 'JWT' });
  expect(JSON.parse(Buffer.from(payload, 'base64url').toString())).toEqual({
    role: 'anon',
    iss: 'flux',
    iat: 1767323045,
    exp: 1767323045 + 315_360_000,
  });
  expect(signature).toBe(createHmac('sha256', 'secret').update(`${header}.${payload}`).digest('base64url'));
});

it('signs differently for each role and each secret', () => {
  const at = new Date(0);
  const keys = [signProjectKey('a', 'anon', at), signProjectKey('a', 'service_role', at), signProjectKey('b', 'anon', at)];
  expect(new Set(keys).size).toBe(3);
});
