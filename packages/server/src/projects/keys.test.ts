import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { checkProjectKey, signProjectKey } from './keys.ts';

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

it('signs one that lasts ten years from the latest time on when the clock is behind', () => {
  const latest = new Date('2026-01-02T03:04:05Z');
  const key = signProjectKey('secret', 'service_role', new Date(0), latest);
  expect(JSON.parse(Buffer.from(key.split('.')[1] ?? '', 'base64url').toString())).toMatchObject({ iat: 0, exp: 1767323045 + 315_360_000 });
  expect(checkProjectKey('secret', key, latest)).toBe('good');
});

it('signs differently for each role and each secret', () => {
  const at = new Date(0);
  const keys = [signProjectKey('a', 'anon', at), signProjectKey('a', 'service_role', at), signProjectKey('b', 'anon', at)];
  expect(new Set(keys).size).toBe(3);
});

describe('a key of a project', () => {
  const now = new Date('2026-01-02T03:04:05Z');
  const second = now.getTime() / 1000;
  const encode = (part: unknown) => Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url');
  const sign = (header: unknown, claims: unknown, secret = 'secret', hash = 'sha256') => {
    const signed = `${encode(header)}.${encode(claims)}`;
    return `${signed}.${createHmac(hash, secret).update(signed).digest('base64url')}`;
  };
  const HS256 = { alg: 'HS256', typ: 'JWT' };
  const role = 'service_role';

  it.each<[string, string, ReturnType<typeof checkProjectKey>]>([
    ['is our own', signProjectKey('secret', 'service_role', now), 'good'],
    ['has no expiry', sign(HS256, { role }), 'good'],
    ['expires later', sign(HS256, { role, exp: second + 1 }), 'good'],
    ['is of another role', signProjectKey('secret', 'anon', now), 'other_role'],
    ['has no role', sign(HS256, { exp: second + 9 }), 'other_role'],
    ['has a role that is a list', sign(HS256, { role: [role] }), 'other_role'],
    ['has expired', sign(HS256, { role, exp: second - 1 }), 'not_now'],
    ['expires now', sign(HS256, { role, exp: second }), 'not_now'],
    ['is not valid yet', sign(HS256, { role, nbf: second + 9 }), 'not_now'],
    ['has an expiry that is a text', sign(HS256, { role, exp: '9999999999' }), 'not_ours'],
    ['is signed with another secret', sign(HS256, { role }, 'other'), 'not_ours'],
    ['is signed with another hash', sign({ alg: 'HS512' }, { role }, 'secret', 'sha512'), 'not_ours'],
    ['names another algorithm', sign({ alg: 'HS512' }, { role }), 'not_ours'],
    ['names no algorithm', sign({ alg: 'none' }, { role }), 'not_ours'],
    ['is not signed', `${encode({ alg: 'none' })}.${encode({ role })}.`, 'not_ours'],
    ['has two parts', `${encode(HS256)}.${encode({ role })}`, 'not_ours'],
    ['has four parts', `${sign(HS256, { role })}.x`, 'not_ours'],
    ['demands an extension', sign({ ...HS256, crit: ['exp'] }, { role }), 'not_ours'],
    ['is no JSON', sign('x', 'y'), 'not_ours'],
    ['is a list', sign(HS256, [role]), 'not_ours'],
    ['is empty', '', 'not_ours'],
  ])('that %s', (_what, token, check) => {
    expect(checkProjectKey('secret', token, now)).toBe(check);
  });
});
