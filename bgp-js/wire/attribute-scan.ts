/**
 * One pass over the path attributes of an UPDATE. It finds every error and how to handle it, and collects the numbers
 * that route selection and the import rules need.
 *
 * The problem. RFC 4271 §6.3 resets the session for any malformed attribute. But routers forward attributes that they
 * do not recognize. So a single malformed route may reset sessions far from its origin, with the loss of all their
 * valid routes, and again after each reconnect. RFC 7606 therefore requires the mildest handling that keeps routing
 * correct:
 *
 * - `discard`: the route is used without the attribute. Only for attributes that do not affect routing
 *   (ATOMIC_AGGREGATE, AGGREGATOR), those that this peer must not send (LOCAL_PREF from another AS), and those whose
 *   RFC requires it (AIGP, PREFIX_SID).
 * - `treat-as-withdraw`: all routes of the UPDATE are removed, as if it withdrew them. Using them with only some of
 *   their attributes could cause a loop or a route leak.
 * - `reset`: the session ends with a NOTIFICATION. Only where it is unknown which routes to withdraw: malformed or
 *   repeated multiprotocol attributes, unreadable NLRI, or an unknown attribute whose flags say well-known.
 *
 * The scan must not stop at the first error: a later attribute may require stronger handling (§3 h), and the routes to
 * withdraw may be in an MP_REACH_NLRI after the malformed attribute. So it continues as long as it can find the start
 * of the next attribute.
 *
 * In call order:
 *
 *     scanAttributes          follows the headers; a header or value that runs past the end ends the scan (§4)
 *       scanOne               repeated attributes (§3 g), unknown ones (RFC 4271 §9), attribute flags (§3 c)
 *         CHECKS[type]        the value: its length and contents (§7); numbers go into the AttributeScan
 *           AttributeScan.fail      keeps the strongest error, and the types to discard
 *     checkMandatory          missing attributes (§3 d)
 *
 * AttributeInterner.validate runs both. After a `discard` error it stores the attributes without the discarded ones
 * (storedForm). UpdateProcessor handles the other two; for an UPDATE without routes it changes `treat-as-withdraw` to
 * `reset` (§5.2).
 *
 * Scanning valid attributes allocates no memory: values are read in place, and one position object is reused.
 */
import {
  ATTRIBUTES,
  AttributeType,
  AttrsFlag,
  Community,
  Flag,
  isHostAddress,
  Segment,
} from './attribute-types.ts';
import { octetsKey, readU16, readU32 } from './cursor.ts';
import { type NotificationCode, UpdateError } from './error.ts';
import type { AttributeContext, AttributeField, AttributePosition, AttributeScan } from './scan-result.ts';

/** The attribute being checked. One object is reused for all scans; checks must not keep it. */
const POSITION: AttributePosition = { bytes: new Uint8Array(0), type: 0, flags: 0, at: 0, start: 0, end: 0 };

/** Scans the attributes of a message into `scan`, which is reset first. */
export function scanAttributes({ bytes, start, end, context }: AttributeField, scan: AttributeScan): void {
  scan.reset();
  scan.rewrite = context.edits !== undefined;
  const position = POSITION;
  position.bytes = bytes;
  let at = start;
  while (at < end) {
    const flags = bytes[at];
    const isExtended = (flags & Flag.extended) !== 0;
    const head = isExtended ? 4 : 3;
    if (end - at < head) return failOverrun(scan, 0, `${end - at} octets are left, too few for an attribute`);
    const type = bytes[at + 1];
    const length = isExtended ? readU16(bytes, at + 2) : bytes[at + 2];
    if (at + head + length > end)
      return failOverrun(scan, type, `its ${length} octets run past the attributes`);
    position.type = type;
    position.flags = flags;
    position.at = at;
    position.start = at + head;
    position.end = at + head + length;
    scanOne(position, context, scan);
    at = position.end;
  }
}

/** RFC 7606 §4: the attributes after this one cannot be found, but the routes can. */
function failOverrun(scan: AttributeScan, type: number, text: string): void {
  scan.fail({ type, handling: 'treat-as-withdraw', code: UpdateError.malformedAttributeList, text });
}

