/** The form in which the RIB stores the attributes of a peer's UPDATE. */

import { mergeAs4Path, prependTo, readSegments, writeSegments } from './as-path.ts';
import {
  ATTRIBUTES,
  AttributeType,
  AttrsFlag,
  Community,
  eachAttribute,
  encodeAttribute,
  Flag,
} from './attribute-types.ts';
import { octetsKey, readU16, writeU16, writeU32 } from './cursor.ts';
import { AS_TRANS } from './open.ts';
import type { AttributeContext, AttributeField, AttributePosition, AttributeScan } from './scan-result.ts';

/** The routes of an UPDATE for which attributes are stored: those of its NLRI field, or those of MP_REACH_NLRI. */
export type StoredFor = 'nlri' | 'mpReach';

/**
 * The stored form of attributes that the scan marked `rewrite`: without discarded attributes, with unknown transitive
 * ones marked Partial, and with AS numbers of four octets.
 *
 * For the routes of MP_REACH_NLRI, that attribute replaces NEXT_HOP: it keeps its next hop and loses its routes. An IPv4
 * next hop in it becomes a NEXT_HOP.
 */
export function storedForm(
  { bytes, start, end, context }: AttributeField,
  scan: AttributeScan,
  purpose: StoredFor = 'nlri',
): Uint8Array {
  const parts: Uint8Array[] = [];
  const seen = new Set<number>();
  const as4 = context.fourOctetAs ? null : findAs4(bytes, start, end, scan);
  eachAttribute(bytes, start, end, (type, flags, from, to, at) => {
    if (seen.has(type) || scan.discarded.has(type)) return;
    seen.add(type);
    const attribute = { bytes, type, flags, at, start: from, end: to };
    const part = ATTRIBUTES[type] ? storeKnown(attribute, as4, purpose) : storeUnknown(attribute);
    if (part) parts.push(edited(part, type, context, scan));
  });
  const otc = context.edits?.onlyToCustomer ?? 0;
  if (otc !== 0 && !seen.has(AttributeType.onlyToCustomer)) {
    parts.push(encodeAttribute(Flag.optional | Flag.transitive, AttributeType.onlyToCustomer, word(otc)));
  }
  return Buffer.concat(parts);
}

/** A stored attribute, with the changes that the session and the well-known communities make to it. */
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
      // RFC 7999 §3.2: a blackhole route must not leave this AS.
      const leaves = context.ebgp && (scan.flags & AttrsFlag.blackhole) !== 0;
      if (!leaves || (scan.flags & AttrsFlag.noExport) !== 0) return part;
      const value = Buffer.concat([part.subarray(head), word(Community.noExport)]);
      return encodeAttribute(part[0], type, value);
    }
    case AttributeType.largeCommunities:
      return encodeAttribute(part[0], type, withoutRepeated(part.subarray(head), 12));
    default:
      return part;
  }
}

/** Without repeated communities (RFC 8092 §5). */
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

/** A known attribute; null: not stored. `as4` is null for attributes with AS numbers of four octets. */
function storeKnown(
  attribute: AttributePosition,
  as4: As4Attributes | null,
  purpose: StoredFor,
): Uint8Array | null {
  const { bytes, at, start, end } = attribute;
  const unchanged = (): Uint8Array => bytes.subarray(at, end);
  switch (attribute.type) {
    case AttributeType.mpReach:
      return purpose === 'mpReach' ? nextHopOnly(bytes, start) : null;
    case AttributeType.nextHop:
      return purpose === 'mpReach' ? null : unchanged();
    case AttributeType.mpUnreach:
    case AttributeType.as4Path:
    case AttributeType.as4Aggregator:
      return null;
    case AttributeType.asPath:
      return as4 ? fourOctetPath(bytes, start, end, as4.path) : unchanged();
    case AttributeType.aggregator:
      return as4 ? fourOctetAggregator(bytes, start, as4.aggregator) : unchanged();
    default:
      return unchanged();
  }
}

/** A valid MP_REACH_NLRI without its routes. */
function nextHopOnly(bytes: Uint8Array, from: number): Uint8Array {
  const length = bytes[from + 3];
  const nextHop = bytes.subarray(from + 4, from + 4 + length);
  if (length === 4) return encodeAttribute(Flag.transitive, AttributeType.nextHop, nextHop);
  const value = new Uint8Array(5 + length);
  value.set(bytes.subarray(from, from + 4 + length));
  return encodeAttribute(Flag.optional, AttributeType.mpReach, value);
}

/** An unknown attribute; null for one that is not transitive (RFC 4271 §9). */
function storeUnknown({ bytes, flags, at, end }: AttributePosition): Uint8Array | null {
  if ((flags & Flag.transitive) === 0) return null;
  const copy = bytes.slice(at, end);
  copy[0] |= Flag.partial;
  return copy;
}

/** The bounds of a value: start, end. */
type Bounds = [number, number];

/** The values of AS4_PATH and AS4_AGGREGATOR of a two-octet speaker, where they are to be merged. */
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
  // RFC 6793 §4.2.3: a two-octet speaker has aggregated the route since, so both AS4 attributes are out of date.
  const isOutdated = aggregator && twoOctet && readU16(bytes, twoOctet[0]) !== AS_TRANS;
  return isOutdated ? { path: null, aggregator: null } : { path, aggregator };
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
