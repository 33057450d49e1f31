/**
 * Every prefix that anything in the RIB refers to, under a small dense number. NLRI are read and written directly, and
 * columns of other classes are indexed by the same number. How long a number stays a prefix's own: ids.ts.
 */
import { FreeList, U8Column, U16Column, U32Column } from './column.ts';
import { type HashKey, HashTable, hashWords } from './hash-table.ts';
import { NO_PREFIX, type PrefixId } from './ids.ts';

/** Unused prefixes that are reclaimed whenever a new number is asked for and none is free. */
const RECLAIMED_AT_ONCE = 2;

/** All prefixes of one address family. */
export class PrefixTable {
  /** How many prefixes are held. */
  size = 0;
  /** One more than the largest number ever given out. */
  end = 0;
  /** 32-bit words of an address. */
  private readonly words: number;
  private readonly keys = new U32Column();
  /** Bits of the prefix. */
  private readonly lengths = new U8Column();
  /** Prefixes that are not held and not yet reclaimed. */
  private readonly unused = new FreeList<PrefixId>();
  /** How many parts of the RIB hold the prefix. */
  private readonly holds = new U16Column();
  private readonly index: PrefixIndex;
  /** Reclaimed numbers, chained through `keys`; plus one, 0 ends the chain. */
  private freeList = 0;
  /** How many prefixes of each length exist, so that a longest match probes only those. */
  private readonly lengthCounts: Uint32Array;
  private readonly scratch: Uint32Array;
  /** The number after that of the last prefix: peers send prefixes again in the order in which they sent them first. */
  private guess = 0 as PrefixId;

  /**
   * @param bits those of an address, a multiple of 32.
   * @param hashKey keeps peers from choosing prefixes that are slow to find.
   */
  constructor(bits: number, hashKey: HashKey) {
    this.words = bits / 32;
    this.scratch = new Uint32Array(this.words);
    this.index = new PrefixIndex(this.words, hashKey);
    this.lengthCounts = new Uint32Array(bits + 1);
  }

  /** The prefix whose NLRI is at `at`, with host bits masked; NO_PREFIX when it is unknown. */
  find(bytes: Uint8Array, at: number): PrefixId {
    const length = bytes[at];
    this.load(bytes, at);
    if (this.isGuessed(length)) return this.guess++ as PrefixId;
    const place = this.index.find(this.scratch, length);
    if (place === NO_PLACE) return NO_PREFIX;
    const id = (this.index.places.values[place] - 1) as PrefixId;
    this.guess = (id + 1) as PrefixId;
    return id;
  }

  /** Whether `scratch` is the guessed prefix: that saves a search of the index, and a cache miss. */
  private isGuessed(length: number): boolean {
    const id = this.guess;
    // An unheld prefix may have been reclaimed, and its key be a link of the free list.
    if (!this.has(id) || this.lengths.values[id] !== length) return false;
    const base = id * this.words;
    for (let i = 0; i < this.words; i++) {
      if (this.keys.values[base + i] !== this.scratch[i]) return false;
    }
    return true;
  }