function scanOne(attribute: AttributePosition, context: AttributeContext, scan: AttributeScan): void {
  const { type, flags } = attribute;
  if (!scan.note(type)) {
    // RFC 7606 §3 g: a second MP attribute resets the session; repeats of any other attribute are discarded.
    scan.rewrite = true;
    const isMultiprotocol = type === AttributeType.mpReach || type === AttributeType.mpUnreach;
    if (isMultiprotocol) failAsReset(attribute, scan, UpdateError.malformedAttributeList, 'appears twice');
    return;
  }
  const descriptor = ATTRIBUTES[type];
  if (!descriptor) return scanUnknown(attribute, scan);
  const expected = descriptor.flags;
  if ((flags & 0xc0) !== expected || (expected !== 0xc0 && (flags & Flag.partial) !== 0)) {
    scan.fail({
      type,
      handling: descriptor.flagConflict ?? 'treat-as-withdraw',
      code: UpdateError.attributeFlags,
      text: `flags 0x${flags.toString(16)} conflict with the attribute`,
      data: octetsOf(attribute),
    });
    return;
  }
  CHECKS[type]?.(attribute, context, scan);
}

/** RFC 4271 §9: unknown transitive attributes are passed on as Partial, other optional ones are not passed on. */
function scanUnknown(attribute: AttributePosition, scan: AttributeScan): void {
  const { type, flags } = attribute;
  if ((flags & Flag.optional) === 0) {
    const code = UpdateError.unrecognizedWellKnownAttribute;
    const text = 'is unknown, although its flags say that it is well-known';
    scan.fail({ type, handling: 'reset', code, text, data: octetsOf(attribute) });
  } else if ((flags & Flag.transitive) === 0 || (flags & Flag.partial) === 0) {
    scan.rewrite = true;
  }
}

/** Records the mandatory attributes that an UPDATE with routes lacks (RFC 7606 §3 d). */
export function checkMandatory(scan: AttributeScan, needsNextHop: boolean): void {
  const { origin, asPath, nextHop } = AttributeType;
  for (const type of needsNextHop ? [origin, asPath, nextHop] : [origin, asPath]) {
    if (scan.has(type)) continue;
    const code = UpdateError.missingWellKnownAttribute;
    scan.fail({ type, handling: 'treat-as-withdraw', code, text: 'is missing', data: Uint8Array.of(type) });
  }
}

// --- errors ------------------------------------------------------------------------------------------------------------

const octetsOf = ({ bytes, at, end }: AttributePosition): Uint8Array => bytes.slice(at, end);

/** RFC 4271 §6.3: the NOTIFICATION's data is the attribute. */
function failAsWithdraw(
  attribute: AttributePosition,
  scan: AttributeScan,
  code: NotificationCode,
  text: string,
): void {
  scan.fail({ type: attribute.type, handling: 'treat-as-withdraw', code, text, data: octetsOf(attribute) });
}

function failAsDiscard({ type }: AttributePosition, scan: AttributeScan, text: string): void {
  scan.fail({ type, handling: 'discard', code: UpdateError.optionalAttribute, text });
}

function failAsReset(
  { type }: AttributePosition,
  scan: AttributeScan,
  code: NotificationCode,
  text: string,
): void {
  scan.fail({ type, handling: 'reset', code, text });
}

/** Whether the value has `length` octets; records an error when not. */
function hasLength(attribute: AttributePosition, scan: AttributeScan, length: number): boolean {
  if (attribute.end - attribute.start === length) return true;
  wrongLength(attribute, scan);
  return false;
}

/** Whether the value is a list of one or more elements of `size` octets; records an error when not. */
function hasElements(attribute: AttributePosition, scan: AttributeScan, size: number): boolean {
  const length = attribute.end - attribute.start;
  if (length > 0 && length % size === 0) return true;
  wrongLength(attribute, scan);
  return false;
}

function wrongLength(attribute: AttributePosition, scan: AttributeScan): void {
  const text = `wrong length ${attribute.end - attribute.start}`;
  failAsWithdraw(attribute, scan, UpdateError.attributeLength, text);
}

// --- values ------------------------------------------------------------------------------------------------------------

/** Checks the value of one attribute (RFC 7606 §7) and records its numbers. It reads no octet outside the value. */
type Check = (attribute: AttributePosition, context: AttributeContext, scan: AttributeScan) => void;

