/**
 * A table with the mix of attributes of the Internet's, made from a seed: 580,000 prefixes in 90,000 sets.
 *
 * Synthetic tables give every set the same number of prefixes, and every path the same length. Real ones do not, and a
 * speaker's memory and the number of UPDATEs depend on it. The shares below are rounded from what public reports on IPv4
 * tables show (the CIDR report, bgp.potaroo.net, RIPE RIS, Route Views), and are not a copy of any one table:
 * - prefix lengths: 60 % are /24, then /22, /23, /21 and /20;
 * - prefixes of a set: a long tail; most sets have one or two, a few have thousands;
 * - AS path length: 4.4 different ASes on average, and one path in seven is prepended;
 * - communities: none up to twenty, 5 on average, and one set in five has large ones;
 * - origin incomplete for 10 %, MED for 30 %, AGGREGATOR for 10 %.
 * Prefixes of a set lie next to each other more often than not, as operators split their blocks.
 */
import { encodeAttributes, encodeUpdate, MAX_MESSAGE_LENGTH } from 'bgp-js/wire';
import { seededRandom } from 'bgp-js-testing/simulator/random.ts';

/** How often each prefix length occurs, in parts of a thousand. */
const LENGTHS: readonly (readonly [length: number, share: number])[] = [
  [24, 602],
  [23, 102],
  [22, 112],
  [21, 52],
  [20, 45],
  [19, 27],
  [18, 15],
  [17, 9],
  [16, 14],
  [15, 6],
  [14, 5],
  [13, 4],
  [12, 3],
  [11, 2],
  [10, 1],
  [9, 1],
];

/** How often a path has so many different ASes, in parts of a thousand. */
const PATH_LENGTHS: readonly (readonly [length: number, share: number])[] = [
  [1, 5],
  [2, 70],
  [3, 210],
  [4, 315],
  [5, 220],
  [6, 105],
  [7, 45],
  [8, 20],
  [10, 10],
];

const PREPENDED = 1 / 7;
/** Exponent of the distribution of set sizes: the size of rank r is proportional to 1 / r^SKEW. */
const SKEW = 0.8;
/** The networks next to the router that the table comes from. */
const TRANSITS = 3;
const AS_COUNT = 75_000;

export interface InternetTable {
  /** The UPDATEs, one behind the other. */
  bytes: Uint8Array;
  prefixes: number;
  sets: number;
}

export interface InternetTableOptions {
  prefixes: number;
  sets: number;
  seed: number;
  /** NEXT_HOP of all routes. */
  nextHop: string;
}

/** Makes the table. The same options give the same bytes. */
export function internetTable({ prefixes, sets, seed, nextHop }: InternetTableOptions): InternetTable {
  const random = seededRandom(seed);
  const taken = new Set<number>();
  const parts: Uint8Array[] = [];
  const known = new Set<string>();
  for (const size of setSizes(prefixes, sets)) {
    let attributes = randomAttributes(random, nextHop);
    // Sets with the same octets would be one set.
    while (known.has(latin1(attributes))) attributes = randomAttributes(random, nextHop);
    known.add(latin1(attributes));
    parts.push(...updates(attributes, takePrefixes(size, taken, random)));
  }
  return { bytes: new Uint8Array(Buffer.concat(parts)), prefixes, sets };
}

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

/** Sizes of the sets, which add up to `prefixes`: one each, and the rest by rank. */
function setSizes(prefixes: number, sets: number): number[] {
  if (sets > prefixes) throw new RangeError(`${prefixes} prefixes cannot have ${sets} sets of attributes`);
  const weights = Array.from({ length: sets }, (_, rank) => 1 / (rank + 1) ** SKEW);
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const sizes = weights.map((weight) => 1 + Math.floor(((prefixes - sets) * weight) / sum));
  sizes[0] += prefixes - sizes.reduce((total, size) => total + size, 0);
  return sizes;
}

