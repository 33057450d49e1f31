/**
 * What an update group has advertised to its members (Adj-RIB-Out, RFC 4271 §3.2), the comparison of it with the
 * Loc-RIB, and what a member knows that comes from another group.
 */
import type { FamilyRib } from '../family-rib.ts';
import type { AttributeTable } from '../store/attribute-table.ts';
import { Bitmap, U16Column, U32Column } from '../store/column.ts';
import {
  type AttrsId,
  LOCAL_SOURCE,
  NO_ATTRS,
  NO_PATH,
  type PathId,
  type PrefixId,
  type SourceId,
} from '../store/ids.ts';
import type { PrefixTable } from '../store/prefix-table.ts';
import { except, only } from './update-log.ts';
import type { UpdatePacker } from './update-packer.ts';

/** An advertised route: with which attributes, and from which source it was learned. */
export interface AdvertisedRoute {
  /** Before the changes of export.ts, after those of an export policy. */
  attrs: AttrsId;
  source: SourceId;
}

/**
 * By prefix and slot: the advertised attributes and the source. A prefix has one slot, or with ADD-PATH one for each
 * path that may be advertised. Holds the prefixes and retains the sets that it names.
 */
export class AdjRibOut {
  /** How many routes are advertised. */
  size = 0;
  /** Slots of a prefix. */
  readonly width: number;
  private readonly prefixes: PrefixTable;
  private readonly attributes: AttributeTable;
  private readonly attrs = new U32Column<AttrsId>();
  private readonly sources = new U16Column<SourceId>();

  constructor(prefixes: PrefixTable, attributes: AttributeTable, width: number) {
    this.prefixes = prefixes;
    this.attributes = attributes;
    this.width = width;
  }

  /** One more than the largest prefix number that may be advertised. */
  get end(): number {
    return Math.ceil(this.attrs.values.length / this.width);
  }

  /** The attributes with which a slot is advertised, or NO_ATTRS. */
  attrsOf(id: PrefixId, slot = 0): AttrsId {
    const at = id * this.width + slot;
    return at < this.attrs.values.length ? this.attrs.values[at] : NO_ATTRS;
  }

  /** The source of an advertised slot. */
  sourceOf(id: PrefixId, slot = 0): SourceId {
    const at = id * this.width + slot;
    return at < this.sources.values.length ? this.sources.values[at] : LOCAL_SOURCE;
  }

  /** The route in a slot, or null. */
  get(id: PrefixId, slot = 0): AdvertisedRoute | null {
    const attrs = this.attrsOf(id, slot);
    return attrs === NO_ATTRS ? null : { attrs, source: this.sourceOf(id, slot) };
  }

  /** Whether any slot of the prefix is advertised. */
  has(id: PrefixId): boolean {
    for (let slot = 0; slot < this.width; slot++) if (this.attrsOf(id, slot) !== NO_ATTRS) return true;
    return false;
  }

  /** Notes that a slot was advertised with `attrs`, or withdrawn (NO_ATTRS). */
  put(id: PrefixId, slot: number, attrs: AttrsId, source: SourceId): void {
    const at = id * this.width + slot;
    this.attrs.ensure(at);
    this.sources.ensure(at);
    const old = this.attrs.values[at];
    if (attrs !== NO_ATTRS) this.attributes.retain(attrs);
    if (old !== NO_ATTRS) this.attributes.release(old);
    this.attrs.values[at] = attrs;
    this.sources.values[at] = source;
    if (old === NO_ATTRS && attrs !== NO_ATTRS) {
      this.size++;
      this.prefixes.hold(id);
    } else if (old !== NO_ATTRS && attrs === NO_ATTRS) {
      this.size--;
      this.prefixes.release(id);
    }
  }

  /** A copy with holds and references of its own. */
  copy(): AdjRibOut {
    const copy = new AdjRibOut(this.prefixes, this.attributes, this.width);
    for (let at = 0; at < this.attrs.values.length; at++) {
      if (this.attrs.values[at] === NO_ATTRS) continue;
      const slot = at % this.width;
      copy.put(((at - slot) / this.width) as PrefixId, slot, this.attrs.values[at], this.sources.values[at]);
    }
    return copy;
  }

  /** Removes everything, at most `budget` slots from `from` on; returns where to go on, or 0 when all is done. */
  clear(from: number, budget: number): number {
    const end = Math.min(this.attrs.values.length, from + budget);
    for (let at = from; at < end; at++) {
      if (this.attrs.values[at] === NO_ATTRS) continue;
      const slot = at % this.width;
      this.put(((at - slot) / this.width) as PrefixId, slot, NO_ATTRS, LOCAL_SOURCE);
    }
    return end < this.attrs.values.length ? end : 0;
  }
}