/** The checks of all known attributes; the index is the type code. */
const CHECKS: readonly (Check | undefined)[] = (() => {
  const table: (Check | undefined)[] = new Array(256).fill(undefined);
  table[AttributeType.origin] = checkOrigin;
  table[AttributeType.asPath] = checkAsPath;
  table[AttributeType.nextHop] = checkNextHop;
  table[AttributeType.med] = checkMed;
  table[AttributeType.localPref] = checkLocalPref;
  table[AttributeType.atomicAggregate] = checkAtomicAggregate;
  table[AttributeType.aggregator] = checkAggregator;
  table[AttributeType.communities] = checkCommunities;
  table[AttributeType.originatorId] = checkOriginatorId;
  table[AttributeType.clusterList] = checkClusterList;
  table[AttributeType.mpReach] = checkMpReach;
  table[AttributeType.mpUnreach] = checkMpUnreach;
  table[AttributeType.extendedCommunities] = (attribute, _, scan) => void hasElements(attribute, scan, 8);
  table[AttributeType.as4Path] = checkAs4Path;
  table[AttributeType.as4Aggregator] = checkAs4Aggregator;
  table[AttributeType.ipv6ExtendedCommunities] = (attribute, _, scan) =>
    void hasElements(attribute, scan, 20);
  table[AttributeType.aigp] = checkAigp;
  table[AttributeType.largeCommunities] = checkLargeCommunities;
  table[AttributeType.onlyToCustomer] = checkOnlyToCustomer;
  table[AttributeType.prefixSid] = checkPrefixSid;
  return table;
})();

function checkOrigin(attribute: AttributePosition, _: AttributeContext, scan: AttributeScan): void {
  if (!hasLength(attribute, scan, 1)) return;
  const value = attribute.bytes[attribute.start];
  if (value > 2)
    return failAsWithdraw(attribute, scan, UpdateError.invalidOrigin, `the value ${value} is not defined`);
  scan.origin = value;
}

function checkAsPath(attribute: AttributePosition, context: AttributeContext, scan: AttributeScan): void {
  const { bytes, start, end } = attribute;
  const size = context.fourOctetAs ? 4 : 2;
  if (size === 2) scan.rewrite = true;
  const malformed = (text: string): void =>
    failAsWithdraw(attribute, scan, UpdateError.malformedAsPath, text);
  let at = start;
  while (at < end) {
    if (end - at < 2) return malformed('an octet is left after the last segment');
    const segment = bytes[at];
    const count = bytes[at + 1];
    const next = at + 2 + count * size;
    if (segment < 1 || segment > 4) return malformed(`segment type ${segment} is not defined`);
    if (count === 0) return malformed('a segment is empty');
    if (next > end) return malformed(`a segment of ${count} AS numbers runs past the attribute`);
    const isConfederation = segment === Segment.confedSequence || segment === Segment.confedSet;
    if (isConfederation && context.ebgp) return malformed('a confederation segment from an external peer');
    if (isConfederation) scan.flags |= AttrsFlag.confederation;
    if (segment === Segment.sequence) scan.asPathLength += count;
    if (segment === Segment.set) scan.asPathLength += 1;
    for (let i = at + 2; i < next; i += size) {
      const as = size === 4 ? readU32(bytes, i) : readU16(bytes, i);
      if (as === 0) return malformed('AS 0 is in the path (RFC 7607)');
      if (as === context.localAs) scan.flags |= AttrsFlag.asLoop;
      if (i === start + 2 && segment === Segment.sequence) scan.firstAs = as;
    }
    at = next;
  }
}

function checkNextHop(attribute: AttributePosition, _: AttributeContext, scan: AttributeScan): void {
  if (!hasLength(attribute, scan, 4)) return;
  scan.nextHop = readU32(attribute.bytes, attribute.start);
  scan.flags |= AttrsFlag.ipv4NextHop;
  if (isHostAddress(scan.nextHop)) return;
  failAsWithdraw(attribute, scan, UpdateError.invalidNextHop, 'the next hop is not a host address');
}

function checkMed(attribute: AttributePosition, _: AttributeContext, scan: AttributeScan): void {
  if (!hasLength(attribute, scan, 4)) return;
  scan.med = readU32(attribute.bytes, attribute.start);
  scan.flags |= AttrsFlag.hasMed;
}

function checkLocalPref(attribute: AttributePosition, context: AttributeContext, scan: AttributeScan): void {
  if (context.ebgp) return failAsDiscard(attribute, scan, 'received from an external peer');
  if (!hasLength(attribute, scan, 4)) return;
  scan.localPref = readU32(attribute.bytes, attribute.start);
  scan.flags |= AttrsFlag.hasLocalPref;
}

