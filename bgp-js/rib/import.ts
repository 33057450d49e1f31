/**
 * What a speaker accepts from a peer: the attributes of an UPDATE become a set of the attribute table, which is then
 * validated by the rules for this peer, and so is each prefix.
 */
import type { IPAddress } from '../ip/index.ts';
import { countInPath, secondAs } from '../wire/as-path.ts';
import { checkMandatory, scanAttributes } from '../wire/attribute-scan.ts';
import { AttributeType, AttrsFlag } from '../wire/attribute-types.ts';
import { decodeAttributes, encodeAttributes } from '../wire/attributes.ts';
import { readU32 } from '../wire/cursor.ts';
import type { BgpError } from '../wire/error.ts';
import type { Family } from '../wire/families.ts';
import { nlriCovers } from '../wire/nlri.ts';
import type { Role } from '../wire/role.ts';
import { type AttributeField, AttributeScan } from '../wire/scan-result.ts';
import { type StoredFor, storedForm } from '../wire/stored-form.ts';
import { type AttributeTable, AttrsKind, attrsKindOf } from './store/attribute-table.ts';
import { type AttrsId, NO_ATTRS, type SourceId } from './store/ids.ts';
import { PathState } from './store/path-table.ts';

/** Where MP_REACH_NLRI and MP_UNREACH_NLRI lie in an UPDATE; a start of 0: the UPDATE has none. */
export interface Multiprotocol {
  reachStart: number;
  reachEnd: number;
  unreachStart: number;
  unreachEnd: number;
}

/** The attributes of an UPDATE, and what their meaning depends on. */
export interface ReceivedAttributes extends AttributeField {
  /** The UPDATE announces routes in its own NLRI field (RFC 4271 §4.3). */
  usesUpdateFields: boolean;
  /** The source that a new set is charged to. */
  chargedSource: SourceId;
}

/** Turns the attributes of UPDATEs into sets of the attribute table; validates each set once. */
export class AttributeInterner {
  /** The most serious defect of the attributes that were validated last; null: none. */
  error: BgpError | null = null;
  /** Where their multiprotocol attributes lie. */
  readonly multiprotocol: Multiprotocol = { reachStart: 0, reachEnd: 0, unreachStart: 0, unreachEnd: 0 };
  private readonly table: AttributeTable;
  private readonly scan = new AttributeScan();

  constructor(table: AttributeTable) {
    this.table = table;
  }

  /**
   * Validates the attributes of an UPDATE; see `error` and `multiprotocol`. Returns the set for the routes in the
   * UPDATE's own fields, or NO_ATTRS when there are none or when a defect is more serious than a discarded attribute. A
   * known set was validated when it was added. The caller releases the set when the UPDATE has been carried out.
   */
  validate(received: ReceivedAttributes): AttrsId {
    return this.retained(this.find(received));
  }

  /** Retains a set until its UPDATE has been carried out, as a withdrawal in it may remove the last route that has it. */
  private retained(attrs: AttrsId): AttrsId {
    if (attrs !== NO_ATTRS) this.table.retain(attrs);
    return attrs;
  }

  private find(received: ReceivedAttributes): AttrsId {
    const { table, scan, multiprotocol } = this;
    const { bytes, start, end, context, usesUpdateFields, chargedSource } = received;
    const kind = attrsKindOf(context);
    multiprotocol.reachStart = multiprotocol.unreachStart = 0;
    this.error = null;
    if (usesUpdateFields && context.fourOctetAs && !context.edits) {
      const known = table.find(kind, bytes, start, end);
      if (known !== NO_ATTRS) return known;
    }
    scanAttributes(received, scan);
    multiprotocol.reachStart = scan.mpReachStart;
    multiprotocol.reachEnd = scan.mpReachEnd;
    multiprotocol.unreachStart = scan.mpUnreachStart;
    multiprotocol.unreachEnd = scan.mpUnreachEnd;
    if (usesUpdateFields || scan.mpReachStart !== 0)
      checkMandatory(scan, usesUpdateFields && !context.originated);
    this.error = scan.error;
    if ((scan.error && scan.error.handling !== 'discard') || !usesUpdateFields) return NO_ATTRS;
    if (!scan.rewrite) return table.add({ kind, bytes, start, end, scan, chargedSource });
    return this.store(received, 'nlri');
  }

