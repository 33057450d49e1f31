/** Valid messages with seeded contents, which the mutations start from. */
import { type AsSegment, writeSegments } from 'bgp-js/wire/as-path.ts';
import { encodeAttribute } from 'bgp-js/wire/attribute-types.ts';
import { writeU16, writeU32 } from 'bgp-js/wire/cursor.ts';
import { KEEPALIVE } from 'bgp-js/wire/message.ts';
import { encodeRouteRefresh } from 'bgp-js/wire/refresh.ts';
import { encodeUpdate } from 'bgp-js/wire/update.ts';
import type { Random } from '../simulator/random.ts';
import { FEATURES } from './features.ts';
import { FUZZED_AS, LOCAL_AS, type Program, validOpen } from './program.ts';

type Kind = Pick<Program, 'ebgp' | 'fourOctetAs' | 'features'>;

const NONE = new Uint8Array(0);

/** A session of a valid OPEN and up to `limit` valid messages. */
export function validProgram(random: Random, limit: number): Program {
  const plain = random.chance(0.3);
  const features = new Set(FEATURES.filter(() => !plain && random.chance(0.4)));
  const kind = { ebgp: random.chance(0.6), fourOctetAs: random.chance(0.7), features };
  const messages = Array.from({ length: 1 + random.below(limit) }, () => validMessage(random, kind));
  return { ...kind, open: validOpen(kind), messages };
}

function validMessage(random: Random, kind: Kind): Uint8Array {
  const what = random.below(20);
  if (what === 0) return KEEPALIVE.slice();
  if (what === 1) return encodeRouteRefresh({ afi: random.pick([1, 2]), subtype: random.below(3), safi: 1 });
  if (what === 2) return encodeUpdate(NONE, random.pick([NONE, unreach(random, kind)]), NONE);
  if (what < 6) return encodeUpdate(nlri(random, kind, 4), NONE, NONE);
  const withdrawn = random.chance(0.2) ? nlri(random, kind, 3) : NONE;
  if (what === 6) return encodeUpdate(withdrawn, attributes(random, kind, true), NONE, 0xffff);
  return encodeUpdate(
    withdrawn,
    attributes(random, kind, random.chance(kind.features.has('ipv6') ? 0.4 : 0.1)),
    nlri(random, kind, 5),
    0xffff,
  );
}

/** Prefixes from a small space, so that routes replace each other. */
function nlri(random: Random, kind: Kind, limit: number): Uint8Array {
  const list = Array.from({ length: 1 + random.below(limit) }, () => {
    const bits = random.pick([0, 8, 9, 16, 20, 24, 24, 24, 25, 31, 32]);
    const address = [
      random.pick([10, 172, 198]),
      random.below(4) * 64,
      random.below(2) * 128,
      random.below(256),
    ];
    return Uint8Array.of(...pathId(random, kind), bits, ...address.slice(0, (bits + 7) >> 3));
  });
  return Buffer.concat(list);
}

/** A path identifier (RFC 7911 §3) of a few, so that paths replace each other; rarely one that was not negotiated. */
function pathId(random: Random, { features }: Kind): number[] {
  const agreed = features.has('add-path') ? random.chance(0.98) : random.chance(0.005);
  return agreed ? [0, 0, 0, random.below(3)] : [];
}

function nlri6(random: Random, kind: Kind): Uint8Array {
  return Uint8Array.of(...pathId(random, kind), 64, 0x20, 1, 0xd, 0xb8, 0, random.below(4), 0, 0);
}

function unreach(random: Random, kind: Kind): Uint8Array {
  const afi = random.pick([1, 2]);
  const routes = random.chance(0.5) ? NONE : afi === 1 ? nlri(random, kind, 3) : nlri6(random, kind);
  return encodeAttribute(0x80, 15, Buffer.concat([Uint8Array.of(0, afi, 1), routes]));
}

function reach(random: Random, kind: Kind): Uint8Array {
  const length = random.pick([4, 16, 32]);
  const extended = kind.features.has('extended-next-hop') && random.chance(0.5);
  const afi = length === 4 || extended ? 1 : 2;
  const head = Uint8Array.of(0, afi, 1, length, 0x20, 1, ...random.octets(length - 2), 0);
  const routes = afi === 1 ? nlri(random, kind, 4) : nlri6(random, kind);
  return encodeAttribute(0x80, 14, Buffer.concat([head, routes]));
}

