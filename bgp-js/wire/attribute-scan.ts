/**
 * One pass over the path attributes of an UPDATE: finds every defect with its handling (RFC 7606) and collects, as
 * plain numbers, what the decision process and the import rules need. Nothing is allocated for sound attributes.
 */
import { checkValue } from './attribute-check.ts';
import { ATTRIBUTES, AttributeType, attributeName, Flag } from './attribute-types.ts';
import { readU16 } from './cursor.ts';
import { type BgpError, bgpError, type Handling, type MalformedAttribute } from './error.ts';

/** What the meaning of attributes depends on: the session on which they came. */
export interface AttributeContext {
  ebgp: boolean;
  /** AS numbers in AS_PATH and AGGREGATOR have four octets (RFC 6793). */
  fourOctetAs: boolean;
  localAs: number;
  /** Our BGP identifier and cluster id, for the loop checks of RFC 4456 §8; null: not checked. */
  localId: number | null;
  clusterId: number | null;
  /** Attributes of a route of our own: it needs no next hop, because every peer receives ours. */
  originated?: boolean;
  /** AIGP is enabled on the session; by default it is with internal peers alone (RFC 7311 §3.1). */
  aigp?: boolean;
  /** Routes of external peers with GRACEFUL_SHUTDOWN get LOCAL_PREF 0 (RFC 8326 §4.2); unless false they do. */
  obeyGracefulShutdown?: boolean;
  /** What the session adds to attributes that come in. */
  edits?: ImportEdits;
}

/** Changes to the attributes of every route of a session before it is kept. */
export interface ImportEdits {
  /** Goes to the front of AS_PATH (RFC 7705 §3.1); 0: none. */
  prependAs: number;
  /** The value of OTC where it is missing (RFC 9234 §5); 0: none. */
  onlyToCustomer: number;
}

export { SetFlag } from './attribute-types.ts';

const SEVERITY: Record<Handling, number> = { discard: 1, 'treat-as-withdraw': 2, reset: 3 };

/** The result of a scan; one object is reused for all. Addresses and identifiers are unsigned numbers. */
export class AttributeScan {
  origin = 0;
  /** As RFC 4271 §9.1.2.2 a counts it: an AS_SET is one, confederation segments are none. */
  asPathLength = 0;
  /** The neighbouring AS: the first of AS_PATH, 0 when the path is empty or begins with a set. */
  firstAs = 0;
  /** The value of NEXT_HOP, where `SetFlag.ipv4NextHop` is set. */
  nextHop = 0;
  med = 0;
  localPref = 100;
  /** The value of ORIGINATOR_ID, where `SetFlag.originatorId` is set. */
  originatorId = 0;
  clusterListLength = 0;
  flags = 0;
  /** Bit t % 32 of word t / 32 is set when the attribute of type t is there. */
  private readonly present = new Uint32Array(8);
  /** The stored form must differ from the wire's: something is dropped, converted or marked Partial. */
  rewrite = false;
  /** Bounds of the values of MP_REACH_NLRI and MP_UNREACH_NLRI; start 0: not there. */
  mpReachStart = 0;
  mpReachEnd = 0;
  mpUnreachStart = 0;
  mpUnreachEnd = 0;
  /** The strongest defect; of equal ones the first. */
  error: BgpError | null = null;
  /** Types of attributes that are to be dropped. */
  readonly discarded = new Set<number>();
  private malformed: MalformedAttribute[] = [];

  reset(): void {
    this.origin = this.asPathLength = this.firstAs = this.nextHop = this.med = 0;
    this.localPref = 100;
    this.originatorId = this.clusterListLength = this.flags = 0;
    this.present.fill(0);
    this.mpReachStart = this.mpReachEnd = this.mpUnreachStart = this.mpUnreachEnd = 0;
    this.rewrite = false;
    this.error = null;
    if (this.discarded.size > 0) this.discarded.clear();
    // An error that was given away keeps its list.
    if (this.malformed.length > 0) this.malformed = [];
  }

