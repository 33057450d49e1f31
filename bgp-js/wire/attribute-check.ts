/** The value of each known attribute: its defects (RFC 7606 §7), and the numbers it contributes to the scan. */
import type { AttributeContext, AttributeScan } from './attribute-scan.ts';
import { AttributeType, Community, isHostAddress, Segment, SetFlag } from './attribute-types.ts';
import { readU16, readU32 } from './cursor.ts';

/**
 * Checks the value between `start` and `end` of a known attribute that begins at `at`, and notes what it says.
 * Every read is within the value because its length is checked first.
 */
export function checkValue(
  bytes: Uint8Array,
  type: number,
  start: number,
  end: number,
  context: AttributeContext,
  scan: AttributeScan,
  at: number,
): void {
  const length = end - start;
  const withdraw = (subcode: number, text: string) =>
    scan.fail('treat-as-withdraw', subcode, type, text, bytes.slice(at, end));
  const wrongLength = () => withdraw(5, `a length of ${length} is wrong`);
  switch (type) {
    case AttributeType.origin:
      if (length !== 1) return wrongLength();
      if (bytes[start] > 2) return withdraw(6, `the value ${bytes[start]} is not defined`);
      scan.origin = bytes[start];
      return;
    case AttributeType.asPath:
      return checkAsPath(bytes, start, end, context, scan, at);
    case AttributeType.nextHop:
      if (length !== 4) return wrongLength();
      scan.nextHop = readU32(bytes, start);
      scan.flags |= SetFlag.ipv4NextHop;
      if (!isHostAddress(scan.nextHop)) withdraw(8, 'the next hop is not a host address');
      return;
    case AttributeType.med:
      if (length !== 4) return wrongLength();
      scan.med = readU32(bytes, start);
      scan.flags |= SetFlag.hasMed;
      return;
    case AttributeType.localPref:
      if (context.ebgp) return scan.fail('discard', 9, type, 'came from an external peer');
      if (length !== 4) return wrongLength();
      scan.localPref = readU32(bytes, start);
      scan.flags |= SetFlag.hasLocalPref;
      return;
    case AttributeType.atomicAggregate:
      if (length !== 0) scan.fail('discard', 5, type, `a length of ${length} is wrong`);
      return;
    case AttributeType.aggregator:
      return checkAggregator(bytes, start, length, context, scan);
    case AttributeType.communities:
      if (length === 0 || length % 4 !== 0) return wrongLength();
      return noteCommunities(bytes, start, end, context, scan);
    case AttributeType.originatorId:
    case AttributeType.clusterList:
      return checkReflection(bytes, type, start, end, context, scan, wrongLength);
    case AttributeType.extendedCommunities:
      if (length === 0 || length % 8 !== 0) return wrongLength();
      return;
    case AttributeType.ipv6ExtendedCommunities:
      if (length === 0 || length % 20 !== 0) return wrongLength();
      return;
    case AttributeType.largeCommunities:
      if (length === 0 || length % 12 !== 0) return wrongLength();
      if (hasRepeated(bytes, start, end, 12)) scan.rewrite = true;
      return;
    case AttributeType.onlyToCustomer:
      if (length !== 4) return wrongLength();
      scan.flags |= SetFlag.onlyToCustomer;
      return;
    case AttributeType.aigp:
      // RFC 7311 §3.1: where it is not enabled, it is ignored like an unknown non-transitive attribute.
      if (!(context.aigp ?? !context.ebgp)) return scan.ignore(type);
      if (!soundAigp(bytes, start, end)) scan.fail('discard', 9, type, 'a TLV is malformed');
      return;
    case AttributeType.prefixSid:
      if (!soundPrefixSid(bytes, start, end)) scan.fail('discard', 9, type, 'a TLV is malformed');
      return;
    case AttributeType.as4Path:
    case AttributeType.as4Aggregator:
      return checkAs4(bytes, type, start, end, context, scan);
    case AttributeType.mpReach:
      scan.rewrite = true;
      scan.mpReachStart = start;
      scan.mpReachEnd = end;
      if (length < 5 || 4 + bytes[start + 3] + 1 > length) scan.fail('reset', 1, type, 'is truncated');
      return;
    case AttributeType.mpUnreach:
      scan.rewrite = true;
      scan.mpUnreachStart = start;
      scan.mpUnreachEnd = end;
      if (length < 3) scan.fail('reset', 9, type, 'is truncated');
      return;
  }
}

