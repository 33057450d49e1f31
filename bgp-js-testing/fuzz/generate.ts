/** Valid messages with seeded contents, which the mutations start from. */
import { type AsSegment, writeSegments } from 'bgp-js/wire/as-path.ts';
import { encodeAttribute } from 'bgp-js/wire/attribute-types.ts';
import { writeU16, writeU32 } from 'bgp-js/wire/cursor.ts';
import { KEEPALIVE } from 'bgp-js/wire/message.ts';
import { encodeRouteRefresh } from 'bgp-js/wire/refresh.ts';
import { encodeUpdate } from 'bgp-js/wire/update.ts';
import type { Dice } from './dice.ts';
import { FEATURES } from './features.ts';
import { FUZZED_AS, LOCAL_AS, type Program, validOpen } from './program.ts';

type Kind = Pick<Program, 'ebgp' | 'fourOctetAs' | 'features'>;

const NONE = new Uint8Array(0);

/** A session of a valid OPEN and up to `limit` valid messages. */
export function validProgram(dice: Dice, limit: number): Program {
  const plain = dice.chance(0.3);
  const features = new Set(FEATURES.filter(() => !plain && dice.chance(0.4)));
  const kind = { ebgp: dice.chance(0.6), fourOctetAs: dice.chance(0.7), features };
  const messages = Array.from({ length: 1 + dice.below(limit) }, () => validMessage(dice, kind));
  return { ...kind, open: validOpen(kind), messages };
}

function validMessage(dice: Dice, kind: Kind): Uint8Array {
  const what = dice.below(20);
  if (what === 0) return KEEPALIVE.slice();
  if (what === 1) return encodeRouteRefresh({ afi: dice.pick([1, 2]), subtype: dice.below(3), safi: 1 });
  if (what === 2) return encodeUpdate(NONE, dice.pick([NONE, unreach(dice, kind)]), NONE);
  if (what < 6) return encodeUpdate(nlri(dice, kind, 4), NONE, NONE);
  const withdrawn = dice.chance(0.2) ? nlri(dice, kind, 3) : NONE;
  if (what === 6) return encodeUpdate(withdrawn, attributes(dice, kind, true), NONE, 0xffff);
  return encodeUpdate(
    withdrawn,
    attributes(dice, kind, dice.chance(kind.features.has('ipv6') ? 0.4 : 0.1)),
    nlri(dice, kind, 5),
    0xffff,
  );
}

/** Prefixes from a small space, so that routes replace each other. */
function nlri(dice: Dice, kind: Kind, limit: number): Uint8Array {
  const list = Array.from({ length: 1 + dice.below(limit) }, () => {
    const bits = dice.pick([0, 8, 9, 16, 20, 24, 24, 24, 25, 31, 32]);
    const address = [dice.pick([10, 172, 198]), dice.below(4) * 64, dice.below(2) * 128, dice.below(256)];
    return Uint8Array.of(...pathId(dice, kind), bits, ...address.slice(0, (bits + 7) >> 3));
  });
  return Buffer.concat(list);
}

/** A path identifier (RFC 7911 §3) of a few, so that paths replace each other; rarely one that was not negotiated. */
function pathId(dice: Dice, { features }: Kind): number[] {
  const agreed = features.has('add-path') ? dice.chance(0.98) : dice.chance(0.005);
  return agreed ? [0, 0, 0, dice.below(3)] : [];
}

function nlri6(dice: Dice, kind: Kind): Uint8Array {
  return Uint8Array.of(...pathId(dice, kind), 64, 0x20, 1, 0xd, 0xb8, 0, dice.below(4), 0, 0);
}

function unreach(dice: Dice, kind: Kind): Uint8Array {
  const afi = dice.pick([1, 2]);
  const routes = dice.chance(0.5) ? NONE : afi === 1 ? nlri(dice, kind, 3) : nlri6(dice, kind);
  return encodeAttribute(0x80, 15, Buffer.concat([Uint8Array.of(0, afi, 1), routes]));
}

function reach(dice: Dice, kind: Kind): Uint8Array {
  const length = dice.pick([4, 16, 32]);
  const extended = kind.features.has('extended-next-hop') && dice.chance(0.5);
  const afi = length === 4 || extended ? 1 : 2;
  const head = Uint8Array.of(0, afi, 1, length, 0x20, 1, ...dice.octets(length - 2), 0);
  const routes = afi === 1 ? nlri(dice, kind, 4) : nlri6(dice, kind);
  return encodeAttribute(0x80, 14, Buffer.concat([head, routes]));
}

