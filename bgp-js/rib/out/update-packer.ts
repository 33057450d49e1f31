/** Packs routes into UPDATEs and appends these to the log of an update group. */
import { AttributeType, Flag } from '../../wire/attribute-types.ts';
import { copyOctets, readU16, writeU16, writeU32 } from '../../wire/cursor.ts';
import { HEADER_LENGTH, MessageType, writeHeader } from '../../wire/frame.ts';
import { nlriLength, PATH_ID_LENGTH } from '../../wire/nlri.ts';
import type { FamilyRib } from '../family-rib.ts';
import type { PolicyRun } from '../policy/policy-run.ts';
import { type AttrsId, LOCAL_SOURCE, NO_ATTRS, type PrefixId, type SourceId } from '../store/ids.ts';
import type { PrefixTable } from '../store/prefix-table.ts';
import { AttributeExporter } from './export.ts';
import { type ExportProfile, mayExport, type UpdateLayout } from './export-profile.ts';
import { except, isFor, NO_SOURCE, type Target, type UpdateLog } from './update-log.ts';

/**
 * Packs changes into the log of an update group: consecutive prefixes with the same attributes and the same target
 * share a message. One announcement and one withdrawal are open at a time; `flush` completes both.
 */
export class UpdatePacker {
  readonly exporter: AttributeExporter;
  private readonly rib: FamilyRib;
  private readonly profile: ExportProfile;
  private readonly log: UpdateLog;
  private readonly announcement: UpdateBuilder;
  private readonly withdrawal: UpdateBuilder;
  private readonly policy: PolicyRun | null;
  private readonly nlri: Uint8Array;
  private announceTarget: Target = 0;
  private announceAttrs: AttrsId = NO_ATTRS;
  private withdrawTarget: Target = 0;
  /** The source of the only member that reads the log; NO_SOURCE: none reads it; null: several do. */
  private reader: SourceId | null = null;
  /** The route that `canAdvertise` last accepted. */
  private acceptedAttrs: AttrsId = NO_ATTRS;
  private acceptedSource: SourceId = LOCAL_SOURCE;

  constructor(
    rib: FamilyRib,
    profile: ExportProfile,
    layout: UpdateLayout,
    log: UpdateLog,
    policy: PolicyRun | null = null,
  ) {
    this.policy = policy;
    this.nlri = new Uint8Array(1 + rib.family.bits / 8);
    this.rib = rib;
    this.profile = profile;
    this.log = log;
    this.exporter = new AttributeExporter(layout);
    this.announcement = new UpdateBuilder(rib.prefixes, layout);
    this.withdrawal = new UpdateBuilder(rib.prefixes, layout);
  }

  /**
   * Sets which members read the log: the source of the only one, NO_SOURCE for none, or null for several. A message
   * that no member reads is not packed.
   */
  setReader(source: SourceId | null): void {
    this.reader = source;
    this.acceptedAttrs = NO_ATTRS;
  }

  /** Whether `target` includes a member that reads the log. */
  private hasReader(target: Target): boolean {
    return this.reader === null || (this.reader !== NO_SOURCE && isFor(target, this.reader));
  }

  /** Whether a route with these attributes from `source` may be advertised to the members at all. */
  mayAdvertise(attrs: AttrsId, source: SourceId): boolean {
    return mayExport(this.profile, this.rib.sources.get(source), this.rib.attributes.flags.values[attrs]);
  }

  /** Applies the export policy to a route. Returns its attributes, or NO_ATTRS if the policy rejects the route. */
  applyExportPolicy(id: PrefixId, attrs: AttrsId, source: SourceId): AttrsId {
    const { policy, rib, nlri } = this;
    if (!policy || attrs === NO_ATTRS) return attrs;
    // Must come before the policy: communities that the policy adds apply to the peer, not to this speaker.
    if (!this.mayAdvertise(attrs, source)) return NO_ATTRS;
    rib.prefixes.write(id, nlri, 0);
    return policy.evaluate(attrs, rib.sources.get(source), nlri, 0, true);
  }

  /**
   * Advertises a route to all members but its source. Returns false if the route may not be advertised or its
   * attributes do not fit into a message.
   */
  announce(id: PrefixId, addPathId: number, attrs: AttrsId, source: SourceId): boolean {
    if (!this.hasReader(except(source))) return this.canAdvertise(attrs, source);
    const open =
      this.announcement.count > 0 && this.announceAttrs === attrs && this.announceTarget === except(source);
    if (!open || !this.announcement.fits(id)) {
      if (!this.policy && !this.mayAdvertise(attrs, source)) return false;
      this.flushAnnouncement();
      const from = this.rib.sources.get(source);
      if (!this.exporter.write(this.rib.attributes, attrs, from, this.profile)) return false;
      this.announcement.begin(this.exporter);
      this.announceAttrs = attrs;
      this.announceTarget = except(source);
    }
    this.announcement.add(id, addPathId);
    return true;
  }