  /** Notes a defect in an attribute; the strongest one stays (RFC 7606 §3 h). */
  fail(handling: Handling, subcode: number, type: number, text: string, data?: Uint8Array): void {
    if (handling === 'discard') {
      this.discarded.add(type);
      this.rewrite = true;
    }
    this.malformed.push({ type, handling });
    if (this.error && SEVERITY[this.error.handling] >= SEVERITY[handling]) return;
    this.error = bgpError(3, subcode, `${attributeName(type)}: ${text}`, data, handling);
    this.error.attributes = this.malformed;
  }

  /** Drops an attribute in silence: nothing is wrong with it, but it does not count on this session. */
  ignore(type: number): void {
    this.discarded.add(type);
    this.rewrite = true;
  }

  has(type: number): boolean {
    return (this.present[type >> 5] & (1 << (type & 31))) !== 0;
  }

  /** Notes that the attribute is there; false when it was before. */
  note(type: number): boolean {
    if (this.has(type)) return false;
    this.present[type >> 5] |= 1 << (type & 31);
    return true;
  }
}

/** Scans the attributes between `start` and `end` into `scan`, which is reset first. */
export function scanAttributes(
  bytes: Uint8Array,
  start: number,
  end: number,
  context: AttributeContext,
  scan: AttributeScan,
): void {
  scan.reset();
  scan.rewrite = context.edits !== undefined;
  let at = start;
  while (at < end) {
    const flags = bytes[at];
    const wide = (flags & Flag.extended) !== 0;
    const head = wide ? 4 : 3;
    if (end - at < head) {
      scan.fail('treat-as-withdraw', 1, 0, `${end - at} octets are left, too few for an attribute`);
      return;
    }
    const type = bytes[at + 1];
    const length = wide ? readU16(bytes, at + 2) : bytes[at + 2];
    const valueStart = at + head;
    const valueEnd = valueStart + length;
    if (valueEnd > end) {
      scan.fail('treat-as-withdraw', 1, type, `its ${length} octets run past the attributes`);
      return;
    }
    scanOne(bytes, at, type, flags, valueStart, valueEnd, context, scan);
    at = valueEnd;
  }
}

function scanOne(
  bytes: Uint8Array,
  at: number,
  type: number,
  flags: number,
  start: number,
  end: number,
  context: AttributeContext,
  scan: AttributeScan,
): void {
  if (!scan.note(type)) {
    // RFC 7606 §3 g: a second MP attribute resets; of any other, known or not, the first one counts.
    scan.rewrite = true;
    const mp = type === AttributeType.mpReach || type === AttributeType.mpUnreach;
    if (mp) scan.fail('reset', 1, type, 'appears twice');
    return;
  }
  const descriptor = ATTRIBUTES[type];
  if (!descriptor) {
    scanUnknown(type, flags, scan, bytes.subarray(at, end));
    return;
  }
  const expected = descriptor.flags;
  if ((flags & 0xc0) !== expected || (expected !== 0xc0 && (flags & Flag.partial) !== 0)) {
    const text = `flags 0x${flags.toString(16)} conflict with the attribute`;
    scan.fail(descriptor.flagConflict ?? 'treat-as-withdraw', 4, type, text, bytes.slice(at, end));
    return;
  }
  checkValue(bytes, type, start, end, context, scan, at);
}

/** Unknown attributes: RFC 4271 §9 — transitive ones are passed on as Partial, others are dropped in silence. */
function scanUnknown(type: number, flags: number, scan: AttributeScan, attribute: Uint8Array): void {
  if ((flags & Flag.optional) === 0) {
    scan.fail('reset', 2, type, 'is well-known by its flags, yet unknown', attribute.slice());
  } else if ((flags & Flag.transitive) === 0 || (flags & Flag.partial) === 0) {
    scan.rewrite = true;
  }
}

/** Notes the mandatory attributes that are missing from an UPDATE with routes (RFC 7606 §3 d). */
export function checkMandatory(scan: AttributeScan, classicNlri: boolean): void {
  const { origin, asPath, nextHop } = AttributeType;
  const needed = classicNlri ? [origin, asPath, nextHop] : [origin, asPath];
  for (const type of needed) {
    if (!scan.has(type)) {
      scan.fail('treat-as-withdraw', 3, type, 'is missing', Uint8Array.of(type));
    }
  }
}
