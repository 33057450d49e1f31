/**
 * Every prefix that anything in the RIB refers to, under a small dense number. Keys are read from and written to NLRI
 * directly; columns of other classes are indexed by the same number.
 */
import { U8Column, U16Column, U32Column } from './column.ts';

/** What look-ups return when there is no such prefix. */
export const NO_PREFIX = -1;
const FREE = 255;

export class PrefixTable {
  /** How many prefixes there are. */
  size = 0;
  /** One more than the largest number ever given out. */
  end = 0;
  private readonly words: number;
  private readonly keys = new U32Column();
  /** Bits of the prefix, or FREE. */
  private readonly lengths = new U8Column();
  /** How many parts of the RIB hold on to the prefix; it goes when the last lets go. */
  private readonly holds = new U16Column();
  /** Open addressing with linear probing; a slot holds a number plus one, 0 is empty. */
  private slots = new Uint32Array(64);
  private mask = 63;
  /** Numbers to be given out again, chained through `keys`; plus one, 0 ends the chain. */
  private freeList = 0;
  /** How many prefixes of each length there are, so that a longest match probes only those. */
  private readonly lengthCounts: Uint32Array;
  private readonly scratch: Uint32Array;

  /** `bits`: those of an address, a multiple of 32. */
  constructor(bits: number) {
    this.words = bits / 32;
    this.scratch = new Uint32Array(this.words);
    this.lengthCounts = new Uint32Array(bits + 1);
  }

  /** The number of the prefix whose NLRI is at `at`; host bits are masked. NO_PREFIX when it is unknown. */
  find(bytes: Uint8Array, at: number): number {
    this.load(bytes, at);
    const slot = this.probe(bytes[at]);
    return this.slots[slot] - 1;
  }

  /** Like `find`, but makes the prefix known; the caller then holds it at least once or frees it with `release`. */
  intern(bytes: Uint8Array, at: number): number {
    const length = bytes[at];
    this.load(bytes, at);
    const slot = this.probe(length);
    const known = this.slots[slot];
    if (known !== 0) return known - 1;
    const id = this.allocate();
    this.slots[slot] = id + 1;
    const base = id * this.words;
    for (let i = 0; i < this.words; i++) this.keys.values[base + i] = this.scratch[i];
    this.lengths.values[id] = length;
    this.holds.values[id] = 0;
    this.lengthCounts[length]++;
    this.size++;
    if (this.size * 4 > this.slots.length * 3) this.rehash(this.slots.length * 2);
    return id;
  }

  hold(id: number): void {
    this.holds.values[id]++;
  }

  /** Lets go of a prefix; with the last hold its number becomes free. */
  release(id: number): void {
    if (--this.holds.values[id] === 0) this.remove(id);
  }

  /** Bits of prefix `id`. */
  lengthOf(id: number): number {
    return this.lengths.values[id];
  }

  /** Whether `id` is in use. */
  has(id: number): boolean {
    return id < this.end && this.lengths.values[id] !== FREE;
  }

  /** Writes the NLRI of prefix `id` at `at`; returns the offset behind it. */
  write(id: number, bytes: Uint8Array, at: number): number {
    const length = this.lengths.values[id];
    bytes[at] = length;
    const base = id * this.words;
    const end = at + 1 + ((length + 7) >> 3);
    let position = at + 1;
    for (let word = 0; position < end; word++) {
      const value = this.keys.values[base + word];
      for (let shift = 24; shift >= 0 && position < end; shift -= 8) bytes[position++] = value >>> shift;
    }
    return end;
  }

  /** The order of two prefixes: by address, then by length. */
  compare(a: number, b: number): number {
    for (let i = 0; i < this.words; i++) {
      const difference = this.keys.values[a * this.words + i] - this.keys.values[b * this.words + i];
      if (difference !== 0) return difference;
    }
    return this.lengths.values[a] - this.lengths.values[b];
  }