  /** Whether `announce` would accept a route if a member read the log. */
  private canAdvertise(attrs: AttrsId, source: SourceId): boolean {
    if (attrs === this.acceptedAttrs && source === this.acceptedSource) return true;
    if (!this.policy && !this.mayAdvertise(attrs, source)) return false;
    const { sources, attributes } = this.rib;
    if (!this.exporter.write(attributes, attrs, sources.get(source), this.profile)) return false;
    this.acceptedAttrs = attrs;
    this.acceptedSource = source;
    return true;
  }

  /** Withdraws a prefix from the members of `target`. */
  withdraw(id: PrefixId, addPathId: number, target: Target): void {
    if (!this.hasReader(target)) return;
    if (this.withdrawal.count > 0 && (this.withdrawTarget !== target || !this.withdrawal.fits(id))) {
      this.flushWithdrawal();
    }
    if (this.withdrawal.count === 0) this.withdrawal.begin(null);
    this.withdrawTarget = target;
    this.withdrawal.add(id, addPathId);
  }

  /** Completes the open messages and appends them to the log. */
  flush(): void {
    this.flushAnnouncement();
    this.flushWithdrawal();
  }

  private flushAnnouncement(): void {
    this.append(this.announcement, this.announceTarget);
  }

  private flushWithdrawal(): void {
    this.append(this.withdrawal, this.withdrawTarget);
  }

  private append(builder: UpdateBuilder, target: Target): void {
    if (builder.count === 0) return;
    builder.finish();
    this.log.append(builder.bytes, builder.length, target);
    builder.count = 0;
  }
}

/** Exported attributes. `mpNextHop` is the next hop if it belongs in MP_REACH_NLRI. */
export interface PackedAttributes {
  bytes: Uint8Array;
  length: number;
  mpNextHop: Uint8Array;
}

/** Octets of MP_REACH_NLRI without next hop and routes, and of MP_UNREACH_NLRI without routes. */
const REACH_OVERHEAD = 4 + 5;
const UNREACH_OVERHEAD = 4 + 3;
const FIXED = HEADER_LENGTH + 4;

/** Packs prefixes into UPDATEs (RFC 4271 §4.3, RFC 4760), one message at a time. */
export class UpdateBuilder {
  /** The message, from 0 to `length`, after `finish`. */
  bytes: Uint8Array;
  length = 0;
  /** How many prefixes the message has; 0 if no message is open. */
  count = 0;
  private readonly prefixes: PrefixTable;
  private readonly layout: UpdateLayout;
  private readonly nlri: Uint8Array;
  private nlriEnd = 0;
  /** Octets of the message besides the routes. */
  private overhead = 0;
  private attributes: PackedAttributes | null = null;

  constructor(prefixes: PrefixTable, layout: UpdateLayout) {
    this.prefixes = prefixes;
    this.layout = layout;
    this.bytes = new Uint8Array(4096);
    this.nlri = new Uint8Array(4096);
  }

  /** Begins a message that announces with these attributes, or one that withdraws when they are null. */
  begin(attributes: PackedAttributes | null): void {
    this.count = 0;
    this.nlriEnd = 0;
    this.attributes = attributes;
    const { multiprotocol } = this.layout;
    if (attributes) {
      this.writeAttributes(attributes);
      this.overhead = FIXED + attributes.length;
      if (multiprotocol) this.overhead += REACH_OVERHEAD + attributes.mpNextHop.length;
    } else {
      this.overhead = FIXED + (multiprotocol ? UNREACH_OVERHEAD : 0);
    }
  }

  /** Whether prefix `id` still fits. */
  fits(id: PrefixId): boolean {
    const { pathIdBytes, maxLength } = this.layout;
    const size = pathIdBytes + nlriLength(this.prefixes.lengthOf(id));
    // Only a message with one prefix may exceed 4,096 octets, if its attributes need the space.
    const limit = this.overhead + size > 4096 && this.count === 0 ? maxLength : 4096;
    return this.overhead + this.nlriEnd + size <= limit;
  }

  /** Adds a prefix that fits, with its path identifier where the layout has one. */
  add(id: PrefixId, addPathId: number): void {
    if (this.layout.pathIdBytes === PATH_ID_LENGTH) {
      writeU32(this.nlri, this.nlriEnd, addPathId);
      this.nlriEnd += PATH_ID_LENGTH;
    }
    this.nlriEnd = this.prefixes.write(id, this.nlri, this.nlriEnd);
    this.count++;
  }