/** Compares the Loc-RIB with an update group's Adj-RIB-Out, has the difference packed, and notes it. */
export class AdjRibOutDiff {
  private readonly rib: FamilyRib;
  private readonly out: AdjRibOut;
  private readonly packer: UpdatePacker;
  /** With several slots a prefix (ADD-PATH): the path of the RIB in each. */
  private readonly outPaths: U32Column<PathId> | null;

  constructor(rib: FamilyRib, out: AdjRibOut, packer: UpdatePacker, addPath: boolean) {
    this.rib = rib;
    this.out = out;
    this.packer = packer;
    this.outPaths = addPath ? new U32Column<PathId>() : null;
  }

  /** Packs the changes of a prefix; false when there are none. */
  update(id: PrefixId): boolean {
    const { rib } = this;
    if (this.outPaths) return this.updatePaths(id, this.outPaths);
    const best = rib.bestOf(id);
    if (best === NO_PATH) return this.updateSlot(id, 0, NO_ATTRS, LOCAL_SOURCE);
    return this.updateSlot(id, 0, rib.attrsOf(best), rib.sourceOf(best));
  }

  /** Packs the change of one slot of a prefix; false when there is none. */
  private updateSlot(id: PrefixId, slot: number, best: AttrsId, source: SourceId): boolean {
    const wanted = this.packer.applyExportPolicy(id, best, source);
    const oldAttrs = this.out.attrsOf(id, slot);
    const oldSource = this.out.sourceOf(id, slot);
    const addPathId = slot + 1;
    if (wanted === oldAttrs && (source === oldSource || wanted === NO_ATTRS)) return false;
    const advertised = wanted !== NO_ATTRS && this.packer.announce(id, addPathId, wanted, source);
    if (!advertised && oldAttrs === NO_ATTRS) return false;
    if (!advertised) {
      this.packer.withdraw(id, addPathId, except(oldSource));
    } else if (oldAttrs !== NO_ATTRS && oldSource !== source && source !== LOCAL_SOURCE) {
      // The new source was advertised the old route, and is not advertised its own one.
      this.packer.withdraw(id, addPathId, only(source));
    }
    this.out.put(id, slot, advertised ? wanted : NO_ATTRS, source);
    return true;
  }

  /**
   * ADD-PATH: the best paths of a prefix, each in a slot that it keeps for as long as it is among them, so that its
   * path identifier stays the same (RFC 7911 §2).
   */
  private updatePaths(id: PrefixId, outPaths: U32Column<PathId>): boolean {
    const { rib } = this;
    const { width } = this.out;
    const base = id * width;
    outPaths.ensure(base + width - 1);
    const wanted = rib
      .ranked(id)
      .filter((path) => this.packer.mayAdvertise(rib.attrsOf(path), rib.sourceOf(path)))
      .slice(0, width);
    const slots = outPaths.values.subarray(base, base + width);
    const added = wanted.filter((path) => !slots.includes(path));
    let changed = false;
    for (let slot = 0; slot < width; slot++) {
      if (!wanted.includes(slots[slot])) slots[slot] = added.shift() ?? NO_PATH;
      const path = slots[slot];
      const advertised =
        path === NO_PATH
          ? this.updateSlot(id, slot, NO_ATTRS, LOCAL_SOURCE)
          : this.updateSlot(id, slot, rib.attrsOf(path), rib.sourceOf(path));
      changed = advertised || changed;
    }
    return changed;
  }
}

/**
 * What a member was advertised by the group that it came from, so that only the routes that differ in its new group are
 * sent to it.
 */
export class PreviousAdjRibOut {
  private readonly out: AdjRibOut;
  /** Prefixes of which it is not known what the member was advertised last. */
  private readonly unknown = new Bitmap<PrefixId>();

  /** `out`: a copy of the old group's Adj-RIB-Out, which `clear` empties. */
  constructor(out: AdjRibOut) {
    this.out = out;
  }

  /** What the member knows of a prefix is not known from now on. */
  invalidate(id: PrefixId): void {
    this.unknown.add(id);
  }

  /** Whether the member, whose own routes come from `source`, knows just this route of the prefix; null: none. */
  match(id: PrefixId, route: AdvertisedRoute | null, source: SourceId): boolean {
    if (this.unknown.has(id)) return false;
    const advertised = this.out.get(id);
    const known = advertised && advertised.source !== source ? advertised : null;
    return known?.attrs === route?.attrs && known?.source === route?.source;
  }

  /** Removes everything, a slice at a time like `AdjRibOut.clear`. */
  clear(from: number, budget: number): number {
    return this.out.clear(from, budget);
  }
}
