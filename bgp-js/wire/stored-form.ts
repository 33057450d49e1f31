/** From the attributes of a peer's UPDATE to the form that the RIB keeps. */

import { mergeAs4Path, prependTo, readSegments, writeSegments } from './as-path.ts';
import {
  ATTRIBUTES,
  AttributeType,
  Community,
  eachAttribute,
  encodeAttribute,
  Flag,
  SetFlag,
} from './attribute-types.ts';
import { octetsKey, readU16, writeU16, writeU32 } from './cursor.ts';
import { AS_TRANS } from './open.ts';
import type { AttributeContext, AttributeScan } from './scan-result.ts';

/** For which routes of an UPDATE a stored form is: those of its own fields, or those of MP_REACH_NLRI. */
export type StoredFor = 'classic' | 'multiprotocol';

/**
 * The stored form of attributes that the scan marked `rewrite`: without what is to be dropped, unknown transitive ones marked Partial, AS numbers of four octets. For routes of
 * MP_REACH_NLRI that attribute stays with its next hop and without routes, in the place of NEXT_HOP; an IPv4 next hop
 * becomes a NEXT_HOP.
 */
export function storedForm(
  bytes: Uint8Array,
  start: number,
  end: number,
  context: AttributeContext,
  scan: AttributeScan,
  purpose: StoredFor = 'classic',
): Uint8Array {
  const parts: Uint8Array[] = [];
  const seen = new Set<number>();
  const as4 = context.fourOctetAs ? null : findAs4(bytes, start, end, scan);
  eachAttribute(bytes, start, end, (type, flags, from, to, at) => {
    if (seen.has(type) || scan.discarded.has(type)) return;
    seen.add(type);
    const part = ATTRIBUTES[type]
      ? keepKnown(bytes, type, from, to, at, as4, purpose)
      : keepUnknown(bytes, flags, to, at);
    if (part) parts.push(edited(part, type, context, scan));
  });
  const otc = context.edits?.onlyToCustomer ?? 0;
  if (otc !== 0 && !seen.has(AttributeType.onlyToCustomer)) {
    parts.push(encodeAttribute(Flag.optional | Flag.transitive, AttributeType.onlyToCustomer, word(otc)));
  }
  return Buffer.concat(parts);
}

/** An attribute that stays, with what the session and the well-known communities change in it. */
function edited(part: Uint8Array, type: number, context: AttributeContext, scan: AttributeScan): Uint8Array {
  const head = (part[0] & Flag.extended) !== 0 ? 4 : 3;
  switch (type) {
    case AttributeType.asPath: {
      const as = context.edits?.prependAs ?? 0;
      if (as === 0) return part;
      const path = prependTo(readSegments(part, head, part.length, 4), as);
      return encodeAttribute(Flag.transitive, type, writeSegments(path, 4));
    }
    case AttributeType.communities: {
      // RFC 7999 §3.2: a route for a black hole must not leave this AS.
      const leaves = context.ebgp && (scan.flags & SetFlag.blackhole) !== 0;
      if (!leaves || (scan.flags & SetFlag.noExport) !== 0) return part;
      const value = Buffer.concat([part.subarray(head), word(Community.noExport)]);
      return encodeAttribute(part[0], type, value);
    }
    case AttributeType.largeCommunities:
      return encodeAttribute(part[0], type, withoutRepeated(part.subarray(head), 12));
    default:
      return part;
  }
}

/** RFC 8092 §5: of a community that stands there twice, the second goes. */
function withoutRepeated(value: Uint8Array, size: number): Uint8Array {
  const kept = new Map<string, Uint8Array>();
  for (let at = 0; at < value.length; at += size) {
    kept.set(octetsKey(value, at, size), value.subarray(at, at + size));
  }
  return Buffer.concat([...kept.values()]);
}

function word(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  writeU32(bytes, 0, value);
  return bytes;
}

/** `as4`: null for attributes that have AS numbers of four octets already. */
function keepKnown(
  bytes: Uint8Array,
  type: number,
  from: number,
  to: number,
  at: number,
  as4: As4Attributes | null,
  purpose: StoredFor,
): Uint8Array | null {
  switch (type) {
    case AttributeType.mpReach:
      return purpose === 'multiprotocol' ? nextHopOnly(bytes, from) : null;
    case AttributeType.nextHop:
      return purpose === 'multiprotocol' ? null : bytes.subarray(at, to);
    case AttributeType.mpUnreach:
    case AttributeType.as4Path:
    case AttributeType.as4Aggregator:
      return null;
    case AttributeType.asPath:
      return as4 ? fourOctetPath(bytes, from, to, as4.path) : bytes.subarray(at, to);
    case AttributeType.aggregator:
      return as4 ? fourOctetAggregator(bytes, from, as4.aggregator) : bytes.subarray(at, to);
    default:
      return bytes.subarray(at, to);
  }
}

/** MP_REACH_NLRI whose lengths were checked, without its routes. */
function nextHopOnly(bytes: Uint8Array, from: number): Uint8Array {
  const length = bytes[from + 3];
  const nextHop = bytes.subarray(from + 4, from + 4 + length);
  if (length === 4) return encodeAttribute(Flag.transitive, AttributeType.nextHop, nextHop);
  const value = new Uint8Array(5 + length);
  value.set(bytes.subarray(from, from + 4 + length));
  return encodeAttribute(Flag.optional, AttributeType.mpReach, value);
}

function keepUnknown(bytes: Uint8Array, flags: number, to: number, at: number): Uint8Array | null {
  if ((flags & Flag.transitive) === 0) return null;
  const copy = bytes.slice(at, to);
  copy[0] |= Flag.partial;
  return copy;
}

/** The bounds of a value: from, to. */
type Bounds = [number, number];

/** What a two-octet speaker passed on of four-octet AS numbers, as far as it counts. */
interface As4Attributes {
  path: Bounds | null;
  aggregator: Bounds | null;
}

function findAs4(bytes: Uint8Array, start: number, end: number, scan: AttributeScan): As4Attributes {
  const found = new Map<number, Bounds>();
  eachAttribute(bytes, start, end, (type, _flags, from, to) => {
    if (!found.has(type) && !scan.discarded.has(type)) found.set(type, [from, to]);
  });
  const path = found.get(AttributeType.as4Path) ?? null;
  const aggregator = found.get(AttributeType.as4Aggregator) ?? null;
  const twoOctet = found.get(AttributeType.aggregator);
  // RFC 6793 §4.2.3: aggregated anew behind the last four-octet speaker, so that both AS4 attributes are out of date.
  const outdated = aggregator && twoOctet && readU16(bytes, twoOctet[0]) !== AS_TRANS;
  return outdated ? { path: null, aggregator: null } : { path, aggregator };
}

function fourOctetPath(bytes: Uint8Array, from: number, to: number, as4Path: Bounds | null): Uint8Array {
  const path = readSegments(bytes, from, to, 2);
  const merged = as4Path ? mergeAs4Path(path, readSegments(bytes, as4Path[0], as4Path[1], 4)) : path;
  return encodeAttribute(Flag.transitive, AttributeType.asPath, writeSegments(merged, 4));
}

function fourOctetAggregator(bytes: Uint8Array, from: number, as4Aggregator: Bounds | null): Uint8Array {
  const value = new Uint8Array(8);
  writeU16(value, 2, readU16(bytes, from));
  value.set(bytes.subarray(from + 2, from + 6), 4);
  if (as4Aggregator) value.set(bytes.subarray(as4Aggregator[0], as4Aggregator[1]));
  return encodeAttribute(Flag.optional | Flag.transitive, AttributeType.aggregator, value);
}