  /** Completes the message. */
  finish(): void {
    const { attributes } = this;
    if (this.layout.multiprotocol) this.finishMultiprotocol(attributes);
    else if (attributes) this.finishAnnouncement(attributes);
    else this.finishWithdrawal();
    writeHeader(this.bytes, 0, this.length, MessageType.update);
  }

  /** Copies the attributes immediately: their buffer is reused before the message is complete. */
  private writeAttributes(attributes: PackedAttributes): void {
    this.ensureCapacity(FIXED + REACH_OVERHEAD + attributes.mpNextHop.length + attributes.length + 4096);
    const at = this.attributesAt(attributes);
    copyOctets(attributes.bytes, 0, attributes.length, this.bytes, at);
    const { length, mpNextHop } = attributes;
    this.attributes = {
      bytes: this.bytes,
      length,
      mpNextHop: mpNextHop.length === 0 ? mpNextHop : mpNextHop.slice(),
    };
  }

  /** Offset of the attributes until the message is complete: the final one, or after the longest possible routes. */
  private attributesAt({ mpNextHop }: PackedAttributes): number {
    return this.layout.multiprotocol ? FIXED + REACH_OVERHEAD + mpNextHop.length + 4096 : FIXED;
  }

  private finishAnnouncement({ length }: PackedAttributes): void {
    writeU16(this.bytes, 19, 0);
    writeU16(this.bytes, 21, length);
    this.length = this.copyRoutes(FIXED + length);
  }

  private finishWithdrawal(): void {
    writeU16(this.bytes, 19, this.nlriEnd);
    writeU16(this.bytes, this.copyRoutes(21), 0);
    this.length = FIXED + this.nlriEnd;
  }

  private copyRoutes(at: number): number {
    return copyOctets(this.nlri, 0, this.nlriEnd, this.bytes, at);
  }

  /** RFC 7606 §5.1: the multiprotocol attribute comes first. */
  private finishMultiprotocol(attributes: PackedAttributes | null): void {
    const { bytes } = this;
    const { afi, safi } = this.layout.family;
    const nextHop = attributes?.mpNextHop;
    const value = this.nlriEnd + (nextHop ? 5 + nextHop.length : 3);
    const rest = attributes?.length ?? 0;
    writeU16(bytes, 19, 0);
    writeU16(bytes, 21, 4 + value + rest);
    bytes[23] = Flag.optional | Flag.extended;
    bytes[24] = attributes ? AttributeType.mpReach : AttributeType.mpUnreach;
    writeU16(bytes, 25, value);
    writeU16(bytes, 27, afi);
    bytes[29] = safi;
    let at = 30;
    if (nextHop) {
      bytes[at] = nextHop.length;
      bytes.set(nextHop, at + 1);
      bytes[at + 1 + nextHop.length] = 0;
      at += 2 + nextHop.length;
    }
    at = this.copyRoutes(at);
    if (attributes) {
      const from = this.attributesAt(attributes);
      bytes.copyWithin(at, from, from + rest);
    }
    this.length = at + rest;
  }

  private ensureCapacity(octets: number): void {
    if (this.bytes.length < octets) this.bytes = new Uint8Array(octets);
  }
}

/** The End-of-RIB marker of a layout (RFC 4724 §2). */
export function endOfRib(layout: UpdateLayout): Uint8Array {
  const { multiprotocol, family } = layout;
  const bytes = new Uint8Array(FIXED + (multiprotocol ? 6 : 0));
  writeHeader(bytes, 0, bytes.length, MessageType.update);
  if (!multiprotocol) return bytes;
  writeU16(bytes, 21, 6);
  bytes.set([Flag.optional, AttributeType.mpUnreach, 3, family.afi >> 8, family.afi, family.safi], 23);
  return bytes;
}

/** Calls `visit` with the offset of every NLRI, announced or withdrawn, in a message that an UpdateBuilder of this layout made. */
export function eachNlri(
  bytes: Uint8Array,
  start: number,
  end: number,
  layout: UpdateLayout,
  visit: (at: number) => void,
): void {
  const each = (from: number, to: number): void => {
    for (let at = from + layout.pathIdBytes; at < to; at += layout.pathIdBytes + nlriLength(bytes[at]))
      visit(at);
  };
  if (layout.multiprotocol) {
    const to = start + 27 + readU16(bytes, start + 25);
    const reach = bytes[start + 24] === AttributeType.mpReach;
    return each(reach ? start + 32 + bytes[start + 30] : start + 30, to);
  }
  const withdrawn = readU16(bytes, start + 19);
  each(start + 21, start + 21 + withdrawn);
  each(start + 23 + withdrawn + readU16(bytes, start + 21 + withdrawn), end);
}