const word = (value: number): Uint8Array => {
  const bytes = new Uint8Array(4);
  writeU32(bytes, 0, value);
  return bytes;
};

function asPath(dice: Dice, { ebgp }: Kind): AsSegment[] {
  const as = () => dice.pick([64500, 64501, 65002, 4200000001, 23456, 1, 65535, ebgp ? FUZZED_AS : LOCAL_AS]);
  const rest = Array.from({ length: dice.below(dice.chance(0.05) ? 250 : 5) }, as);
  const path: AsSegment[] = [];
  if (ebgp) path.push({ type: 'sequence', ases: [FUZZED_AS, ...rest] });
  else if (rest.length > 0) path.push({ type: 'sequence', ases: rest });
  if (dice.chance(0.15)) path.push({ type: 'set', ases: [as(), as()] });
  return path;
}

function attributes(dice: Dice, kind: Kind, mp: boolean): Uint8Array {
  const path = asPath(dice, kind);
  const size = kind.fourOctetAs ? 4 : 2;
  const nextHop = Uint8Array.of(192, 0, 2, 1 + dice.below(3));
  const list = [
    encodeAttribute(0x40, 1, Uint8Array.of(dice.below(3))),
    encodeAttribute(0x40, 2, writeSegments(path, size)),
    encodeAttribute(0x40, 3, nextHop),
  ];
  const maybe = (share: number, make: () => Uint8Array) => {
    if (dice.chance(share)) list.push(make());
  };
  const words = (from: readonly number[], count: number) =>
    Buffer.concat(Array.from({ length: count }, () => word(dice.pick(from))));
  const well = [
    0xffff0000, 0xffffff01, 0xffffff02, 0xffffff03, 0xffff029a, 0xfde80001, 0xffff0006, 0xffff0007,
  ];
  maybe(0.3, () => encodeAttribute(0x80, 4, word(dice.below(3))));
  if (!kind.ebgp) maybe(0.8, () => encodeAttribute(0x40, 5, word(100 + dice.below(3))));
  maybe(0.1, () => encodeAttribute(0x40, 6, NONE));
  maybe(0.1, () => encodeAttribute(0xc0, 7, aggregator(dice, size)));
  maybe(0.3, () => encodeAttribute(0xc0, 8, words(well, 1 + dice.below(4))));
  if (!kind.ebgp) {
    maybe(0.2, () => encodeAttribute(0x80, 9, word(0x0a000001 + dice.below(5))));
    maybe(0.2, () => encodeAttribute(0x80, 10, words([0x0a000007, 0x0a000008], 1 + dice.below(2))));
  }
  if (mp) maybe(0.7, () => reach(dice, kind));
  if (mp) maybe(0.4, () => unreach(dice, kind));
  maybe(0.1, () => encodeAttribute(0xc0, 16, dice.octets(8)));
  if (size === 2 && path.length > 0) maybe(0.3, () => encodeAttribute(0xc0, 17, writeSegments(path, 4)));
  if (size === 2) maybe(0.1, () => encodeAttribute(0xc0, 18, Uint8Array.of(0, 1, 0, 1, 10, 0, 0, 1)));
  maybe(0.05, () => encodeAttribute(0xc0, 25, dice.octets(20)));
  maybe(0.1, () => encodeAttribute(0x80, 26, Uint8Array.of(1, 0, 11, ...dice.octets(8))));
  maybe(0.1, () => encodeAttribute(0xc0, 32, dice.octets(12)));
  maybe(0.1, () => encodeAttribute(0xc0, 35, word(dice.pick([64500, FUZZED_AS]))));
  maybe(0.1, () => encodeAttribute(dice.pick([0xc0, 0xe0, 0x80]), 99, dice.octets(dice.below(300))));
  if (kind.features.has('long-messages')) maybe(0.1, () => encodeAttribute(0xd0, 98, dice.octets(4200)));
  return Buffer.concat(list);
}

function aggregator(dice: Dice, size: 2 | 4): Uint8Array {
  const bytes = new Uint8Array(size + 4);
  const as = dice.pick([64500, 23456]);
  if (size === 4) writeU32(bytes, 0, as);
  else writeU16(bytes, 0, as);
  bytes.set([10, 0, 0, 1], size);
  return bytes;
}
