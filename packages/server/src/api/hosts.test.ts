import { hostname } from 'node:os';
import { describe, expect, it } from 'vitest';
import { createHostCheck } from './hosts.ts';

describe('the Host of a request', () => {
  const check = createHostCheck(['flux.example.com', 'Intranet']);
  it.each([
    undefined,
    'localhost',
    'localhost:4400',
    'LOCALHOST.:4400',
    'a.localhost',
    '127.0.0.1:4400',
    '192.168.1.4',
    '[::1]:4400',
    hostname(),
    'flux.example.com:443',
    'intranet',
  ])('is accepted: %s', (host) => {
    expect(() => check(host)).not.toThrow();
  });
  it.each([
    'evil.example',
    'evil.example:4400',
    'localhost.evil.example',
    'flux.example.com.evil.example',
    '127.0.0.1.nip.io',
    '',
    'a b',
    'localhost@evil.example',
    '[::1',
    '127.0.0.1:4400:1',
  ])('is refused: %s', (host) => {
    expect(() => check(host)).toThrow(/does not answer to the name/);
  });
  it('may be anything where the operator says so', () => {
    expect(() => createHostCheck(['*'])('evil.example')).not.toThrow();
  });
});
