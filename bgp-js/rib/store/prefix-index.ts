/**
 * Where prefixes are found by value. Routes come and go beside their neighbours, so prefixes that differ in their last
 * three bits alone share a block of eight places: only the first of them is searched for, and a directory that is
 * searched by hashing has an entry for each block.
 */
import { U8Column, U32Column } from './column.ts';

const BLOCK_BITS = 3;
const BLOCK_SIZE = 1 << BLOCK_BITS;
const LOW = BLOCK_SIZE - 1;
/** No block: the directory holds numbers of blocks plus one. */
const NONE = 0;
/** A length that no prefix has: of a block that is not in use. */
const FREE = 255;

export class PrefixIndex {
  /** What stands in the places, by the number that `find` and `place` return; 0: nothing. */
  readonly places = new U32Column();
  /** 32-bit words of an address. */
  private readonly words: number;
  /** By block: the address of its first prefix, the bits of its prefixes, how many places are taken. */
  private readonly keys = new U32Column();
  private readonly lengths = new U8Column();
  private readonly taken = new U8Column();
  /** Open addressing with linear probing. */
  private directory = new Uint32Array(16);
  private mask = 15;
  private blocks = 0;
  private end = 0;
  /** Numbers of blocks to be used again, chained through `keys`; plus one, 0 ends the chain. */
  private freeList = 0;
  /** The block that was found last, or -1. */
  private last = -1;
  /** The address of the block that is looked for. */
  private readonly wanted: Uint32Array;
  /** Its hash. */
  private hash = 0;

  constructor(words: number) {
    this.words = words;
    this.wanted = new Uint32Array(words);
  }

  /** The place of the prefix with this masked address and length, or -1 when it has none. */
  find(address: Uint32Array, length: number): number {
    const near = this.beside(address, length);
    if (near >= 0) return near;
    const low = this.aim(address, length);
    const block = this.locate(length);
    return block < 0 ? -1 : block * BLOCK_SIZE + low;
  }

  /** The place of a prefix of one word in the block that was found last, or -1: mostly the next one is beside it. */
  private beside(address: Uint32Array, length: number): number {
    const { last } = this;
    if (this.words !== 1 || length === 0 || last < 0 || this.lengths.values[last] !== length) return -1;
    const shift = 32 - length;
    const from = address[0];
    if ((from & ~(LOW << shift)) >>> 0 !== this.keys.values[last]) return -1;
    return last * BLOCK_SIZE + ((from >>> shift) & LOW);
  }

  /** Like `find`, but makes a place when there is none. What is put into an empty place is counted with `fill`. */
  place(address: Uint32Array, length: number): number {
    const near = this.beside(address, length);
    if (near >= 0) return near;
    const low = this.aim(address, length);
    let block = this.locate(length);
    if (block < 0) block = this.add(length);
    return block * BLOCK_SIZE + low;
  }

  /** Puts a number into an empty place. */
  fill(place: number, value: number): void {
    this.places.values[place] = value;
    this.taken.values[place >>> BLOCK_BITS]++;
  }

  /** Empties a place. */
  clear(place: number): void {
    this.places.values[place] = 0;
    const block = place >>> BLOCK_BITS;
    if (--this.taken.values[block] === 0) this.remove(block);
  }

  /** Sets `wanted` to the block of a prefix; returns the prefix's place in it. */
  private aim(address: Uint32Array, length: number): number {
    const { wanted, words } = this;
    const word = length === 0 ? 0 : (length - 1) >>> 5;
    const shift = length === 0 ? 0 : 31 - ((length - 1) & 31);
    for (let i = 0; i < words; i++) wanted[i] = address[i];
    wanted[word] &= ~(LOW << shift);
    return (address[word] >>> shift) & LOW;
  }

  /** The number of the wanted block, or -1. */
  private locate(length: number): number {
    const { last, directory, mask } = this;
    if (last >= 0 && this.is(last, length)) return last;
    this.hash = this.hashOf(length);
    let at = this.hash & mask;
    for (;;) {
      const block = directory[at] - 1;
      if (block < 0) return -1;
      if (this.is(block, length)) {
        this.last = block;
        return block;
      }
      at = (at + 1) & mask;
    }
  }

  private is(block: number, length: number): boolean {
    if (this.lengths.values[block] !== length) return false;
    const { words, wanted } = this;
    const keys = this.keys.values;
    const base = block * words;
    for (let i = 0; i < words; i++) if (keys[base + i] !== wanted[i]) return false;
    return true;
  }

  private hashOf(length: number): number {
    let h = Math.imul(length + 1, 0x9e3779b1);
    for (let i = 0; i < this.words; i++) {
      h = Math.imul(h ^ this.wanted[i], 0x85ebca6b);
      h ^= h >>> 15;
    }
    h = Math.imul(h, 0xc2b2ae35);
    return h ^ (h >>> 13);
  }

  /** Makes the wanted block, which `locate` has just not found. */
  private add(length: number): number {
    const block = this.allocate();
    for (let i = 0; i < this.words; i++) this.keys.values[block * this.words + i] = this.wanted[i];
    this.lengths.values[block] = length;
    this.taken.values[block] = 0;
    this.blocks++;
    if (this.blocks * 2 > this.directory.length) this.grow();
    else this.enter(block, this.hash);
    this.last = block;
    return block;
  }

  private enter(block: number, hash: number): void {
    const { directory, mask } = this;
    let at = hash & mask;
    while (directory[at] !== NONE) at = (at + 1) & mask;
    directory[at] = block + 1;
  }

  private allocate(): number {
    if (this.freeList !== NONE) {
      const block = this.freeList - 1;
      this.freeList = this.keys.values[block * this.words];
      return block;
    }
    const block = this.end++;
    this.keys.ensure((block + 1) * this.words - 1);
    this.lengths.ensure(block);
    this.taken.ensure(block);
    this.places.ensure((block + 1) * BLOCK_SIZE - 1);
    return block;
  }

  private grow(): void {
    this.directory = new Uint32Array(this.directory.length * 2);
    this.mask = this.directory.length - 1;
    for (let block = 0; block < this.end; block++) {
      if (this.lengths.values[block] !== FREE) this.enter(block, this.hashOfBlock(block));
    }
  }

  private hashOfBlock(block: number): number {
    const base = block * this.words;
    for (let i = 0; i < this.words; i++) this.wanted[i] = this.keys.values[base + i];
    return this.hashOf(this.lengths.values[block]);
  }

  /** Takes a block out and closes the gap in its probe chain, so that no tombstones are left. */
  private remove(block: number): void {
    const { directory, mask } = this;
    let gap = this.hashOfBlock(block) & mask;
    while (directory[gap] !== block + 1) gap = (gap + 1) & mask;
    for (let at = (gap + 1) & mask; directory[at] !== NONE; at = (at + 1) & mask) {
      const home = this.hashOfBlock(directory[at] - 1) & mask;
      if (((at - home) & mask) < ((at - gap) & mask)) continue;
      directory[gap] = directory[at];
      gap = at;
    }
    directory[gap] = NONE;
    this.lengths.values[block] = FREE;
    this.keys.values[block * this.words] = this.freeList;
    this.freeList = block + 1;
    this.blocks--;
    if (this.last === block) this.last = -1;
  }
}
