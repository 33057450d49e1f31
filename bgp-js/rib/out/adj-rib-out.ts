import type { AttributeTable } from '../store/attribute-table.ts';
import { U16Column, U32Column } from '../store/column.ts';
import type { PrefixTable } from '../store/prefix-table.ts';

/** No attributes: nothing is announced. */
export const NOTHING = 0;

/** A route as it was told: with which attributes, and from which source it came. */
export interface AdvertisedRoute {
  attrs: number;
  source: number;
}

/**
 * What an update group has told its members: by prefix and slot, the set of attributes and the source, before the
 * changes for export. There is one slot a prefix, or one for each path that may be told with ADD-PATH. It holds on to
 * the prefixes and sets that it names.
 */
export class AdjRibOut {
  /** How many routes are announced. */
  size = 0;
  /** Slots of a prefix. */
  readonly width: number;
  private readonly prefixes: PrefixTable;
  private readonly attributes: AttributeTable;
  private readonly attrs = new U32Column(false);
  private readonly sources = new U16Column(false);

  constructor(prefixes: PrefixTable, attributes: AttributeTable, width: number) {
    this.prefixes = prefixes;
    this.attributes = attributes;
    this.width = width;
  }

  /** One more than the largest prefix number that may be announced. */
  get end(): number {
    return Math.ceil(this.attrs.values.length / this.width);
  }

  /** The set with which the slot is announced, or NOTHING. */
  attrsOf(id: number, slot = 0): number {
    const at = id * this.width + slot;
    return at < this.attrs.values.length ? this.attrs.values[at] : NOTHING;
  }

  /** The source of an announced slot. */
  sourceOf(id: number, slot = 0): number {
    const at = id * this.width + slot;
    return at < this.sources.values.length ? this.sources.values[at] : 0;
  }

  get(id: number, slot = 0): AdvertisedRoute | null {
    const attrs = this.attrsOf(id, slot);
    return attrs === NOTHING ? null : { attrs, source: this.sourceOf(id, slot) };
  }

  /** Whether any slot of the prefix is announced. */
  has(id: number): boolean {
    for (let slot = 0; slot < this.width; slot++) if (this.attrsOf(id, slot) !== NOTHING) return true;
    return false;
  }

  /** Notes that a slot was announced with `set`, or withdrawn (NOTHING). */
  put(id: number, slot: number, attrs: number, source: number): void {
    const at = id * this.width + slot;
    this.attrs.ensure(at);
    this.sources.ensure(at);
    const old = this.attrs.values[at];
    if (attrs !== NOTHING) this.attributes.retain(attrs);
    if (old !== NOTHING) this.attributes.release(old);
    this.attrs.values[at] = attrs;
    this.sources.values[at] = source;
    if (old === NOTHING && attrs !== NOTHING) {
      this.size++;
      this.prefixes.hold(id);
    } else if (old !== NOTHING && attrs === NOTHING) {
      this.size--;
      this.prefixes.release(id);
    }
  }

  /** A copy that holds on to its prefixes and sets by itself. */
  copy(): AdjRibOut {
    const copy = new AdjRibOut(this.prefixes, this.attributes, this.width);
    for (let at = 0; at < this.attrs.values.length; at++) {
      if (this.attrs.values[at] === NOTHING) continue;
      const slot = at % this.width;
      copy.put((at - slot) / this.width, slot, this.attrs.values[at], this.sources.values[at]);
    }
    return copy;
  }

  /** Lets go of everything, at most `budget` slots from `from` on; returns where to go on, or 0 when all is done. */
  clear(from: number, budget: number): number {
    const end = Math.min(this.attrs.values.length, from + budget);
    for (let at = from; at < end; at++) {
      if (this.attrs.values[at] === NOTHING) continue;
      const slot = at % this.width;
      this.put((at - slot) / this.width, slot, NOTHING, 0);
    }
    return end < this.attrs.values.length ? end : 0;
  }
}