function checkAsPath(
  bytes: Uint8Array,
  start: number,
  end: number,
  context: AttributeContext,
  scan: AttributeScan,
  attributeStart: number,
): void {
  const size = context.fourOctetAs ? 4 : 2;
  if (size === 2) scan.rewrite = true;
  const malformed = (text: string) =>
    scan.fail('treat-as-withdraw', 11, AttributeType.asPath, text, bytes.slice(attributeStart, end));
  let at = start;
  while (at < end) {
    if (end - at < 2) return malformed('an octet is left behind the last segment');
    const segment = bytes[at];
    const count = bytes[at + 1];
    const next = at + 2 + count * size;
    if (segment < 1 || segment > 4) return malformed(`segment type ${segment} is not defined`);
    if (count === 0) return malformed('a segment is empty');
    if (next > end) return malformed(`a segment of ${count} AS numbers runs past the attribute`);
    const confederation = segment === Segment.confedSequence || segment === Segment.confedSet;
    if (confederation && context.ebgp) return malformed('a confederation segment from outside');
    if (confederation) scan.flags |= SetFlag.confederation;
    if (segment === Segment.sequence) scan.asPathLength += count;
    if (segment === Segment.set) scan.asPathLength += 1;
    for (let i = at + 2; i < next; i += size) {
      const as = size === 4 ? readU32(bytes, i) : readU16(bytes, i);
      if (as === 0) return malformed('AS 0 is in the path (RFC 7607)');
      if (as === context.localAs) scan.flags |= SetFlag.asLoop;
      if (i === start + 2 && segment === Segment.sequence) scan.firstAs = as;
    }
    at = next;
  }
}

function checkAggregator(
  bytes: Uint8Array,
  start: number,
  length: number,
  context: AttributeContext,
  scan: AttributeScan,
): void {
  const expected = context.fourOctetAs ? 8 : 6;
  if (!context.fourOctetAs) scan.rewrite = true;
  if (length !== expected) {
    scan.fail('discard', 5, AttributeType.aggregator, `a length of ${length} is not ${expected}`);
  } else if ((context.fourOctetAs ? readU32(bytes, start) : readU16(bytes, start)) === 0) {
    scan.fail('discard', 9, AttributeType.aggregator, 'AS 0 (RFC 7607)');
  }
}

/**
 * AS4_PATH and AS4_AGGREGATOR: a four-octet speaker must not send them (RFC 6793 §4.1); from a two-octet one they are
 * merged, or dropped when malformed (RFC 6793 §6, RFC 7607).
 */
function checkAs4(
  bytes: Uint8Array,
  type: number,
  start: number,
  end: number,
  context: AttributeContext,
  scan: AttributeScan,
): void {
  scan.rewrite = true;
  const discard = (text: string) => scan.fail('discard', 9, type, text);
  if (context.fourOctetAs) return discard('came from a four-octet speaker');
  if (type === AttributeType.as4Aggregator) {
    if (end - start !== 8) discard(`a length of ${end - start} is not 8`);
    else if (readU32(bytes, start) === 0) discard('AS 0 (RFC 7607)');
    return;
  }
  if (start === end) return discard('is empty');
  for (let at = start; at < end; ) {
    const count = end - at < 2 ? 0 : bytes[at + 1];
    const next = at + 2 + 4 * count;
    if (count === 0 || next > end || bytes[at] < Segment.set || bytes[at] > Segment.confedSet) {
      return discard('a segment is malformed');
    }
    for (let i = at + 2; i < next; i += 4) {
      if (readU32(bytes, i) === 0) return discard('AS 0 is in the path (RFC 7607)');
    }
    at = next;
  }
}

