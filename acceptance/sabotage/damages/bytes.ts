import type { Part } from '../archive.ts';
import type { Damage, Material } from '../damage.ts';

type Place = (material: Material) => number;

const inside = ({ start, end }: Part) => Math.floor((start + end) / 2);
const block =
  (tag: string): Place =>
  ({ parts }) => {
    const found = parts.blocks.find((one) => one.tag === tag);
    if (found === undefined) throw new Error(`the archive has no data of ${tag}`);
    return inside(found);
  };
const definition =
  (entry: string): Place =>
  ({ parts }) => {
    const found = parts.definitions.get(entry);
    if (found === undefined) throw new Error(`the archive has no ${entry}`);
    return inside(found);
  };

const PLACES: readonly (readonly [where: string, place: Place])[] = [
  ['in the header', ({ parts }) => inside(parts.header)],
  ['behind the header', ({ parts }) => parts.header.end],
  ['inside the table of contents', ({ parts }) => inside(parts.toc)],
  ['at the end of the table of contents', ({ parts }) => parts.toc.end],
  ...['customers', 'orders', 'pairs', 'large objects'].map((tag) => [`inside the data of ${tag}`, block(tag)] as const),
  ['before the last byte', ({ artifact }) => artifact.length - 1],
];

/** A relevant bit: in the version, in a definition, in compressed rows, in the length that ends the last block. */
const BITS: readonly (readonly [where: string, place: Place])[] = [
  ['in the header', () => 5],
  ['in the table of contents', definition('TABLE customers')],
  ['in the data', block('orders')],
  ['at the end', ({ artifact }) => artifact.length - 1],
];

function flip({ artifact }: Material, at: number): Buffer {
  const bytes = Buffer.from(artifact);
  bytes[at] = (bytes[at] as number) ^ 0x04;
  return bytes;
}

const common = { about: 'bytes', engine: 'v1_dedicated' } as const;

/** What disks, copies and broken connections do. */
export const BYTE_DAMAGES: readonly Damage[] = [
  ...PLACES.map(
    ([where, place]): Damage => ({
      ...common,
      name: `truncated ${where}, and the catalog agrees`,
      catalogFits: true,
      make: (material) => material.artifact.subarray(0, place(material)),
      expects: () => ({ verdict: 'failed', says: /byte \d+/ }),
    }),
  ),
  {
    ...common,
    name: 'truncated before the last byte',
    catalogFits: false,
    make: ({ artifact }) => artifact.subarray(0, -1),
    expects: () => ({ verdict: 'failed', says: /has \d+ bytes; \d+ were written/ }),
  },
  {
    ...common,
    name: 'emptied',
    catalogFits: false,
    make: () => Buffer.alloc(0),
    expects: () => ({ verdict: 'failed', says: /has 0 bytes/ }),
  },
  ...BITS.map(
    ([where, place]): Damage => ({
      ...common,
      name: `a flipped bit ${where}`,
      catalogFits: false,
      make: (material) => flip(material, place(material)),
      expects: () => ({ verdict: 'failed', says: /its bytes have changed/ }),
    }),
  ),
  ...BITS.map(
    ([where, place]): Damage => ({
      ...common,
      name: `a flipped bit ${where}, and the catalog agrees`,
      catalogFits: true,
      make: (material) => flip(material, place(material)),
      expects: () => ({ verdict: 'failed' }),
    }),
  ),
  {
    ...common,
    name: 'bytes appended, and the catalog agrees',
    catalogFits: true,
    make: ({ artifact }) => Buffer.concat([artifact, Buffer.from('more')]),
    expects: () => ({ verdict: 'failed', says: /byte \d+/ }),
  },
  {
    ...common,
    name: 'an error page in its place, and the catalog agrees',
    catalogFits: true,
    make: () => Buffer.from('<html><body>502 Bad Gateway</body></html>'),
    expects: () => ({ verdict: 'failed', says: /does not begin as a custom-format archive/ }),
  },
  {
    ...common,
    engine: 'v2_shared',
    name: 'truncated inside the data of orders, and the catalog agrees',
    catalogFits: true,
    make: (material) => material.artifact.subarray(0, block('orders')(material)),
    expects: () => ({ verdict: 'failed', says: /byte \d+/ }),
  },
];
