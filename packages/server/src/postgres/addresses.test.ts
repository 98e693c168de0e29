import { networkInterfaces } from 'node:os';
import { describe, expect, it } from 'vitest';
import { createAddressCheck, findInvalidRule, kindOf, plain } from './addresses.ts';
import { ForeignLookups, type LookUp } from './lookups.ts';

const check = (
  allowed: readonly string[] = ['public', 'private', 'loopback'],
  ownServers: { host: string; port: number }[] = [],
  lookUp?: LookUp,
) =>
  createAddressCheck({
    allowed,
    ownServers,
    lookups: new ForeignLookups(lookUp),
    ownPorts: async () => new Set([4400, 24_001]),
    ownAddresses: async () => new Set(['172.17.0.2']),
  });
const outcome = async (host: string, port = 5432, ...rules: Parameters<typeof check>) =>
  check(...rules)
    .resolve(host, port)
    .catch((error: { code: string }) => error.code);

describe('an address of a database of others', () => {
  it.each([
    ['8.8.8.8', 'public'],
    ['2606:4700::1', 'public'],
    ['10.1.2.3', 'private'],
    ['192.168.0.1', 'private'],
    ['fd12::1', 'private'],
    ['127.8.9.1', 'loopback'],
    ['::1', 'loopback'],
    ['169.254.169.254', 'link-local'],
    ['fd00:ec2::254', 'link-local'],
    ['fe80::1', 'link-local'],
    ['0.0.0.0', 'unusable'],
    ['::', 'unusable'],
    ['224.0.0.1', 'unusable'],
    ['255.255.255.255', 'unusable'],
  ])('%s is %s', (address, kind) => {
    expect(kindOf(plain(address))).toBe(kind);
  });

  it.each([
    ['::ffff:127.0.0.1', '127.0.0.1'],
    ['::ffff:a9fe:a9fe', '169.254.169.254'],
    ['::127.0.0.1', '127.0.0.1'],
    ['64:ff9b::a9fe:a9fe', '169.254.169.254'],
    ['2002:7f00:1::', '127.0.0.1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['::1', '::1'],
    ['::', '::'],
  ])('%s reaches %s', (address, reached) => {
    expect(plain(address)).toBe(reached);
  });

  // However it is written, what the system makes of it counts.
  it.each([
    '169.254.169.254',
    '2852039166',
    '0xa9fea9fe',
    '0251.0376.0251.0376',
    '::ffff:169.254.169.254',
    '0.0.0.0',
    '0',
    '[::]',
    '/var/run/postgresql',
    '/tmp',
  ])('%s is refused', async (host) => {
    expect(await outcome(host)).toMatch(/^forbidden$|^ENOTFOUND$/);
  });

  const interfaces = Object.values(networkInterfaces()).flatMap((all) => all?.map(({ address }) => address) ?? []);
  it.each(['127.0.0.1', 'localhost', '127.9.9.9', '2130706433', '127.1', '::ffff:127.0.0.1', ...interfaces])(
    'a port of Flux itself is refused on %s, another one of this host is not',
    async (host) => {
      expect(await outcome(host, 4400)).toBe('forbidden');
      expect(await outcome(host, 24_001)).toBe('forbidden');
      if (!host.startsWith('fe80')) expect(await outcome(host, 5432)).toEqual(expect.arrayContaining([expect.any(String)]));
    },
  );

  it('may be what the operator allows', async () => {
    expect(await outcome('127.0.0.1', 4400, ['loopback', 'flux'])).toEqual(['127.0.0.1']);
    expect(await outcome('127.0.0.1', 5432, ['public'])).toBe('forbidden');
    expect(await outcome('10.1.2.3', 5432, ['10.1.0.0/16'])).toEqual(['10.1.2.3']);
    expect(await outcome('10.2.2.3', 5432, ['10.1.0.0/16'])).toBe('forbidden');
    expect(await outcome('/tmp', 5432, ['unix'])).toEqual([]);
    expect(await outcome('127.0.0.1', 5433, ['loopback'], [{ host: 'localhost', port: 5433 }])).toBe('forbidden');
  });

  it('is one of the first eight of a name', async () => {
    const many = async () => Array.from({ length: 1000 }, (_, at) => `10.0.${at >> 8}.${at & 255}`);
    expect(await outcome('db.example.com', 5432, ['private'], [], many)).toEqual((await many()).slice(0, 8));
  });

  it('is allowed by rules that make sense', () => {
    expect(findInvalidRule(['public', 'flux', 'unix', '10.0.0.0/8', '::1', 'fd00::/8'])).toBeUndefined();
    for (const rule of ['everything', '10.0.0.0/33', '10.0.0/8', '10.0.0.1/', 'localhost']) expect(findInvalidRule([rule])).toBe(rule);
  });

  it('is not that of a container of Flux, at any port, unless that is allowed', async () => {
    expect(await outcome('172.17.0.2')).toBe('forbidden');
    expect(await outcome('::ffff:172.17.0.2', 1)).toBe('forbidden');
    expect(await outcome('172.17.0.3')).toEqual(['172.17.0.3']);
    expect(await outcome('172.17.0.2', 5432, ['private', 'flux'])).toEqual(['172.17.0.2']);
  });
});