function checkAtomicAggregate(attribute: AttributePosition, _: AttributeContext, scan: AttributeScan): void {
  const length = attribute.end - attribute.start;
  if (length !== 0) discardWrongLength(attribute, scan, `wrong length ${length}`);
}

function checkAggregator(attribute: AttributePosition, context: AttributeContext, scan: AttributeScan): void {
  const { bytes, start, end } = attribute;
  const expected = context.fourOctetAs ? 8 : 6;
  if (!context.fourOctetAs) scan.rewrite = true;
  if (end - start !== expected) {
    discardWrongLength(attribute, scan, `the length is ${end - start}, not ${expected}`);
  } else if ((context.fourOctetAs ? readU32(bytes, start) : readU16(bytes, start)) === 0) {
    failAsDiscard(attribute, scan, 'AS 0 (RFC 7607)');
  }
}

function discardWrongLength({ type }: AttributePosition, scan: AttributeScan, text: string): void {
  scan.fail({ type, handling: 'discard', code: UpdateError.attributeLength, text });
}

/**
 * RFC 6793 §4.1: a four-octet speaker must not send AS4_PATH and AS4_AGGREGATOR. From a two-octet speaker they are
 * merged into AS_PATH and AGGREGATOR, or discarded when malformed (RFC 6793 §6, RFC 7607).
 */
function acceptsAs4(attribute: AttributePosition, context: AttributeContext, scan: AttributeScan): boolean {
  scan.rewrite = true;
  if (context.fourOctetAs) failAsDiscard(attribute, scan, 'received from a four-octet speaker');
  return !context.fourOctetAs;
}

function checkAs4Path(attribute: AttributePosition, context: AttributeContext, scan: AttributeScan): void {
  if (!acceptsAs4(attribute, context, scan)) return;
  const { bytes, start, end } = attribute;
  if (start === end) return failAsDiscard(attribute, scan, 'is empty');
  for (let at = start; at < end; ) {
    const count = end - at < 2 ? 0 : bytes[at + 1];
    const next = at + 2 + 4 * count;
    if (count === 0 || next > end || bytes[at] < Segment.set || bytes[at] > Segment.confedSet) {
      return failAsDiscard(attribute, scan, 'a segment is malformed');
    }
    for (let i = at + 2; i < next; i += 4) {
      if (readU32(bytes, i) === 0) return failAsDiscard(attribute, scan, 'AS 0 is in the path (RFC 7607)');
    }
    at = next;
  }
}

function checkAs4Aggregator(
  attribute: AttributePosition,
  context: AttributeContext,
  scan: AttributeScan,
): void {
  if (!acceptsAs4(attribute, context, scan)) return;
  const { bytes, start, end } = attribute;
  if (end - start !== 8) failAsDiscard(attribute, scan, `the length is ${end - start}, not 8`);
  else if (readU32(bytes, start) === 0) failAsDiscard(attribute, scan, 'AS 0 (RFC 7607)');
}

function checkCommunities(
  attribute: AttributePosition,
  context: AttributeContext,
  scan: AttributeScan,
): void {
  if (!hasElements(attribute, scan, 4)) return;
  const { bytes, start, end } = attribute;
  for (let at = start; at < end; at += 4) {
    // Only 65535:x, the range of the well-known ones (RFC 1997).
    if (bytes[at] === 0xff && bytes[at + 1] === 0xff) scan.flags |= COMMUNITY_FLAGS[readU32(bytes, at)] ?? 0;
  }
  if (!context.ebgp) return;
  if ((scan.flags & AttrsFlag.gracefulShutdown) !== 0 && context.obeyGracefulShutdown !== false) {
    scan.localPref = 0;
  }
  // RFC 7999 §3.2: such a route must not leave this AS, so the stored form gets NO_EXPORT.
  if ((scan.flags & AttrsFlag.blackhole) !== 0 && (scan.flags & AttrsFlag.noExport) === 0)
    scan.rewrite = true;
}

