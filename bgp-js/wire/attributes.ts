/**
 * Path attributes as objects, for views, tests and the routes that a speaker originates. Routes on their way through the
 * RIB stay in wire form (attribute-scan.ts, stored-form.ts).
 */
import { addressFrom, formatIPv4, IPAddress } from '../ip/index.ts';
import { type AsSegment, readSegments, writeSegments } from './as-path.ts';
import { ATTRIBUTES, AttributeType, eachAttribute, encodeAttribute, Flag } from './attribute-types.ts';
import type { LargeCommunity } from './communities.ts';
import { readU16, readU32, readU64, writeU32 } from './cursor.ts';

/** The attributes of a route, decoded. AS numbers have four octets. */
export interface Attributes {
  origin: 'IGP' | 'EGP' | 'incomplete';
  asPath: AsSegment[];
  /** The text of an IPv4 or IPv6 address. */
  nextHop?: string;
  /** The link-local address beside a global IPv6 next hop (RFC 2545 §3). */
  linkLocalNextHop?: string;
  /** The family of the routes that an IPv6 next hop is for. */
  nextHopFamily?: { afi: number; safi: number };
  med?: number;
  localPref?: number;
  atomicAggregate?: boolean;
  aggregator?: { as: number; address: string };
  /** Standard communities as unsigned numbers. */
  communities?: number[];
  originatorId?: string;
  clusterList?: string[];
  /** Extended communities (RFC 4360) as unsigned numbers of 64 bits. */
  extendedCommunities?: bigint[];
  /** IPv6-specific extended communities (RFC 5701), 20 octets each. */
  ipv6ExtendedCommunities?: Uint8Array[];
  largeCommunities?: LargeCommunity[];
  /** The metric of AIGP (RFC 7311). */
  aigp?: bigint;
  /** OTC (RFC 9234): the AS that restricted the route to customers. */
  onlyToCustomer?: number;
  /** All other attributes, in wire form. */
  others?: { flags: number; type: number; value: Uint8Array }[];
}

const ORIGINS = ['IGP', 'EGP', 'incomplete'] as const;

/** Decodes attributes that `scanAttributes` found valid, with AS numbers of four octets. */
export function decodeAttributes(bytes: Uint8Array, start = 0, end = bytes.length): Attributes {
  const result: Attributes = { origin: 'incomplete', asPath: [] };
  const words = (from: number, to: number): number[] => {
    const list: number[] = [];
    for (let at = from; at + 4 <= to; at += 4) list.push(readU32(bytes, at));
    return list;
  };
  eachAttribute(bytes, start, end, (type, flags, from, to) => {
    const length = to - from;
    if (type === AttributeType.origin && length === 1) result.origin = ORIGINS[bytes[from]] ?? 'incomplete';
    else if (type === AttributeType.asPath) result.asPath = readSegments(bytes, from, to, 4);
    else if (type === AttributeType.nextHop && length === 4)
      result.nextHop = formatIPv4(readU32(bytes, from));
    else if (type === AttributeType.mpReach && length === 5 + bytes[from + 3]) {
      // The stored form, which has a next hop and no routes.
      result.nextHop = IPAddress.read(bytes, from + 4, 6).toString();
      if (bytes[from + 3] === 32) result.linkLocalNextHop = IPAddress.read(bytes, from + 20, 6).toString();
      result.nextHopFamily = { afi: readU16(bytes, from), safi: bytes[from + 2] };
    } else if (type === AttributeType.med && length === 4) result.med = readU32(bytes, from);
    else if (type === AttributeType.localPref && length === 4) result.localPref = readU32(bytes, from);
    else if (type === AttributeType.atomicAggregate) result.atomicAggregate = true;
    else if (type === AttributeType.aggregator && length === 8) {
      const [as, address] = words(from, to);
      result.aggregator = { as, address: formatIPv4(address) };
    } else if (type === AttributeType.communities) result.communities = words(from, to);
    else if (type === AttributeType.originatorId && length === 4) {
      result.originatorId = formatIPv4(readU32(bytes, from));
    } else if (type === AttributeType.clusterList) result.clusterList = words(from, to).map(formatIPv4);
    else if (type === AttributeType.onlyToCustomer && length === 4)
      result.onlyToCustomer = readU32(bytes, from);
    else if (!decodeLong(type, bytes, from, to, result)) {
      result.others ??= [];
      result.others.push({ flags: flags & ~Flag.extended, type, value: bytes.slice(from, to) });
    }
  });
  return result;
}

/** Decodes attributes with elements longer than 32 bits; false for others, and for an AIGP without a metric. */
function decodeLong(type: number, bytes: Uint8Array, from: number, to: number, result: Attributes): boolean {
  switch (type) {
    case AttributeType.extendedCommunities:
      result.extendedCommunities = elements(bytes, from, to, 8, (at) => readU64(bytes, at));
      return true;
    case AttributeType.ipv6ExtendedCommunities:
      result.ipv6ExtendedCommunities = elements(bytes, from, to, 20, (at) => bytes.slice(at, at + 20));
      return true;
    case AttributeType.largeCommunities:
      result.largeCommunities = elements(bytes, from, to, 12, (at) => [
        readU32(bytes, at),
        readU32(bytes, at + 4),
        readU32(bytes, at + 8),
      ]);
      return true;
    case AttributeType.aigp: {
      // An AIGP with other TLVs stays in wire form: the object has no place for them.
      if (to - from !== AIGP_LENGTH || bytes[from] !== 1) return false;
      result.aigp = readU64(bytes, from + 3);
      return true;
    }
    default:
      return false;
  }
}

