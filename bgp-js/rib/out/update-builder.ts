import { AttributeType, Flag } from '../../wire/attribute-types.ts';
import { copyOctets, readU16, writeU16, writeU32 } from '../../wire/cursor.ts';
import type { Family } from '../../wire/families.ts';
import { HEADER_LENGTH, MessageType, writeHeader } from '../../wire/frame.ts';
import { nlriLength, PATH_ID_LENGTH } from '../../wire/nlri.ts';
import type { PrefixTable } from '../store/prefix-table.ts';
import type { ExportProfile } from './export-profile.ts';

/** How UPDATEs to a kind of peer are laid out. */
export interface UpdateLayout {
  family: Family;
  /** Routes go into MP_REACH_NLRI and MP_UNREACH_NLRI (RFC 4760), not into the fields of RFC 4271. */
  multiprotocol: boolean;
  /** Octets of a path identifier before each prefix (RFC 7911): 4 or 0. */
  pathIdBytes: number;
  /** The longest message: 4,096 octets, or 65,535 with RFC 8654. */
  maxLength: number;
}

/** How a treatment's UPDATEs are laid out: IPv4 routes go into the fields of RFC 4271 unless they may have IPv6 next hops. */
export function layoutOf(
  family: Family,
  { extendedNextHop, addPath, maxLength }: ExportProfile,
): UpdateLayout {
  const multiprotocol = !family.usesUpdateFields || extendedNextHop;
  return { family, multiprotocol, pathIdBytes: addPath > 0 ? PATH_ID_LENGTH : 0, maxLength };
}

/** Attributes to announce with, and the next hop where it belongs into MP_REACH_NLRI. */
export interface PackedAttributes {
  bytes: Uint8Array;
  length: number;
  mpNextHop: Uint8Array;
}

/** Type, length and the fixed fields of MP_REACH_NLRI beside next hop and routes; of MP_UNREACH_NLRI likewise. */
const REACH_OVERHEAD = 4 + 5;
const UNREACH_OVERHEAD = 4 + 3;
const FIXED = HEADER_LENGTH + 4;

/** Packs prefixes into UPDATEs (RFC 4271 §4.3, RFC 4760), one message at a time. */
export class UpdateBuilder {
  /** The message, from 0 to `length`, after `finish`. */
  bytes: Uint8Array;
  length = 0;
  /** How many prefixes are in it; 0: no message is under way. */
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
  fits(id: number): boolean {
    const { pathIdBytes, maxLength } = this.layout;
    const size = pathIdBytes + nlriLength(this.prefixes.lengthOf(id));
    // Whatever is longer than an ordinary message has one prefix: only its attributes need the room.
    const limit = this.overhead + size > 4096 && this.count === 0 ? maxLength : 4096;
    return this.overhead + this.nlriEnd + size <= limit;
  }

  /** Adds a prefix that fits, with its path identifier where the layout has one. */
  add(id: number, pathId: number): void {
    if (this.layout.pathIdBytes === PATH_ID_LENGTH) {
      writeU32(this.nlri, this.nlriEnd, pathId);
      this.nlriEnd += PATH_ID_LENGTH;
    }
    this.nlriEnd = this.prefixes.write(id, this.nlri, this.nlriEnd);
    this.count++;
  }

  /** Completes the message. */
  finish(): void {
    const { attributes } = this;
    if (this.layout.multiprotocol) this.finishMultiprotocol(attributes);
    else if (attributes) this.finishClassic(attributes);
    else this.finishWithdrawal();
    writeHeader(this.bytes, 0, this.length, MessageType.update);
  }

  /** The attributes are copied at once: their buffer is used again before the message is complete. */
  private writeAttributes(attributes: PackedAttributes): void {
    this.room(FIXED + REACH_OVERHEAD + attributes.mpNextHop.length + attributes.length + 4096);
    const at = this.attributesAt(attributes);
    copyOctets(attributes.bytes, 0, attributes.length, this.bytes, at);
    const { length, mpNextHop } = attributes;
    this.attributes = {
      bytes: this.bytes,
      length,
      mpNextHop: mpNextHop.length === 0 ? mpNextHop : mpNextHop.slice(),
    };
  }

  /** Where the attributes lie until the message is complete: at their place, or behind the longest routes. */
  private attributesAt({ mpNextHop }: PackedAttributes): number {
    return this.layout.multiprotocol ? FIXED + REACH_OVERHEAD + mpNextHop.length + 4096 : FIXED;
  }

  private finishClassic({ length }: PackedAttributes): void {
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

  private room(octets: number): void {
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

/**
 * Calls `visit` with the place of the NLRI of every prefix in a message that an UpdateBuilder of this layout has made,
 * announced or withdrawn.
 */
export function eachPacked(
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