const COMMUNITY_FLAGS: Record<number, number> = {
  [Community.noExport]: AttrsFlag.noExport,
  // Without confederations, the border of a confederation is that of the AS.
  [Community.noExportSubconfed]: AttrsFlag.noExport,
  [Community.noAdvertise]: AttrsFlag.noAdvertise,
  [Community.gracefulShutdown]: AttrsFlag.gracefulShutdown,
  [Community.blackhole]: AttrsFlag.blackhole,
  [Community.llgrStale]: AttrsFlag.llgrStale,
  [Community.noLlgr]: AttrsFlag.noLlgr,
};

/** RFC 4456 §8, RFC 7606 §7.9. */
function checkOriginatorId(
  attribute: AttributePosition,
  context: AttributeContext,
  scan: AttributeScan,
): void {
  if (context.ebgp) return failAsDiscard(attribute, scan, 'received from an external peer');
  if (!hasLength(attribute, scan, 4)) return;
  scan.originatorId = readU32(attribute.bytes, attribute.start);
  scan.flags |= AttrsFlag.originatorId;
  if (scan.originatorId === context.localId) scan.flags |= AttrsFlag.reflectionLoop;
}

/** RFC 4456 §8, RFC 7606 §7.10. */
function checkClusterList(
  attribute: AttributePosition,
  context: AttributeContext,
  scan: AttributeScan,
): void {
  if (context.ebgp) return failAsDiscard(attribute, scan, 'received from an external peer');
  if (!hasElements(attribute, scan, 4)) return;
  const { bytes, start, end } = attribute;
  scan.clusterListLength = (end - start) / 4;
  for (let at = start; at < end; at += 4) {
    if (readU32(bytes, at) === context.clusterId) scan.flags |= AttrsFlag.reflectionLoop;
  }
}

/** AFI, SAFI, the next hop with its length, a reserved octet (RFC 4760 §3). UpdateProcessor reads the rest. */
function checkMpReach(attribute: AttributePosition, _: AttributeContext, scan: AttributeScan): void {
  const { bytes, start, end } = attribute;
  scan.rewrite = true;
  scan.mpReachStart = start;
  scan.mpReachEnd = end;
  const length = end - start;
  if (length < 5 || 4 + bytes[start + 3] + 1 > length) {
    failAsReset(attribute, scan, UpdateError.malformedAttributeList, 'is truncated');
  }
}

function checkMpUnreach(attribute: AttributePosition, _: AttributeContext, scan: AttributeScan): void {
  const { start, end } = attribute;
  scan.rewrite = true;
  scan.mpUnreachStart = start;
  scan.mpUnreachEnd = end;
  if (end - start < 3) failAsReset(attribute, scan, UpdateError.optionalAttribute, 'is truncated');
}

function checkAigp(attribute: AttributePosition, context: AttributeContext, scan: AttributeScan): void {
  // RFC 7311 §3.1: where it is not enabled, it is ignored like an unknown non-transitive attribute.
  if (!(context.aigp ?? !context.ebgp)) return scan.discard(attribute.type);
  if (!isValidAigp(attribute)) failAsDiscard(attribute, scan, 'a TLV is malformed');
}

/**
 * RFC 7311 §3: TLVs of a type, a length of two octets that counts the whole TLV, and a value. A TLV of type 1 has 11
 * octets.
 */
function isValidAigp({ bytes, start, end }: AttributePosition): boolean {
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

function checkLargeCommunities(attribute: AttributePosition, _: AttributeContext, scan: AttributeScan): void {
  if (!hasElements(attribute, scan, 12)) return;
  const { bytes, start, end } = attribute;
  const distinct = new Set<string>();
  for (let at = start; at < end; at += 12) distinct.add(octetsKey(bytes, at, 12));
  // RFC 8092 §5: repeated ones are removed from the stored form.
  if (distinct.size * 12 < end - start) scan.rewrite = true;
}

function checkOnlyToCustomer(attribute: AttributePosition, _: AttributeContext, scan: AttributeScan): void {
  if (hasLength(attribute, scan, 4)) scan.flags |= AttrsFlag.onlyToCustomer;
}

function checkPrefixSid(attribute: AttributePosition, _: AttributeContext, scan: AttributeScan): void {
  if (!isValidPrefixSid(attribute)) failAsDiscard(attribute, scan, 'a TLV is malformed');
}

/** RFC 8669 §3: TLVs of a type, a length of two octets and a value; the index has 7 octets, the block 2 + 6n. */
function isValidPrefixSid({ bytes, start, end }: AttributePosition): boolean {
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