  /** The set for the routes of MP_REACH_NLRI; call after `validate` with the same attributes. */
  multiprotocolSet(received: ReceivedAttributes): AttrsId {
    scanAttributes(received, this.scan);
    return this.retained(this.store(received, 'mpReach'));
  }

  /** The set of the stored form, which is scanned again: its numbers, not those of the wire, are the set's. */
  private store(received: ReceivedAttributes, purpose: StoredFor): AttrsId {
    const { table, scan } = this;
    const { context, chargedSource } = received;
    const kind = attrsKindOf(context);
    const stored = storedForm(received, scan, purpose);
    const known = table.find(kind, stored, 0, stored.length);
    if (known !== NO_ATTRS) return known;
    scanAttributes(
      {
        bytes: stored,
        start: 0,
        end: stored.length,
        context: { ...context, fourOctetAs: true, edits: undefined },
      },
      scan,
    );
    if (scan.error && scan.error.handling !== 'discard') {
      this.error = scan.error;
      return NO_ATTRS;
    }
    // The neighbouring AS is that of the peer, also where our local AS stands before it.
    if (context.edits?.prependAs) scan.firstAs = secondAs(decodeAttributes(stored).asPath);
    return table.add({ kind, bytes: stored, start: 0, end: stored.length, scan, chargedSource });
  }

  /** Set `id` with one more standard community, charged to `chargedSource` when it is new; the caller retains it at once. */
  withCommunity(id: AttrsId, community: number, chargedSource: SourceId): AttrsId {
    const { table, scan } = this;
    const attributes = table.decode(id);
    if (attributes.communities?.includes(community)) return id;
    const more = encodeAttributes({
      ...attributes,
      communities: [...(attributes.communities ?? []), community],
    });
    const kind = table.kindOf(id);
    const known = table.find(kind, more, 0, more.length);
    if (known !== NO_ATTRS) return known;
    const context = {
      ebgp: (kind & AttrsKind.external) !== 0,
      fourOctetAs: true,
      localAs: 0,
      localId: null,
      clusterId: null,
    };
    scanAttributes({ bytes: more, start: 0, end: more.length, context }, scan);
    // This scan does not know our own numbers: the flags of loops are those of the set as received.
    scan.flags |= table.flags.values[id];
    return table.add({ kind, bytes: more, start: 0, end: more.length, scan, chargedSource });
  }
}

/** How the routes of one peer are validated. */
export interface ImportRules {
  /** Accept a default route. */
  acceptDefault: boolean;
  /** For eBGP: the AS with which every AS_PATH has to begin (RFC 4271 §6.3); 0: any. */
  firstAs: number;
  /** How often AS_PATH may contain our own AS; 0 unless given. */
  allowAsIn?: number;
  /** The AS as which this peer knows us (RFC 7705); AS_PATH may contain it as often as our own. */
  localAs?: number;
  /** We have prepended `localAs` ourselves. */
  localAsInFront?: boolean;
  /** Any length unless given. */
  maximumAsPathLength?: number;
  /** Our role towards the peer (RFC 9234). */
  role?: Role;
  /** The peer's AS, the only one that a `peer` may name in OTC (RFC 9234 §5). */
  peerAs?: number;
  /** Prefixes above this number are dropped; none unless given. */
  dropAbove?: number;
  /** The number of the import policy; none unless given. */
  policy?: number;
  /** Refuse routes with the community BLACKHOLE (RFC 7999 §3.3). */
  refuseBlackhole?: boolean;
}