function noteCommunities(
  bytes: Uint8Array,
  start: number,
  end: number,
  context: AttributeContext,
  scan: AttributeScan,
): void {
  for (let at = start; at < end; at += 4) {
    // Only 65535:x, the range of the well-known ones (RFC 1997).
    if (bytes[at] === 0xff && bytes[at + 1] === 0xff) scan.flags |= COMMUNITY_FLAGS[readU32(bytes, at)] ?? 0;
  }
  if (!context.ebgp) return;
  if ((scan.flags & SetFlag.gracefulShutdown) !== 0 && context.obeyGracefulShutdown !== false) {
    scan.localPref = 0;
  }
  // RFC 7999 §3.2: such a route must not leave this AS, so NO_EXPORT is added.
  if ((scan.flags & SetFlag.blackhole) !== 0 && (scan.flags & SetFlag.noExport) === 0) scan.rewrite = true;
}

const COMMUNITY_FLAGS: Record<number, number> = {
  [Community.noExport]: SetFlag.noExport,
  // There are no confederations here, so their border is that of the AS.
  [Community.noExportSubconfed]: SetFlag.noExport,
  [Community.noAdvertise]: SetFlag.noAdvertise,
  [Community.gracefulShutdown]: SetFlag.gracefulShutdown,
  [Community.blackhole]: SetFlag.blackhole,
  [Community.llgrStale]: SetFlag.llgrStale,
  [Community.noLlgr]: SetFlag.noLlgr,
};

/** Whether an element of `size` octets stands there twice. */
function hasRepeated(bytes: Uint8Array, start: number, end: number, size: number): boolean {
  const seen = new Set<string>();
  for (let at = start; at < end; at += size) seen.add(elementKey(bytes, at, size));
  return seen.size * size < end - start;
}

/** An element as a key of sets. */
export function elementKey(bytes: Uint8Array, at: number, size: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + size));
}

/**
 * RFC 7311 §3: TLVs of a type, a length of two octets that counts the whole TLV, and a value; the first of type 1
 * has 11 octets.
 */
function soundAigp(bytes: Uint8Array, start: number, end: number): boolean {
  if (start === end) return false;
  for (let at = start; at < end; ) {
    if (end - at < 3) return false;
    const length = readU16(bytes, at + 1);
    if (length < 3 || length > end - at) return false;
    if (bytes[at] === 1 && length !== 11) return false;
    at += length;
  }
  return true;
}

/** RFC 8669 §3: TLVs of a type, a length of two octets and a value; the index has 7 octets, the block 2 + 6n. */
function soundPrefixSid(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; ) {
    if (end - at < 3) return false;
    const length = readU16(bytes, at + 1);
    if (length > end - at - 3) return false;
    if (bytes[at] === 1 && length !== 7) return false;
    if (bytes[at] === 3 && (length < 8 || (length - 2) % 6 !== 0)) return false;
    at += 3 + length;
  }
  return end > start;
}

/** ORIGINATOR_ID and CLUSTER_LIST (RFC 4456 §8, RFC 7606 §7.9, 7.10). */
function checkReflection(
  bytes: Uint8Array,
  type: number,
  start: number,
  end: number,
  context: AttributeContext,
  scan: AttributeScan,
  wrongLength: () => void,
): void {
  const length = end - start;
  if (context.ebgp) return scan.fail('discard', 9, type, 'came from an external peer');
  if (type === AttributeType.originatorId) {
    if (length !== 4) return wrongLength();
    scan.originatorId = readU32(bytes, start);
    scan.flags |= SetFlag.originatorId;
    if (scan.originatorId === context.localId) scan.flags |= SetFlag.reflectionLoop;
    return;
  }
  if (length === 0 || length % 4 !== 0) return wrongLength();
  scan.clusterListLength = length / 4;
  for (let at = start; at < end; at += 4) {
    if (readU32(bytes, at) === context.clusterId) scan.flags |= SetFlag.reflectionLoop;
  }
}