const word = (value: number): Uint8Array => {
  const bytes = new Uint8Array(4);
  writeU32(bytes, 0, value);
  return bytes;
};

function asPath(random: Random, { ebgp }: Kind): AsSegment[] {
  const as = () =>
    random.pick([64500, 64501, 65002, 4200000001, 23456, 1, 65535, ebgp ? FUZZED_AS : LOCAL_AS]);
  const rest = Array.from({ length: random.below(random.chance(0.05) ? 250 : 5) }, as);
  const path: AsSegment[] = [];
  if (ebgp) path.push({ type: 'sequence', ases: [FUZZED_AS, ...rest] });
  else if (rest.length > 0) path.push({ type: 'sequence', ases: rest });
  if (random.chance(0.15)) path.push({ type: 'set', ases: [as(), as()] });
  return path;
}

function attributes(random: Random, kind: Kind, mp: boolean): Uint8Array {
  const path = asPath(random, kind);
  const size = kind.fourOctetAs ? 4 : 2;
  const nextHop = Uint8Array.of(192, 0, 2, 1 + random.below(3));
  const list = [
    encodeAttribute(0x40, 1, Uint8Array.of(random.below(3))),
    encodeAttribute(0x40, 2, writeSegments(path, size)),
    encodeAttribute(0x40, 3, nextHop),
  ];
  const maybe = (share: number, make: () => Uint8Array) => {
    if (random.chance(share)) list.push(make());
  };
  const words = (from: readonly number[], count: number) =>
    Buffer.concat(Array.from({ length: count }, () => word(random.pick(from))));
  const well = [
    0xffff0000, 0xffffff01, 0xffffff02, 0xffffff03, 0xffff029a, 0xfde80001, 0xffff0006, 0xffff0007,
  ];
  maybe(0.3, () => encodeAttribute(0x80, 4, word(random.below(3))));
  if (!kind.ebgp) maybe(0.8, () => encodeAttribute(0x40, 5, word(100 + random.below(3))));
  maybe(0.1, () => encodeAttribute(0x40, 6, NONE));
  maybe(0.1, () => encodeAttribute(0xc0, 7, aggregator(random, size)));
  maybe(0.3, () => encodeAttribute(0xc0, 8, words(well, 1 + random.below(4))));
  if (!kind.ebgp) {
    maybe(0.2, () => encodeAttribute(0x80, 9, word(0x0a000001 + random.below(5))));
    maybe(0.2, () => encodeAttribute(0x80, 10, words([0x0a000007, 0x0a000008], 1 + random.below(2))));
  }
  if (mp) maybe(0.7, () => reach(random, kind));
  if (mp) maybe(0.4, () => unreach(random, kind));
  maybe(0.1, () => encodeAttribute(0xc0, 16, random.octets(8)));
  if (size === 2 && path.length > 0) maybe(0.3, () => encodeAttribute(0xc0, 17, writeSegments(path, 4)));
  if (size === 2) maybe(0.1, () => encodeAttribute(0xc0, 18, Uint8Array.of(0, 1, 0, 1, 10, 0, 0, 1)));
  maybe(0.05, () => encodeAttribute(0xc0, 25, random.octets(20)));
  maybe(0.1, () => encodeAttribute(0x80, 26, Uint8Array.of(1, 0, 11, ...random.octets(8))));
  maybe(0.1, () => encodeAttribute(0xc0, 32, random.octets(12)));
  maybe(0.1, () => encodeAttribute(0xc0, 35, word(random.pick([64500, FUZZED_AS]))));
  maybe(0.1, () => encodeAttribute(random.pick([0xc0, 0xe0, 0x80]), 99, random.octets(random.below(300))));
  if (kind.features.has('long-messages')) maybe(0.1, () => encodeAttribute(0xd0, 98, random.octets(4200)));
  return Buffer.concat(list);
}

function aggregator(random: Random, size: 2 | 4): Uint8Array {
  const bytes = new Uint8Array(size + 4);
  const as = random.pick([64500, 23456]);
  if (size === 4) writeU32(bytes, 0, as);
  else writeU16(bytes, 0, as);
  bytes.set([10, 0, 0, 1], size);
  return bytes;
}
