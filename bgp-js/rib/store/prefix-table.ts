/**
 * Every prefix that anything in the RIB refers to, under a small dense number. Keys are read from and written to NLRI
 * directly; columns of other classes are indexed by the same number.
 */
import { U8Column, U16Column, U32Column } from './column.ts';
import { FreeList } from './free-list.ts';
import { PrefixIndex } from './prefix-index.ts';

/** Unused numbers looked at when a new one is asked for and none is free. */
const RECLAIMED_AT_ONCE = 2;

/** What look-ups return when there is no such prefix. */
export const NO_PREFIX = -1;

export class PrefixTable {
  /** How many prefixes something holds on to. */
  size = 0;
  /** One more than the largest number ever given out. */
  end = 0;
  private readonly words: number;
  private readonly keys = new U32Column();
  /** Bits of the prefix. */
  private readonly lengths = new U8Column();
  /** Prefixes that nothing holds on to, and that are still known. */
  private readonly unused = new FreeList();
  /** How many parts of the RIB hold on to the prefix; when the last has let go, `reclaim` may take it out. */
  private readonly holds = new U16Column();
  /** Numbers of prefixes plus one, by value. */
  private readonly index: PrefixIndex;
  /** Numbers to be given out again, chained through `keys`; plus one, 0 ends the chain. */
  private freeList = 0;
  /** How many prefixes of each length there are, so that a longest match probes only those. */
  private readonly lengthCounts: Uint32Array;
  private readonly scratch: Uint32Array;
  /** The prefix after the one that was last looked up: peers tell of prefixes again in the order of the first time. */
  private guess = 0;

  /** `bits`: those of an address, a multiple of 32. */
  constructor(bits: number) {
    this.words = bits / 32;
    this.scratch = new Uint32Array(this.words);
    this.index = new PrefixIndex(this.words);
    this.lengthCounts = new Uint32Array(bits + 1);
  }

  /** The number of the prefix whose NLRI is at `at`; host bits are masked. NO_PREFIX when it is unknown. */
  find(bytes: Uint8Array, at: number): number {
    const length = bytes[at];
    this.load(bytes, at);
    if (this.isGuessed(length)) return this.guess++;
    const place = this.index.find(this.scratch, length);
    if (place < 0) return NO_PREFIX;
    const id = this.index.places.values[place] - 1;
    this.guess = id + 1;
    return id;
  }

  /** Whether `scratch` is the prefix that was to be expected: that saves the index, and a miss of the cache. */
  private isGuessed(length: number): boolean {
    const id = this.guess;
    // The key of a prefix that nobody holds may be another one's place in the free list.
    if (!this.has(id) || this.lengths.values[id] !== length) return false;
    const base = id * this.words;
    for (let i = 0; i < this.words; i++) {
      if (this.keys.values[base + i] !== this.scratch[i]) return false;
    }
    return true;
  }

  /** Like `find`, but makes the prefix known; the caller then holds it at least once or frees it with `release`. */
  intern(bytes: Uint8Array, at: number): number {
    // First of all, because it moves what is in the index.
    if (this.freeList === 0 && this.unused.size > 0) this.reclaim(RECLAIMED_AT_ONCE);
    const length = bytes[at];
    this.load(bytes, at);
    if (this.isGuessed(length)) return this.guess++;
    const place = this.index.place(this.scratch, length);
    const known = this.index.places.values[place];
    if (known !== 0) {
      this.guess = known;
      return known - 1;
    }
    const id = this.allocate();
    this.index.fill(place, id + 1);
    const base = id * this.words;
    for (let i = 0; i < this.words; i++) this.keys.values[base + i] = this.scratch[i];
    this.lengths.values[id] = length;
    this.holds.values[id] = 0;
    this.lengthCounts[length]++;
    return id;
  }

  hold(id: number): void {
    if (this.holds.values[id]++ === 0) this.size++;
  }

  /** Lets go of a prefix; after the last hold its number may be given to another one. */
  release(id: number): void {
    if (--this.holds.values[id] > 0) return;
    this.size--;
    this.unused.add(id);
  }

  /** Whether there is something to reclaim. */
  get hasUnused(): boolean {
    return this.unused.size > 0;
  }

  /** Takes out prefixes that nothing holds on to, at most `budget` of them. */
  reclaim(budget: number): void {
    for (let i = 0; i < budget; i++) {
      const id = this.unused.take();
      if (id < 0) return;
      if (this.holds.values[id] === 0) this.remove(id);
    }
  }

  /** Bits of prefix `id`. */
  lengthOf(id: number): number {
    return this.lengths.values[id];
  }

  /** Whether something holds on to `id`. */
  has(id: number): boolean {
    return id < this.end && this.holds.values[id] > 0;
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

  /** Prefix `id` as NLRI. */
  nlri(id: number): Uint8Array {
    const bytes = new Uint8Array(1 + ((this.lengths.values[id] + 7) >> 3));
    this.write(id, bytes, 0);
    return bytes;
  }

  /** The order of two prefixes: by address, then by length. */
  compare(a: number, b: number): number {
    for (let i = 0; i < this.words; i++) {
      const difference = this.keys.values[a * this.words + i] - this.keys.values[b * this.words + i];
      if (difference !== 0) return difference;
    }
    return this.lengths.values[a] - this.lengths.values[b];
  }

  /** How many pieces of 16 bits an address has. */
  get addressPieces(): number {
    return 2 * this.words;
  }

  /** Piece `index` of the address of prefix `id`, the first one being that which counts most. */
  addressPiece(id: number, index: number): number {
    const word = this.keys.values[id * this.words + (index >> 1)];
    return (index & 1) === 0 ? word >>> 16 : word & 0xffff;
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

  private remove(id: number): void {
    const base = id * this.words;
    for (let i = 0; i < this.words; i++) this.scratch[i] = this.keys.values[base + i];
    const length = this.lengths.values[id];
    this.index.clear(this.index.find(this.scratch, length));
    this.lengthCounts[length]--;
    this.keys.values[base] = this.freeList;
    this.freeList = id + 1;
  }
}
