/** Growable columns of numbers, sets of numbers, and lists of unused ones: what the tables of the RIB are made of. */

/** A typed array whose elements are ids of one kind. */
export interface NumberArray<T extends number> {
  [index: number]: T;
  readonly length: number;
  includes(value: T): boolean;
  subarray(start: number, end: number): NumberArray<T>;
}

/** Columns that reach this length get room for a whole Internet table at once. */
const SMALL = 1 << 15;
const LARGE = 1 << 20;

/**
 * The length of a column of length `current` that needs room for index `last`. Zeroed memory that is never written to
 * takes no memory of the machine, so that a large reserve is free, while each growth copies the whole column.
 */
function grownLength(current: number, last: number): number {
  if (last < SMALL) return Math.max(last + 1, Math.min(2 * current, SMALL), 64);
  return last < LARGE ? LARGE : Math.max(last + 1, 2 * current);
}

type TypedArray = Uint8Array | Uint16Array | Uint32Array;

/** A growable column. `values` is replaced when it grows, so it must not be kept across `ensure`. */
class Column<T extends number> {
  values: NumberArray<T>;
  private readonly create: (length: number) => TypedArray;

  constructor(create: (length: number) => TypedArray) {
    this.create = create;
    this.values = create(0) as unknown as NumberArray<T>;
  }

  /** Makes room for index `last`; new elements are 0. */
  ensure(last: number): void {
    if (last >= this.values.length) this.grow(last);
  }

  private grow(last: number): void {
    const grown = this.create(grownLength(this.values.length, last));
    grown.set(this.values as ArrayLike<number>);
    this.values = grown as unknown as NumberArray<T>;
  }
}

/** A column of unsigned 32-bit numbers. */
export class U32Column<T extends number = number> extends Column<T> {
  constructor() {
    super((length) => new Uint32Array(length));
  }
}

/** A column of unsigned 16-bit numbers. */
export class U16Column<T extends number = number> extends Column<T> {
  constructor() {
    super((length) => new Uint16Array(length));
  }
}

/** A column of octets. */
export class U8Column<T extends number = number> extends Column<T> {
  constructor() {
    super((length) => new Uint8Array(length));
  }
}

/** A growable set of small numbers, one bit each. */
export class Bitmap<T extends number = number> {
  private words = new Uint32Array(0);
  /** How many numbers are in the set. */
  count = 0;

  /** Whether a number is in the set. */
  has(index: T): boolean {
    const word = index >>> 5;
    return word < this.words.length && (this.words[word] & (1 << (index & 31))) !== 0;
  }

  /** Adds a number; false when it is in the set already. */
  add(index: T): boolean {
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

  /** Removes a number; false when it is not in the set. */
  remove(index: T): boolean {
    if (!this.has(index)) return false;
    this.words[index >>> 5] &= ~(1 << (index & 31));
    this.count--;
    return true;
  }

  /** The least number of the set that is at least `from`, or -1. */
  next(from: number): T {
    let word = from >>> 5;
    if (word >= this.words.length) return -1 as T;
    let bits = this.words[word] & (0xffffffff << (from & 31));
    while (bits === 0) {
      word++;
      if (word >= this.words.length) return -1 as T;
      bits = this.words[word];
    }
    return (word * 32 + (31 - Math.clz32(bits & -bits))) as T;
  }
}

/** Ids without references whose entries are still in their table; see ids.ts. */
export class FreeList<T extends number> {
  /** How many ids are listed. */
  size = 0;
  private readonly listed = new Bitmap<T>();
  private readonly list = new U32Column<T>();

  /** Lists an id, at most once. */
  add(id: T): void {
    if (!this.listed.add(id)) return;
    this.list.ensure(this.size);
    this.list.values[this.size++] = id;
  }

  /** Takes out the id that was listed last, which may be in use again; null when there is none. */
  take(): T | null {
    if (this.size === 0) return null;
    const id = this.list.values[--this.size];
    this.listed.remove(id);
    return id;
  }
}