/** What is never accepted from any peer: this speaker's own addresses, and ranges that only it may announce. */
export interface OwnNumbers {
  as: number;
  /** Our addresses; null: none is known. */
  address: IPAddress | null;
  address6: IPAddress | null;
  /** NLRI of the ranges by family. */
  ranges: ReadonlyMap<Family, readonly Uint8Array[]>;
}

/** Validates the attributes of a route: PathState.usable, or the state that says why it is not. */
export function validateAttributes(
  table: AttributeTable,
  attrs: AttrsId,
  rules: ImportRules,
  own: OwnNumbers,
): number {
  const flags = table.flags.values[attrs];
  if (isLoop(table, attrs, rules, own.as)) return PathState.asLoop;
  if ((flags & AttrsFlag.reflectionLoop) !== 0) return PathState.reflectionLoop;
  if (hasOwnNextHop(table, attrs, own)) return PathState.ownNextHop;
  if (rules.firstAs !== 0 && table.firstAs.values[attrs] !== rules.firstAs) return PathState.foreignFirstAs;
  if (table.asPathLength.values[attrs] > (rules.maximumAsPathLength ?? Number.POSITIVE_INFINITY)) {
    return PathState.longAsPath;
  }
  if ((flags & AttrsFlag.onlyToCustomer) !== 0 && isLeak(table, attrs, rules)) return PathState.routeLeak;
  if ((flags & AttrsFlag.blackhole) !== 0 && rules.refuseBlackhole) return PathState.unwantedBlackhole;
  return PathState.usable;
}

/** RFC 4271 §6.3: whether the next hop is one of our own addresses. An IPv4 next hop is compared as a number. */
function hasOwnNextHop(table: AttributeTable, attrs: AttrsId, { address, address6 }: OwnNumbers): boolean {
  if ((table.flags.values[attrs] & AttrsFlag.ipv4NextHop) !== 0) {
    return address !== null && table.nextHop.values[attrs] === address.value;
  }
  return address6 !== null && (table.nextHopOf(attrs)?.sameBits(address6) ?? false);
}

/** Whether AS_PATH contains one of our AS numbers more often than it may (RFC 4271 §9.1.2, RFC 7705 §3). */
function isLoop(table: AttributeTable, attrs: AttrsId, rules: ImportRules, as: number): boolean {
  const { allowAsIn = 0, localAs = 0, localAsInFront = false } = rules;
  const holdsOurs = (table.flags.values[attrs] & AttrsFlag.asLoop) !== 0;
  if (holdsOurs && (allowAsIn === 0 || countOf(table, attrs, as) > allowAsIn)) return true;
  return localAs !== 0 && countOf(table, attrs, localAs) - (localAsInFront ? 1 : 0) > allowAsIn;
}

function countOf(table: AttributeTable, attrs: AttrsId, as: number): number {
  const path = table.valueOf(attrs, AttributeType.asPath);
  return path ? countInPath(table.chunkOf(attrs), path.start, path.end, as) : 0;
}

/** RFC 9234 §5: a route that is only for customers comes from a customer, or from a peer that did not set OTC itself. */
function isLeak(table: AttributeTable, attrs: AttrsId, rules: ImportRules): boolean {
  if (rules.role === 'provider' || rules.role === 'rs-server') return true;
  if (rules.role !== 'peer') return false;
  const otc = table.valueOf(attrs, AttributeType.onlyToCustomer);
  return otc !== null && readU32(table.chunkOf(attrs), otc.start) !== rules.peerAs;
}

/** Validates the prefix whose NLRI is at `at`; returns a PathState. */
export function validatePrefix(
  family: Family,
  bytes: Uint8Array,
  at: number,
  rules: ImportRules,
  own: OwnNumbers,
): number {
  if (bytes[at] === 0) return rules.acceptDefault ? PathState.usable : PathState.defaultRoute;
  if (family.isMartian(bytes, at)) return PathState.martian;
  const ranges = own.ranges.get(family);
  if (!ranges) return PathState.usable;
  return ranges.some((range) => nlriCovers(range, 0, bytes, at)) ? PathState.ownRange : PathState.usable;
}
