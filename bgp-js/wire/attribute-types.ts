/** Path attributes: their types, flags and headers, and the numbers that their values use. */
import { readU16, writeU16 } from './cursor.ts';

/** Path attribute type codes (IANA, BGP Path Attributes). */
export const AttributeType = {
  origin: 1,
  asPath: 2,
  nextHop: 3,
  med: 4,
  localPref: 5,
  atomicAggregate: 6,
  aggregator: 7,
  communities: 8,
  originatorId: 9,
  clusterList: 10,
  mpReach: 14,
  mpUnreach: 15,
  extendedCommunities: 16,
  as4Path: 17,
  as4Aggregator: 18,
  ipv6ExtendedCommunities: 25,
  aigp: 26,
  largeCommunities: 32,
  onlyToCustomer: 35,
  prefixSid: 40,
} as const;

/** Attribute flags (RFC 4271 §4.3). */
export const Flag = { optional: 0x80, transitive: 0x40, partial: 0x20, extended: 0x10 } as const;

/** What is known of an attribute apart from its value. */
export interface AttributeDescriptor {
  name: string;
  /** The Optional and Transitive bits that the attribute must have. */
  flags: number;
  /** How other flags are handled; by default treat-as-withdraw (RFC 7606 §3 c). */
  flagConflict?: 'discard';
}

const WELL_KNOWN = Flag.transitive;
const OPTIONAL_TRANSITIVE = Flag.optional | Flag.transitive;
const OPTIONAL = Flag.optional;

/** Known attributes by type code; the index is the code. */
export const ATTRIBUTES: readonly (AttributeDescriptor | undefined)[] = (() => {
  const table: (AttributeDescriptor | undefined)[] = new Array(256).fill(undefined);
  const add = (code: number, name: string, flags: number, flagConflict?: 'discard') => {
    table[code] = { name, flags, flagConflict };
  };
  add(AttributeType.origin, 'ORIGIN', WELL_KNOWN);
  add(AttributeType.asPath, 'AS_PATH', WELL_KNOWN);
  add(AttributeType.nextHop, 'NEXT_HOP', WELL_KNOWN);
  add(AttributeType.med, 'MULTI_EXIT_DISC', OPTIONAL);
  add(AttributeType.localPref, 'LOCAL_PREF', WELL_KNOWN);
  add(AttributeType.atomicAggregate, 'ATOMIC_AGGREGATE', WELL_KNOWN);
  add(AttributeType.aggregator, 'AGGREGATOR', OPTIONAL_TRANSITIVE);
  add(AttributeType.communities, 'COMMUNITIES', OPTIONAL_TRANSITIVE);
  add(AttributeType.originatorId, 'ORIGINATOR_ID', OPTIONAL);
  add(AttributeType.clusterList, 'CLUSTER_LIST', OPTIONAL);
  add(AttributeType.mpReach, 'MP_REACH_NLRI', OPTIONAL);
  add(AttributeType.mpUnreach, 'MP_UNREACH_NLRI', OPTIONAL);
  add(AttributeType.extendedCommunities, 'EXTENDED COMMUNITIES', OPTIONAL_TRANSITIVE);
  add(AttributeType.as4Path, 'AS4_PATH', OPTIONAL_TRANSITIVE);
  add(AttributeType.as4Aggregator, 'AS4_AGGREGATOR', OPTIONAL_TRANSITIVE);
  add(AttributeType.ipv6ExtendedCommunities, 'IPV6 EXTENDED COMMUNITIES', OPTIONAL_TRANSITIVE);
  // RFC 7311 §3.2, RFC 8669 §6: any error in them only discards the attribute.
  add(AttributeType.aigp, 'AIGP', OPTIONAL, 'discard');
  add(AttributeType.largeCommunities, 'LARGE_COMMUNITY', OPTIONAL_TRANSITIVE);
  add(AttributeType.onlyToCustomer, 'ONLY_TO_CUSTOMER', OPTIONAL_TRANSITIVE);
  add(AttributeType.prefixSid, 'PREFIX_SID', OPTIONAL_TRANSITIVE, 'discard');
  return table;
})();

/** An attribute's name, for errors and views. */
export function attributeName(type: number): string {
  return ATTRIBUTES[type]?.name ?? `attribute ${type}`;
}

/** AS_PATH segment types (RFC 4271 §4.3, RFC 5065 §3). */
export const Segment = { set: 1, sequence: 2, confedSequence: 3, confedSet: 4 } as const;

/** Well-known communities (RFC 1997, 3765, 7999, 8326, 9494). */
export const Community = {
  gracefulShutdown: 0xffff0000,
  llgrStale: 0xffff0006,
  noLlgr: 0xffff0007,
  blackhole: 0xffff029a,
  noExport: 0xffffff01,
  noAdvertise: 0xffffff02,
  noExportSubconfed: 0xffffff03,
  noPeer: 0xffffff04,
} as const;

/** Facts about the attributes of a route, as bits. */
export const AttrsFlag = {
  /** AS_PATH contains our AS: a loop (RFC 4271 §9.1.2). */
  asLoop: 1,
  /** ORIGINATOR_ID is our identifier, or CLUSTER_LIST contains our cluster (RFC 4456 §8). */
  reflectionLoop: 2,
  noExport: 4,
  noAdvertise: 8,
  hasMed: 16,
  hasLocalPref: 32,
  gracefulShutdown: 64,
  blackhole: 128,
  /** LLGR_STALE: only used where no other route exists (RFC 9494 §4.3). */
  llgrStale: 256,
  noLlgr: 512,
  /** AS_PATH has segments of a confederation (RFC 5065). */
  confederation: 1024,
  /** OTC exists (RFC 9234 §5). */
  onlyToCustomer: 2048,
  /** NEXT_HOP exists; otherwise the next hop is of IPv6, or there is none. */
  ipv4NextHop: 4096,
  /** ORIGINATOR_ID exists (RFC 4456 §8). */
  originatorId: 8192,
} as const;

/** Whether an IPv4 address is that of a host: not 0/8, 127/8, multicast or above (RFC 4271 §6.3, RFC 7606 §7.3). */
export function isHostAddress(address: number): boolean {
  const first = address >>> 24;
  return first !== 0 && first !== 127 && first < 224;
}

/** Calls `visit` for every attribute between `start` and `end`; stops at one that runs past the end. */
export function eachAttribute(
  bytes: Uint8Array,
  start: number,
  end: number,
  visit: (type: number, flags: number, valueStart: number, valueEnd: number, at: number) => void,
): void {
  let at = start;
  while (at + 3 <= end) {
    const isExtended = (bytes[at] & Flag.extended) !== 0;
    const head = isExtended ? 4 : 3;
    if (at + head > end) return;
    const length = isExtended ? readU16(bytes, at + 2) : bytes[at + 2];
    const valueEnd = at + head + length;
    if (valueEnd > end) return;
    visit(bytes[at + 1], bytes[at], at + head, valueEnd, at);
    at = valueEnd;
  }
}

/** One attribute with its header; the length has two octets if the value is longer than 255. */
export function encodeAttribute(flags: number, type: number, value: Uint8Array): Uint8Array {
  const isExtended = value.length > 255;
  const bytes = new Uint8Array((isExtended ? 4 : 3) + value.length);
  bytes[0] = isExtended ? flags | Flag.extended : flags & ~Flag.extended;
  bytes[1] = type;
  if (isExtended) writeU16(bytes, 2, value.length);
  else bytes[2] = value.length;
  bytes.set(value, isExtended ? 4 : 3);
  return bytes;
}