  /** Like `find`, but adds an unknown prefix; the caller holds it at once, or at least once before `release`. */
  intern(bytes: Uint8Array, at: number): PrefixId {
    // Comes first, because it moves entries of the index.
    if (this.freeList === 0 && this.unused.size > 0) this.reclaim(RECLAIMED_AT_ONCE);
    const length = bytes[at];
    this.load(bytes, at);
    if (this.isGuessed(length)) return this.guess++ as PrefixId;
    const place = this.index.place(this.scratch, length);
    const known = this.index.places.values[place];
    if (known !== 0) {
      this.guess = known as PrefixId;
      return (known - 1) as PrefixId;
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

  /** Keeps a prefix alive until the same caller releases it. */
  hold(id: PrefixId): void {
    if (this.holds.values[id]++ === 0) this.size++;
  }

  /** Ends a hold; after the last one the number may be reclaimed. */
  release(id: PrefixId): void {
    if (--this.holds.values[id] > 0) return;
    this.size--;
    this.unused.add(id);
  }

  /** Whether there may be something to reclaim. */
  get hasUnused(): boolean {
    return this.unused.size > 0;
  }

  /** Removes prefixes that are not held, at most `budget` of them. */
  reclaim(budget: number): void {
    for (let i = 0; i < budget; i++) {
      const id = this.unused.take();
      if (id === null) return;
      if (this.holds.values[id] === 0) this.remove(id);
    }
  }

  /** Bits of prefix `id`. */
  lengthOf(id: PrefixId): number {
    return this.lengths.values[id];
  }

  /** Whether `id` is held. */
  has(id: PrefixId): boolean {
    return id < this.end && this.holds.values[id] > 0;
  }

  /** Writes the NLRI of prefix `id` at `at`; returns the offset behind it. */
  write(id: PrefixId, bytes: Uint8Array, at: number): number {
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
  nlri(id: PrefixId): Uint8Array {
    const bytes = new Uint8Array(1 + ((this.lengths.values[id] + 7) >> 3));
    this.write(id, bytes, 0);
    return bytes;
  }

  /** The order of two prefixes: by address, then by length. */
  compare(a: PrefixId, b: PrefixId): number {
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

  /** Piece `index` of the address of prefix `id`, the most significant one first. */
  addressPiece(id: PrefixId, index: number): number {
    const word = this.keys.values[id * this.words + (index >> 1)];
    return (index & 1) === 0 ? word >>> 16 : word & 0xffff;
  }

  /** The longest prefix that covers `address` and satisfies `accept`; NO_PREFIX when there is none. */
  longestMatch(address: Uint8Array, accept: (id: PrefixId) => boolean): PrefixId {
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

  private allocate(): PrefixId {
    if (this.freeList !== 0) {
      const id = (this.freeList - 1) as PrefixId;
      this.freeList = this.keys.values[id * this.words];
      return id;
    }
    const id = this.end++ as PrefixId;
    this.keys.ensure((id + 1) * this.words - 1);
    this.lengths.ensure(id);
    this.holds.ensure(id);
    return id;
  }

  private remove(id: PrefixId): void {
    const base = id * this.words;
    for (let i = 0; i < this.words; i++) this.scratch[i] = this.keys.values[base + i];
    const length = this.lengths.values[id];
    this.index.clear(this.index.find(this.scratch, length));
    this.lengthCounts[length]--;
    this.keys.values[base] = this.freeList;
    this.freeList = id + 1;
  }
}

const BLOCK_BITS = 3;
const BLOCK_SIZE = 1 << BLOCK_BITS;
const LOW = BLOCK_SIZE - 1;
/** No block has this number, no place this one. */
const NO_BLOCK = 0;
const NO_PLACE = 0;

/**
 * Finds prefixes by value. Routes come and go beside their neighbours, so prefixes that differ only in their last three
 * bits share a block of eight places: one search finds the block, and its other prefixes need none.
 */
export class PrefixIndex {
  /** What the places contain, by the number that `find` and `place` return; 0: nothing. */
  readonly places = new U32Column();
  /** 32-bit words of an address. */
  private readonly words: number;
  private readonly hashKey: HashKey;
  /** By block: the address of its first prefix, the length of its prefixes, how many places are taken. */
  private readonly keys = new U32Column();
  private readonly lengths = new U8Column();
  private readonly taken = new U8Column();
  private readonly blocks = new HashTable();
  private end = 1;
  /** Blocks to be reused, chained through `keys`. */
  private freeList = NO_BLOCK;
  /** The block that was found last. */
  private last = NO_BLOCK;
  /** The address of the block that is searched for; behind it, for the hash, the length of its prefixes. */
  private readonly wanted: Uint32Array;
  private wantedHash = 0;

  /** `words`: 32-bit words of an address. */
  constructor(words: number, hashKey: HashKey) {
    this.words = words;
    this.hashKey = hashKey;
    this.wanted = new Uint32Array(words + 1);
  }

  /** The place of the prefix with this masked address and length; NO_PLACE, 0, when it has none. */
  find(address: Uint32Array, length: number): number {
    const near = this.beside(address, length);
    if (near !== NO_PLACE) return near;
    const low = this.aim(address, length);
    const block = this.locate(length);
    return block === NO_BLOCK ? NO_PLACE : block * BLOCK_SIZE + low;
  }

  /** Like `find`, but makes a place when there is none. What is put into an empty place is counted with `fill`. */
  place(address: Uint32Array, length: number): number {
    const near = this.beside(address, length);
    if (near !== NO_PLACE) return near;
    const low = this.aim(address, length);
    let block = this.locate(length);
    if (block === NO_BLOCK) block = this.add(length);
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

  /** The most slots that a search passes; see HashTable. */
  longestProbe(): number {
    return this.blocks.longestProbe();
  }

  /** The place of a prefix of one word in the block that was found last: mostly the next prefix is in there too. */
  private beside(address: Uint32Array, length: number): number {
    const { last } = this;
    if (this.words !== 1 || length === 0 || last === NO_BLOCK || this.lengths.values[last] !== length) {
      return NO_PLACE;
    }
    const shift = 32 - length;
    const from = address[0];
    if ((from & ~(LOW << shift)) >>> 0 !== this.keys.values[last]) return NO_PLACE;
    return last * BLOCK_SIZE + ((from >>> shift) & LOW);
  }

  /** Sets `wanted` to the block of a prefix; returns the prefix's place in it. */
  private aim(address: Uint32Array, length: number): number {
    const { wanted, words } = this;
    const word = length === 0 ? 0 : (length - 1) >>> 5;
    const shift = length === 0 ? 0 : 31 - ((length - 1) & 31);
    for (let i = 0; i < words; i++) wanted[i] = address[i];
    wanted[word] &= ~(LOW << shift);
    wanted[words] = length;
    return (address[word] >>> shift) & LOW;
  }

  /** The wanted block, or NO_BLOCK. */
  private locate(length: number): number {
    if (this.last !== NO_BLOCK && this.is(this.last, length)) return this.last;
    const { slots, mask } = this.blocks;
    const hash = hashWords(this.hashKey, this.wanted, this.words + 1);
    this.wantedHash = hash;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const block = slots[slot];
      if (block === NO_BLOCK) return NO_BLOCK;
      if (this.is(block, length)) {
        this.last = block;
        return block;
      }
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

  /** Makes the wanted block, which `locate` has not found. */
  private add(length: number): number {
    const block = this.allocate();
    for (let i = 0; i < this.words; i++) this.keys.values[block * this.words + i] = this.wanted[i];
    this.lengths.values[block] = length;
    this.taken.values[block] = 0;
    this.blocks.add(block, this.wantedHash);
    this.last = block;
    return block;
  }

  private allocate(): number {
    if (this.freeList !== NO_BLOCK) {
      const block = this.freeList;
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

  private remove(block: number): void {
    this.blocks.remove(block);
    this.keys.values[block * this.words] = this.freeList;
    this.freeList = block;
    if (this.last === block) this.last = NO_BLOCK;
  }
}
