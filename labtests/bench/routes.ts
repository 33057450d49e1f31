import { IPAddress, IPPrefix } from 'bgp-js/ip';
import { encodeAttributes, encodeUpdate, MAX_MESSAGE_LENGTH, nlriLength } from 'bgp-js/wire';

const FIRST = 20 * 2 ** 24;
/** Octets of an UPDATE besides NLRI and attributes: header and two lengths (RFC 4271 §4.3). */
const FRAME = 23;

/** Routes that share their attributes. */
export interface RouteSet {
  /** The numbers of the first route and of the one after the last. */
  from: number;
  to: number;
  /** 1 to 2^31 - 1; 0 means "no route" in tables. */
  version: number;
  nextHop: string;
  /** AS numbers of the path; empty for a route of the AS itself. */
  asPath?: number[];
}

/** A numbered set of prefixes of one length. */
export class RouteSpace {
  readonly count: number;
  readonly length: number;

  /** `length` is the prefix length, 8 to 32. */
  constructor(count: number, length: number) {
    if (count * 2 ** (32 - length) > 0xc0000000)
      throw new RangeError(`${count} prefixes of /${length} are too many`);
    this.count = count;
    this.length = length;
  }

  /** The address of route `index`, as a number. */
  address(index: number): number {
    return FIRST + index * 2 ** (32 - this.length);
  }

  /** The number of the route whose NLRI is at `at`; -1 when it is not in the set. */
  indexAt(bytes: Uint8Array, at: number): number {
    if (bytes[at] !== this.length) return -1;
    let address = 0;
    for (let i = 0; i < 4; i++) address = address * 256 + (8 * i < this.length ? bytes[at + 1 + i] : 0);
    const index = (address - FIRST) / 2 ** (32 - this.length);
    return index >= 0 && index < this.count ? index : -1;
  }

  /** UPDATEs that announce a set of routes. */
  announce({ from, to, version, nextHop, asPath = [] }: RouteSet): Uint8Array {
    const attributes = encodeAttributes({
      origin: 'IGP',
      asPath: asPath.length > 0 ? [{ type: 'sequence', ases: asPath }] : [],
      nextHop,
      localPref: 100,
      communities: [version],
    });
    const room = MAX_MESSAGE_LENGTH - FRAME - attributes.length;
    return this.updates(from, to, room, (nlri) => encodeUpdate(new Uint8Array(0), attributes, nlri));
  }

  /** UPDATEs that withdraw the routes from `from` to before `to`. */
  withdraw(from: number, to: number): Uint8Array {
    const none = new Uint8Array(0);
    return this.updates(from, to, MAX_MESSAGE_LENGTH - FRAME, (nlri) => encodeUpdate(nlri, none, none));
  }

  private updates(
    from: number,
    to: number,
    room: number,
    make: (nlri: Uint8Array) => Uint8Array,
  ): Uint8Array {
    const size = nlriLength(this.length);
    const inOne = Math.floor(room / size);
    const messages: Uint8Array[] = [];
    for (let first = from; first < to; first += inOne) {
      const count = Math.min(inOne, to - first);
      const nlri = new Uint8Array(count * size);
      for (let i = 0; i < count; i++) {
        nlri.set(IPPrefix.of(IPAddress.v4(this.address(first + i)), this.length).toNlri(), i * size);
      }
      messages.push(make(nlri));
    }
    return Buffer.concat(messages);
  }
}

/** Callbacks for the routes of an UPDATE. */
export interface RouteVisitor {
  announced(index: number, version: number): void;
  withdrawn(index: number): void;
}

/**
 * Reads the UPDATE at `at`; returns the number of prefixes that are not in the set. Of the attributes it reads only the
 * version.
 */
export function readUpdate(bytes: Uint8Array, at: number, space: RouteSpace, visitor: RouteVisitor): number {
  const end = at + readU16(bytes, at + 16);
  const withdrawnEnd = at + 21 + readU16(bytes, at + 19);
  const attributesEnd = withdrawnEnd + 2 + readU16(bytes, withdrawnEnd);
  let foreign = 0;
  const each = (from: number, to: number, visit: (index: number) => void) => {
    for (let i = from; i < to; i += nlriLength(bytes[i])) {
      const index = space.indexAt(bytes, i);
      if (index < 0) foreign++;
      else visit(index);
    }
  };
  each(at + 21, withdrawnEnd, (index) => visitor.withdrawn(index));
  if (attributesEnd === end) return foreign;
  const version = communityIn(bytes, withdrawnEnd + 2, attributesEnd);
  each(attributesEnd, end, (index) => visitor.announced(index, version));
  return foreign;
}

/** The first community of the attributes (RFC 1997); 0 when there is none. */
function communityIn(bytes: Uint8Array, from: number, to: number): number {
  for (let i = from; i < to; ) {
    const extended = (bytes[i] & 0x10) !== 0;
    const value = i + (extended ? 4 : 3);
    if (bytes[i + 1] === 8) return readU32(bytes, value);
    i = value + (extended ? readU16(bytes, i + 2) : bytes[i + 2]);
  }
  return 0;
}

/** Two octets in network order. */
export function readU16(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 8) | bytes[at + 1];
}

/** Four octets in network order, unsigned. */
function readU32(bytes: Uint8Array, at: number): number {
  return readU16(bytes, at) * 65536 + readU16(bytes, at + 2);
}
