import type { AttributeTable } from './attribute-table.ts';
import { U16Column, U32Column } from './column.ts';
import type { PrefixTable } from './prefix-table.ts';

/** No attributes: the prefix is not announced. */
export const NOTHING = 0;

/** A route as it was told: with which attributes, and from which source it came. */
export interface ToldRoute {
  set: number;
  source: number;
}

/**
 * What an update group has told its members: by prefix, the set of attributes and the source, before the changes for
 * export. It holds on to the prefixes and sets that it names.
 */
export class AdjRibOut {
  /** How many prefixes are announced. */
  size = 0;
  private readonly prefixes: PrefixTable;
  private readonly attributes: AttributeTable;
  private readonly sets = new U32Column();
  private readonly sources = new U16Column();

  constructor(prefixes: PrefixTable, attributes: AttributeTable) {
    this.prefixes = prefixes;
    this.attributes = attributes;
  }

  /** One more than the largest prefix number that may be announced. */
  get end(): number {
    return this.sets.values.length;
  }

  /** The set with which the prefix is announced, or NOTHING. */
  setOf(id: number): number {
    return id < this.sets.values.length ? this.sets.values[id] : NOTHING;
  }

  /** The source of an announced prefix. */
  sourceOf(id: number): number {
    return id < this.sources.values.length ? this.sources.values[id] : 0;
  }

  get(id: number): ToldRoute | null {
    const set = this.setOf(id);
    return set === NOTHING ? null : { set, source: this.sources.values[id] };
  }

  /** Notes that the prefix was announced with `set`, or withdrawn (NOTHING). */
  put(id: number, set: number, source: number): void {
    this.sets.ensure(id);
    this.sources.ensure(id);
    const old = this.sets.values[id];
    if (set !== NOTHING) this.attributes.retain(set);
    if (old !== NOTHING) this.attributes.release(old);
    this.sets.values[id] = set;
    this.sources.values[id] = source;
    if (old === NOTHING && set !== NOTHING) {
      this.size++;
      this.prefixes.hold(id);
    } else if (old !== NOTHING && set === NOTHING) {
      this.size--;
      this.prefixes.release(id);
    }
  }

  /** Lets go of everything. */
  clear(): void {
    for (let id = 0; id < this.end; id++) if (this.sets.values[id] !== NOTHING) this.put(id, NOTHING, 0);
  }
}
