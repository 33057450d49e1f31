/** From the attributes of a peer's UPDATE to the form that the RIB keeps. */

import { readSegments, writeSegments } from './as-path.ts';
import { mergeAs4Path } from './as4.ts';
import type { AttributeContext, AttributeScan } from './attribute-scan.ts';
import { ATTRIBUTES, AttributeType, Flag } from './attribute-types.ts';
import { readU16, writeU16 } from './cursor.ts';
import { eachAttribute, encodeAttribute } from './tlv.ts';

/**
 * The stored form of attributes that the scan marked `rewrite`: without what is to be dropped and without the
 * multiprotocol attributes, unknown transitive ones marked Partial, AS numbers of four octets.
 */
export function storedForm(
  bytes: Uint8Array,
  start: number,
  end: number,
  context: AttributeContext,
  scan: AttributeScan,
): Uint8Array {
  const parts: Uint8Array[] = [];
  const seen = new Set<number>();
  eachAttribute(bytes, start, end, (type, flags, from, to, at) => {
    const known = ATTRIBUTES[type] !== undefined;
    if ((known && seen.has(type)) || scan.discarded.has(type)) return;
    seen.add(type);
    const part = known
      ? keepKnown(bytes, type, from, to, at, start, end, context)
      : keepUnknown(bytes, flags, to, at);
    if (part) parts.push(part);
  });
  return Buffer.concat(parts);
}

function keepKnown(
  bytes: Uint8Array,
  type: number,
  from: number,
  to: number,
  at: number,
  start: number,
  end: number,
  context: AttributeContext,
): Uint8Array | null {
  switch (type) {
    case AttributeType.mpReach:
    case AttributeType.mpUnreach:
    case AttributeType.as4Path:
    case AttributeType.as4Aggregator:
      return null;
    case AttributeType.asPath:
      if (context.fourOctetAs) return bytes.subarray(at, to);
      return fourOctetPath(bytes, from, to, start, end);
    case AttributeType.aggregator:
      if (context.fourOctetAs) return bytes.subarray(at, to);
      return fourOctetAggregator(bytes, from, start, end);
    default:
      return bytes.subarray(at, to);
  }
}

function keepUnknown(bytes: Uint8Array, flags: number, to: number, at: number): Uint8Array | null {
  if ((flags & Flag.transitive) === 0) return null;
  const copy = bytes.slice(at, to);
  copy[0] |= Flag.partial;
  return copy;
}

/** The bounds of the first attribute of `type`, or null. */
function find(bytes: Uint8Array, start: number, end: number, type: number): [number, number] | null {
  let found: [number, number] | null = null;
  eachAttribute(bytes, start, end, (candidate, _flags, from, to) => {
    if (candidate === type) found ??= [from, to];
  });
  return found;
}

function fourOctetPath(bytes: Uint8Array, from: number, to: number, start: number, end: number): Uint8Array {
  const path = readSegments(bytes, from, to, 2);
  const as4 = find(bytes, start, end, AttributeType.as4Path);
  const merged = as4 ? mergeAs4Path(path, readSegments(bytes, as4[0], as4[1], 4)) : path;
  return encodeAttribute(Flag.transitive, AttributeType.asPath, writeSegments(merged, 4));
}

/** AGGREGATOR with four octets; AS4_AGGREGATOR counts only where it was AS_TRANS (RFC 6793 §4.2.3). */
function fourOctetAggregator(bytes: Uint8Array, from: number, start: number, end: number): Uint8Array {
  const value = new Uint8Array(8);
  const as = readU16(bytes, from);
  writeU16(value, 2, as);
  value.set(bytes.subarray(from + 2, from + 6), 4);
  const as4 = find(bytes, start, end, AttributeType.as4Aggregator);
  if (as === 23456 && as4 && as4[1] - as4[0] === 8) value.set(bytes.subarray(as4[0], as4[1]));
  return encodeAttribute(Flag.optional | Flag.transitive, AttributeType.aggregator, value);
}
