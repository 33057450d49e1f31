/** A growable column of unsigned numbers: `values` is replaced when it grows, so it must not be kept across `ensure`. */
export class U32Column {
  values: Uint32Array = new Uint32Array(0);
  private readonly lasting: boolean;

  /** `lasting`: as long as the process. */
  constructor(lasting = true) {
    this.lasting = lasting;
  }

  /** Makes room for index `last`; new places are 0. */
  ensure(last: number): void {
    if (last < this.values.length) return;
    const grown = new Uint32Array(room(4 * grownLength(this.values.length, last), this.lasting));
    grown.set(this.values);
    this.values = grown;
  }
}

/** A column of 16-bit numbers. */
export class U16Column {
  values: Uint16Array = new Uint16Array(0);
  private readonly lasting: boolean;

  /** `lasting`: as long as the process. */
  constructor(lasting = true) {
    this.lasting = lasting;
  }

  ensure(last: number): void {
    if (last < this.values.length) return;
    const grown = new Uint16Array(room(2 * grownLength(this.values.length, last), this.lasting));
    grown.set(this.values);
    this.values = grown;
  }
}

/** A column of octets. */
export class U8Column {
  values: Uint8Array = new Uint8Array(0);
  private readonly lasting: boolean;

  /** `lasting`: as long as the process. */
  constructor(lasting = true) {
    this.lasting = lasting;
  }

  ensure(last: number): void {
    if (last < this.values.length) return;
    const grown = new Uint8Array(room(grownLength(this.values.length, last), this.lasting));
    grown.set(this.values);
    this.values = grown;
  }
}

/** Columns that come to this length are reserved for a whole table of the Internet at once. */
const SMALL = 1 << 15;
const LARGE = (1 << 20) + 64;

/** Memory that was reserved and never written to is none of the process's: a reserve costs nothing, a copy twice. */
function grownLength(current: number, last: number): number {
  if (last < SMALL) return Math.max(last + 1, Math.min(2 * current, SMALL), 64);
  return last < LARGE ? LARGE : Math.max(last + 1, 2 * current);
}

/** Octets from which on lasting memory is taken as shared memory. */
const SHARED = 1 << 14;

/**
 * Zeroed memory. V8 collects garbage when the buffers that it counts have grown by tens of megabytes, which is in the
 * middle of a table and takes 5 to 15 ms; shared memory it does not count, and so nothing hastens its collection.
 */
function room(octets: number, lasting: boolean): ArrayBufferLike {
  return lasting && octets >= SHARED ? new SharedArrayBuffer(octets) : new ArrayBuffer(octets);
}

/** A growable set of small numbers, one bit each. */
export class Bitmap {
  private words = new Uint32Array(0);
  /** How many are set. */
  count = 0;

  has(index: number): boolean {
    const word = index >>> 5;
    return word < this.words.length && (this.words[word] & (1 << (index & 31))) !== 0;
  }

  /** Sets the bit; false when it was set. */
  add(index: number): boolean {
    const word = index >>> 5;
    if (word >= this.words.length) {
      const grown = new Uint32Array(grownLength(this.words.length, word));
      grown.set(this.words);
      this.words = grown;
    }
    const bit = 1 << (index & 31);
    if ((this.words[word] & bit) !== 0) return false;
    this.words[word] |= bit;
    this.count++;
    return true;
  }

  /** Clears the bit; false when it was clear. */
  remove(index: number): boolean {
    if (!this.has(index)) return false;
    this.words[index >>> 5] &= ~(1 << (index & 31));
    this.count--;
    return true;
  }

  /** The first set bit at or behind `from`, or -1. */
  next(from: number): number {
    let word = from >>> 5;
    if (word >= this.words.length) return -1;
    let bits = this.words[word] & (0xffffffff << (from & 31));
    while (bits === 0) {
      word++;
      if (word >= this.words.length) return -1;
      bits = this.words[word];
    }
    return word * 32 + (31 - Math.clz32(bits & -bits));
  }
}