/** UPDATEs of up to 4,096 octets with the prefixes of a set. */
function updates(attributes: Uint8Array, nlri: readonly Uint8Array[]): Uint8Array[] {
  const made: Uint8Array[] = [];
  const room = MAX_MESSAGE_LENGTH - 23 - attributes.length;
  let batch: Uint8Array[] = [];
  let length = 0;
  const close = () => {
    made.push(encodeUpdate(new Uint8Array(0), attributes, new Uint8Array(Buffer.concat(batch))));
    batch = [];
    length = 0;
  };
  for (const one of nlri) {
    if (length + one.length > room) close();
    batch.push(one);
    length += one.length;
  }
  if (batch.length > 0) close();
  return made;
}

/** NLRI of prefixes that are not in the table yet; two of three follow the one before. */
function takePrefixes(count: number, taken: Set<number>, random: () => number): Uint8Array[] {
  const found: Uint8Array[] = [];
  let next = 0;
  while (found.length < count) {
    const length = pick(LENGTHS, random);
    const size = 2 ** (32 - length);
    let address = next > 0 && random() < 2 / 3 ? Math.ceil(next / size) * size : randomAddress(random);
    address -= address % size;
    next = address + size;
    const key = address * 64 + length;
    if (taken.has(key) || !isPublic(address) || !isPublic(address + size - 1)) continue;
    taken.add(key);
    const octets = [24, 16, 8, 0].map((shift) => (address / 2 ** shift) & 0xff);
    found.push(Uint8Array.of(length, ...octets.slice(0, Math.ceil(length / 8))));
  }
  return found;
}

const randomAddress = (random: () => number): number => 2 ** 24 + Math.floor(random() * 222 * 2 ** 24);

/** Whether an address may appear in the Internet's table; the neighbours' own, 10.200.0.0/16, may not. */
function isPublic(address: number): boolean {
  const first = Math.floor(address / 2 ** 24);
  const second = Math.floor(address / 2 ** 16) % 256;
  if (first < 1 || first > 223 || first === 10 || first === 127) return false;
  if (first === 100 && second >= 64 && second < 128) return false;
  if (first === 172 && second >= 16 && second < 32) return false;
  return !(first === 169 && second === 254) && !(first === 192 && second === 168);
}

function randomAttributes(random: () => number, nextHop: string): Uint8Array {
  const below = (limit: number) => Math.floor(random() * limit);
  const ases = randomPath(random);
  const origin = ases[ases.length - 1];
  const communities = Array.from(
    { length: below(11) },
    () => (ases[below(ases.length)] % 65_536) * 65_536 + below(2000),
  );
  const large = Array.from({ length: 1 + below(3) }, () => [origin, below(100), below(1000)] as const);
  return encodeAttributes({
    origin: random() < 0.9 ? 'IGP' : 'incomplete',
    asPath: [{ type: 'sequence', ases }],
    nextHop,
    localPref: 100,
    ...(random() < 0.3 ? { med: below(500) } : {}),
    ...(random() < 0.1 ? { aggregator: { as: origin, address: `192.0.2.${below(256)}` } } : {}),
    ...(communities.length > 0 ? { communities: [...new Set(communities)] } : {}),
    ...(random() < 0.2 ? { largeCommunities: large } : {}),
  });
}

/** A path from one of the transits to an origin, whose own number may be prepended. */
function randomPath(random: () => number): number[] {
  const length = pick(PATH_LENGTHS, random);
  const transit = 100 + Math.floor(random() * TRANSITS);
  // Low numbers stand for large networks, which are in many paths.
  const middle = Array.from(
    { length: Math.max(0, length - 2) },
    () => 1000 + Math.floor(random() ** 4 * 20_000),
  );
  const origin = publicAs(30_000 + Math.floor(random() * AS_COUNT));
  const repeats = random() < PREPENDED ? 1 + Math.floor(random() * 4) : 0;
  return [
    transit,
    ...new Set(middle),
    ...(length > 1 ? [origin] : []),
    ...Array<number>(repeats).fill(length > 1 ? origin : transit),
  ];
}

/** The number itself, or one beyond the private ones (RFC 6996): the daemons' own AS in a path would be a loop. */
const publicAs = (as: number): number => (as < 64_512 || as > 65_535 ? as : as + AS_COUNT);

function pick(shares: readonly (readonly [value: number, share: number])[], random: () => number): number {
  let left = random() * shares.reduce((sum, [, share]) => sum + share, 0);
  for (const [value, share] of shares) {
    left -= share;
    if (left < 0) return value;
  }
  return shares[0][0];
}