/** Octets of the AIGP TLV (RFC 7311 §3): type 1, a length of two octets, and the metric. */
const AIGP_LENGTH = 11;

function elements<T>(
  bytes: Uint8Array,
  from: number,
  to: number,
  size: number,
  read: (at: number) => T,
): T[] {
  const list: T[] = [];
  for (let at = from; at + size <= Math.min(to, bytes.length); at += size) list.push(read(at));
  return list;
}

/** Encodes attributes in ascending order of type (RFC 4271 §5). Throws RangeError for text that is not an address. */
export function encodeAttributes(attributes: Attributes): Uint8Array {
  const list: { type: number; bytes: Uint8Array }[] = [];
  const add = (type: number, value: Uint8Array, flags = ATTRIBUTES[type]?.flags ?? 0xc0) =>
    list.push({ type, bytes: encodeAttribute(flags, type, value) });
  const words = (numbers: number[]): Uint8Array => {
    const bytes = new Uint8Array(4 * numbers.length);
    numbers.forEach((value, i) => {
      writeU32(bytes, 4 * i, value);
    });
    return bytes;
  };
  add(AttributeType.origin, Uint8Array.of(ORIGINS.indexOf(attributes.origin)));
  add(AttributeType.asPath, writeSegments(attributes.asPath, 4));
  const ipv6 = attributes.nextHop === undefined ? null : multiprotocolNextHop(attributes);
  if (ipv6) add(AttributeType.mpReach, ipv6);
  else if (attributes.nextHop !== undefined)
    add(AttributeType.nextHop, words([ipv4(attributes.nextHop, 'nextHop')]));
  if (attributes.med !== undefined) add(AttributeType.med, words([attributes.med]));
  if (attributes.localPref !== undefined) add(AttributeType.localPref, words([attributes.localPref]));
  if (attributes.atomicAggregate) add(AttributeType.atomicAggregate, new Uint8Array(0));
  if (attributes.aggregator) {
    add(
      AttributeType.aggregator,
      words([attributes.aggregator.as, ipv4(attributes.aggregator.address, 'aggregator')]),
    );
  }
  if (attributes.communities) add(AttributeType.communities, words(attributes.communities));
  if (attributes.originatorId !== undefined) {
    add(AttributeType.originatorId, words([ipv4(attributes.originatorId, 'originatorId')]));
  }
  if (attributes.clusterList)
    add(AttributeType.clusterList, words(attributes.clusterList.map((id) => ipv4(id, 'clusterList'))));
  encodeLong(attributes, add);
  for (const { flags, type, value } of attributes.others ?? []) add(type, value, flags);
  list.sort((a, b) => a.type - b.type);
  return Buffer.concat(list.map(({ bytes }) => bytes));
}

function encodeLong(attributes: Attributes, add: (type: number, value: Uint8Array) => void): void {
  const { extendedCommunities, ipv6ExtendedCommunities, largeCommunities, aigp, onlyToCustomer } = attributes;
  if (extendedCommunities) {
    add(AttributeType.extendedCommunities, Buffer.concat(extendedCommunities.map(octets64)));
  }
  if (ipv6ExtendedCommunities) {
    add(AttributeType.ipv6ExtendedCommunities, Buffer.concat(ipv6ExtendedCommunities));
  }
  if (aigp !== undefined) {
    add(AttributeType.aigp, Uint8Array.of(1, 0, AIGP_LENGTH, ...octets64(aigp)));
  }
  if (largeCommunities) {
    const value = new Uint8Array(12 * largeCommunities.length);
    largeCommunities.flat().forEach((word, i) => {
      writeU32(value, 4 * i, word);
    });
    add(AttributeType.largeCommunities, value);
  }
  if (onlyToCustomer !== undefined) {
    const value = new Uint8Array(4);
    writeU32(value, 0, onlyToCustomer);
    add(AttributeType.onlyToCustomer, value);
  }
}

function octets64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  writeU32(bytes, 0, Number(value >> 32n));
  writeU32(bytes, 4, Number(value & 0xffffffffn));
  return bytes;
}

/** The value of MP_REACH_NLRI with an IPv6 next hop and without routes; null for an IPv4 next hop. */
function multiprotocolNextHop(attributes: Attributes): Uint8Array | null {
  const { nextHop = '', linkLocalNextHop, nextHopFamily } = attributes;
  const given = addressFrom(nextHop, 'nextHop');
  // The text of a mapped address reads as IPv4. A next hop from MP_REACH_NLRI is one of IPv6 all the same.
  const global = nextHopFamily ? given.mapped() : given;
  if (global.version === 4) return null;
  const local = linkLocalNextHop === undefined ? null : addressFrom(linkLocalNextHop, 'linkLocalNextHop');
  const hops = local ? [...global.toBytes(), ...local.toBytes()] : [...global.toBytes()];
  const { afi, safi } = nextHopFamily ?? { afi: 2, safi: 1 };
  return Uint8Array.of(afi >>> 8, afi, safi, hops.length, ...hops, 0);
}

function ipv4(text: string, option: string): number {
  const address = addressFrom(text, option);
  if (address.version !== 4) throw new RangeError(`${option}: ${text} is not an IPv4 address`);
  return address.value;
}