  /** The longest prefix that covers `address` and satisfies `accept`; NO_PREFIX when there is none. */
  longestMatch(address: Uint8Array, accept: (id: number) => boolean): number {
    const key = new Uint8Array(1 + address.length);
    key.set(address, 1);
    for (let length = this.lengthCounts.length - 1; length >= 0; length--) {
      if (this.lengthCounts[length] === 0) continue;
      key[0] = length;
      const id = this.find(key, 0);
      if (id !== NO_PREFIX && accept(id)) return id;
    }
    return NO_PREFIX;
  }

  /** Reads the address of an NLRI into `scratch`, masked. */
  private load(bytes: Uint8Array, at: number): void {
    const length = bytes[at];
    const octets = (length + 7) >> 3;
    if (this.words === 1) {
      const from = at + 1;
      let value = 0;
      if (octets > 0) value = bytes[from] << 24;
      if (octets > 1) value |= bytes[from + 1] << 16;
      if (octets > 2) value |= bytes[from + 2] << 8;
      if (octets > 3) value |= bytes[from + 3];
      this.scratch[0] = length === 0 ? 0 : value & (0xffffffff << (32 - length));
      return;
    }
    for (let word = 0; word < this.words; word++) {
      let value = 0;
      for (let i = 0; i < 4; i++) {
        const octet = word * 4 + i;
        value = (value << 8) | (octet < octets ? bytes[at + 1 + octet] : 0);
      }
      const bits = length - 32 * word;
      this.scratch[word] = bits >= 32 ? value : bits <= 0 ? 0 : value & (0xffffffff << (32 - bits));
    }
  }

  /** The slot of the prefix in `scratch`, or the empty one where it belongs. */
  private probe(length: number): number {
    let slot = this.hash(length) & this.mask;
    const { slots, mask, words } = this;
    const keys = this.keys.values;
    const lengths = this.lengths.values;
    for (;;) {
      const id = slots[slot] - 1;
      if (id < 0) return slot;
      if (lengths[id] === length) {
        let i = 0;
        while (i < words && keys[id * words + i] === this.scratch[i]) i++;
        if (i === words) return slot;
      }
      slot = (slot + 1) & mask;
    }
  }

  private hash(length: number): number {
    let h = Math.imul(length + 1, 0x9e3779b1);
    for (let i = 0; i < this.words; i++) {
      h = Math.imul(h ^ this.scratch[i], 0x85ebca6b);
      h ^= h >>> 15;
    }
    h = Math.imul(h, 0xc2b2ae35);
    return (h ^ (h >>> 13)) >>> 0;
  }

  private allocate(): number {
    if (this.freeList !== 0) {
      const id = this.freeList - 1;
      this.freeList = this.keys.values[id * this.words];
      return id;
    }
    const id = this.end++;
    this.keys.ensure((id + 1) * this.words - 1);
    this.lengths.ensure(id);
    this.holds.ensure(id);
    return id;
  }

  private rehash(size: number): void {
    this.slots = new Uint32Array(size);
    this.mask = size - 1;
    for (let id = 0; id < this.end; id++) {
      if (this.lengths.values[id] !== FREE) this.slots[this.slotOf(id)] = id + 1;
    }
  }

  private slotOf(id: number): number {
    for (let i = 0; i < this.words; i++) this.scratch[i] = this.keys.values[id * this.words + i];
    return this.probe(this.lengths.values[id]);
  }

  /** Takes the prefix out and closes the gap in its probe chain, so that no tombstones are left. */
  private remove(id: number): void {
    let gap = this.slotOf(id);
    let slot = gap;
    for (;;) {
      slot = (slot + 1) & this.mask;
      const other = this.slots[slot] - 1;
      if (other < 0) break;
      for (let i = 0; i < this.words; i++) this.scratch[i] = this.keys.values[other * this.words + i];
      const home = this.hash(this.lengths.values[other]) & this.mask;
      if (((slot - home) & this.mask) >= ((slot - gap) & this.mask)) {
        this.slots[gap] = other + 1;
        gap = slot;
      }
    }
    this.slots[gap] = 0;
    this.lengthCounts[this.lengths.values[id]]--;
    this.lengths.values[id] = FREE;
    this.keys.values[id * this.words] = this.freeList;
    this.freeList = id + 1;
    this.size--;
  }
}
