import { expect, it, vi } from 'vitest';
import { createAddressCheck } from './addresses.ts';
import { chooseForeignHost, type ForeignRules, requireAllowedAddress } from './foreign.ts';
import { ForeignLookups, lookupsAtOnce } from './lookups.ts';

const never = () => new Promise<never>(() => undefined);
const target = { host: 'a.example.com', port: 5432, user: 'shop', database: 'shop' };
const severalHosts = { ...target, otherHosts: [1, 2, 3].map((n) => ({ host: `${n}.example.com`, port: 5432 })) };

function rulesWith(lookups: ForeignLookups, lookWithinMs: number): ForeignRules {
  const none = async () => new Set<never>();
  return {
    lookWithinMs,
    addresses: createAddressCheck({ allowed: ['public', 'private'], ownPorts: none, ownAddresses: none, ownServers: [], lookups }),
  };
}

it('leaves a thread for names of our own', () => {
  expect([undefined, '1', '2', '4', '16', 'x', '0', '-3', '9999'].map(lookupsAtOnce)).toEqual([1, 1, 1, 1, 7, 1, 1, 1, 511]);
});

it('waits for the names of one URI, all together, for as long as a look may last', async () => {
  const rules = rulesWith(new ForeignLookups(never, 8), 300);
  const began = performance.now();
  await expect(chooseForeignHost(severalHosts, rules, {})).rejects.toMatchObject({
    code: 'instance_unavailable',
    details: { forOperators: { reason: 'The address of a.example.com was not found within 0.3 s.' } },
  });
  await requireAllowedAddress(severalHosts, rules);
  expect(performance.now() - began).toBeLessThan(5000);
});

it('takes what it knows when the time is over', async () => {
  const lookups = new ForeignLookups(async (name) => (name === 'a.example.com' ? ['192.0.2.1'] : never()), 8);
  const chosen = await chooseForeignHost({ ...severalHosts, sessionAttributes: undefined }, rulesWith(lookups, 100), {});
  expect(chosen).toMatchObject({ host: 'a.example.com', address: '192.0.2.1' });
});

it('ends when its caller gives up, also in the middle of a list, and looks up no further name then', async () => {
  const asked: string[] = [];
  const lookups = new ForeignLookups((name) => {
    asked.push(name);
    return never();
  }, 8);
  const gone = new AbortController();
  const choice = chooseForeignHost(severalHosts, rulesWith(lookups, 60_000), { signal: gone.signal });
  setTimeout(() => gone.abort(new DOMException('The client has gone.', 'AbortError')), 20);
  await expect(choice).rejects.toThrow('The client has gone.');
  expect(asked).toEqual(['a.example.com']);
});

it('has names wait in their turn, asks once for one that several want, and counts what nobody waits for any more', async () => {
  const open = new Map<string, (addresses: readonly string[]) => void>();
  const lookups = new ForeignLookups((name) => new Promise((resolve) => void open.set(name, resolve)), 2);
  const left = AbortSignal.timeout(50);
  const slow = ['a', 'b'].map((name) => lookups.addressesOf(name, { signal: left }));
  const same = lookups.addressesOf('a');
  const waiting = lookups.addressesOf('c');
  const leaving = lookups.addressesOf('d', { signal: left });
  expect(await lookups.addressesOf('192.0.2.7')).toEqual(['192.0.2.7']);
  for (const one of [...slow, leaving]) await expect(one).rejects.toThrow('timeout');
  expect([...open.keys()]).toEqual(['a', 'b']);
  open.get('a')?.(['192.0.2.1']);
  expect(await same).toEqual(['192.0.2.1']);
  await vi.waitFor(() => expect([...open.keys()]).toEqual(['a', 'b', 'c']));
  open.get('b')?.([]);
  open.get('c')?.(['192.0.2.3']);
  expect(await waiting).toEqual(['192.0.2.3']);
  expect(lookups.size).toBe(0);
});

it('has accounts take turns, however many names one of them wants', async () => {
  const asked: string[] = [];
  const lookups = new ForeignLookups(async (name) => {
    asked.push(name);
    return [];
  }, 1);
  const of = (by: string, names: readonly string[]) => names.map((name) => lookups.addressesOf(name, { by }));
  await Promise.all([...of('a', ['a1', 'a2', 'a3', 'a4']), ...of('b', ['b1', 'b2']), ...of('c', ['c1'])]);
  expect(asked).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'a3', 'a4']);
});

it('goes on after a name that nobody knows', async () => {
  const lookups = new ForeignLookups(async (name) => {
    if (name === 'a') throw new Error('ENOTFOUND');
    return ['192.0.2.2'];
  }, 1);
  const [unknown, known] = await Promise.allSettled([lookups.addressesOf('a'), lookups.addressesOf('b')]);
  expect(unknown).toMatchObject({ status: 'rejected' });
  expect(known).toEqual({ status: 'fulfilled', value: ['192.0.2.2'] });
});
