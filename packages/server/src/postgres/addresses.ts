import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { FluxError } from '@flux/contract/errors';
import type { Asking, ForeignLookups } from './lookups.ts';

/** Kinds of addresses, and what belongs to each. Source: the registries of IANA for special-purpose addresses. */
const RANGES = {
  loopback: ['127.0.0.0/8', '::1/128'],
  // Networks use those of documentation too.
  private: [
    ...['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', '198.18.0.0/15'],
    ...['192.0.2.0/24', '198.51.100.0/24', '203.0.113.0/24', 'fc00::/7', '2001:db8::/32'],
  ],
  // With the services by which clouds tell their machines secrets.
  'link-local': ['169.254.0.0/16', 'fe80::/10', 'fd00:ec2::254/128', '100.100.100.200/32', '192.0.0.192/32'],
  // Nobody's address: "this host", multicast, reserved.
  unusable: [
    ...['0.0.0.0/8', '192.0.0.0/24', '224.0.0.0/4', '240.0.0.0/4'],
    ...['::/128', '100::/64', '2001::/32', 'fec0::/10', 'ff00::/8'],
  ],
} as const;
type Kind = keyof typeof RANGES | 'public';
/** The first that contains an address counts. */
const ORDER = ['link-local', 'loopback', 'unusable', 'private'] as const;
const LISTS = Object.fromEntries(ORDER.map((kind) => [kind, listOf(RANGES[kind])])) as Record<(typeof ORDER)[number], BlockList>;

/** What may be allowed by a word: kinds of addresses, the servers of Flux itself, and Unix sockets of this host. */
const WORDS: ReadonlySet<string> = new Set(['public', 'private', 'loopback', 'link-local', 'flux', 'unix']);

/** Of one name. Whoever answers for it can name thousands, and each is tried. */
const MAX_ADDRESSES = 8;

/** Decides which addresses databases of others may have. */
export interface AddressCheck {
  /**
   * The addresses of a host that may be connected to. A name is looked up once, here: whoever connects uses these addresses, so that another
   * answer a moment later changes nothing. A Unix socket has none.
   *
   * @throws FluxError `forbidden` when none is allowed; the error of the lookup; the reason of its signal
   */
  resolve(host: string, port: number, asking?: Asking): Promise<readonly string[]>;
}

export interface AddressRules {
  /** Words, addresses, and networks such as `10.0.0.0/8`. */
  readonly allowed: readonly string[];
  /** TCP ports of this host that Flux itself listens on. */
  ownPorts(): Promise<ReadonlySet<number>>;
  /** Addresses that belong to instances alone, as containers have them: nothing at them is somebody else's. */
  ownAddresses(): Promise<ReadonlySet<string>>;
  /** Servers of Flux that somebody else runs: the catalog and the pooled cluster of the settings. */
  readonly ownServers: readonly { readonly host: string; readonly port: number }[];
  readonly lookups: ForeignLookups;
}

/** Finds what is not a rule. @returns undefined when all are */
export function findInvalidRule(allowed: readonly string[]): string | undefined {
  return allowed.find((rule) => !WORDS.has(rule) && parseNetwork(rule) === undefined);
}

/** Creates the check. Rules are those that `findInvalidRule` has accepted. */
export function createAddressCheck({ allowed, ownPorts, ownAddresses, ownServers, lookups }: AddressRules): AddressCheck {
  const words = new Set(allowed.filter((rule) => WORDS.has(rule)));
  const networks = listOf(allowed.filter((rule) => !WORDS.has(rule)));
  const isOwn = async (address: string, port: number): Promise<boolean> => {
    if (isOfThisHost(address) && (await ownPorts()).has(port)) return true;
    if ((await ownAddresses()).has(address)) return true;
    for (const own of ownServers) {
      if (own.port !== port || own.host.startsWith('/')) continue;
      const addresses = await lookup(own.host, { all: true }).catch(() => []);
      if (addresses.some((one) => plain(one.address) === address || (isOfThisHost(one.address) && isOfThisHost(address)))) return true;
    }
    return false;
  };
  const isAllowed = async (address: string, port: number): Promise<boolean> => {
    if (!words.has(kindOf(address)) && !contains(networks, address)) return false;
    return words.has('flux') || !(await isOwn(address, port));
  };
  return {
    resolve: async (host, port, asking) => {
      if (host.startsWith('/')) {
        if (words.has('unix')) return [];
        throw notAllowed(host);
      }
      const found = new Set(await lookups.addressesOf(host, asking));
      const good: string[] = [];
      for (const address of [...found].slice(0, MAX_ADDRESSES)) if (await isAllowed(plain(address), port)) good.push(address);
      if (good.length === 0) throw notAllowed(`${host}:${port}`);
      return good;
    },
  };
}

function notAllowed(where: string): FluxError {
  return new FluxError('forbidden', `This control plane may not connect to ${where}.`, {
    hint: 'By default it connects to no Unix socket, to no server of Flux itself, and to no link-local address; the operator changes that with FLUX_FOREIGN_ADDRESSES.',
  });
}

/** The kind of an address, as `plain` writes it. */
export function kindOf(address: string): Kind {
  return ORDER.find((kind) => contains(LISTS[kind], address)) ?? 'public';
}

/** An address of IPv4 that is written as one of IPv6 (mapped, compatible, NAT64, 6to4) as what it reaches; others without their zone. */
export function plain(address: string): string {
  const bare = address.replace(/%.*$/, '').toLowerCase();
  if (isIP(bare) !== 6) return bare;
  const groups = groupsOf(bare);
  const v4 = (high = 0, low = 0) => [high >> 8, high & 255, low >> 8, low & 255].join('.');
  const isZero = (from: number, to: number) => groups.slice(from, to).every((group) => group === 0);
  if (isZero(0, 5) && groups[5] === 0xffff) return v4(groups[6], groups[7]);
  if (groups[0] === 0x64 && groups[1] === 0xff9b && isZero(2, 6)) return v4(groups[6], groups[7]);
  if (groups[0] === 0x2002) return v4(groups[1], groups[2]);
  if (isZero(0, 6) && (groups[6] !== 0 || (groups[7] ?? 0) > 1)) return v4(groups[6], groups[7]);
  return bare;
}

/** The eight groups of an address of IPv6. */
function groupsOf(address: string): readonly number[] {
  // The parser of URLs writes every address in one way, without dots.
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const parse = (text: string) => (text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16)));
  const [first, last] = [parse(head), parse(tail ?? '')];
  return tail === undefined ? first : [...first, ...Array<number>(8 - first.length - last.length).fill(0), ...last];
}

function isOfThisHost(address: string): boolean {
  const own = plain(address);
  if (contains(LISTS.loopback, own) || own === '0.0.0.0' || own === '::') return true;
  return Object.values(networkInterfaces()).some((all) => all?.some((one) => plain(one.address) === own));
}

function listOf(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const text of networks) {
    const network = parseNetwork(text);
    if (network !== undefined) list.addSubnet(network.address, network.prefix, network.family);
  }
  return list;
}

function contains(list: BlockList, address: string): boolean {
  return list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

function parseNetwork(text: string): { address: string; prefix: number; family: 'ipv4' | 'ipv6' } | undefined {
  const [address = '', length] = text.split('/');
  const version = isIP(address);
  const most = version === 6 ? 128 : 32;
  const prefix = length === undefined ? most : Number(length);
  if (version === 0 || length === '' || !Number.isInteger(prefix) || prefix < 0 || prefix > most) return undefined;
  return { address, prefix, family: version === 6 ? 'ipv6' : 'ipv4' };
}
