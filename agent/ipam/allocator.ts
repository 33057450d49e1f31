/**
 * Which addresses of the ranges are taken: one bit each. Next fit, so that a released address rests as long as the
 * range is large; and a quarantine on top, so that it also rests in a small one. Free of clocks: the caller passes
 * the time, in milliseconds of a clock that does not go back.
 *
 * Every address of a range is usable, the first and the last included: pods hold /32s and no link has the range as
 * its subnet, so there is neither a network nor a broadcast address.
 */
import { contains, type Range } from './ranges.ts';

class Block {
  readonly range: Range;
  readonly #bits: Uint32Array;
  taken = 0;

  constructor(range: Range) {
    this.range = range;
    this.#bits = new Uint32Array(Math.ceil(range.size / 32));
  }

  has(offset: number): boolean {
    return (this.#bits[offset >>> 5] & (1 << (offset & 31))) !== 0;
  }

  set(offset: number): void {
    this.#bits[offset >>> 5] |= 1 << (offset & 31);
    this.taken++;
  }

  clear(offset: number): void {
    this.#bits[offset >>> 5] &= ~(1 << (offset & 31));
    this.taken--;
  }

  /** The first free offset at or after `from`, or -1. */
  nextFree(from: number): number {
    let offset = from;
    while (offset < this.range.size) {
      if ((offset & 31) === 0 && this.#bits[offset >>> 5] === 0xffffffff) offset += 32;
      else if (this.has(offset)) offset++;
      else return offset;
    }
    return -1;
  }
}

/** How full a range is; `resting` addresses are not yet free again and not in `used`. */
export interface RangeUsage {
  cidr: string;
  size: number;
  used: number;
  resting: number;
}

export class Allocator {
  readonly #blocks: Block[];
  /** Released addresses and the time from which each may be handed out again. */
  readonly #resting = new Map<number, number>();
  /** Addresses that are never handed out. */
  readonly #reserved = new Set<number>();
  /** Where the next search starts. */
  #block = 0;
  #offset = 0;

  constructor(ranges: readonly Range[], reserved: Iterable<number> = []) {
    this.#blocks = ranges.map((range) => new Block(range));
    for (const address of reserved) if (this.claim(address)) this.#reserved.add(address);
  }

  #find(address: number): Block | undefined {
    return this.#blocks.find((block) => contains(block.range, address));
  }

  /** Whether the address is in one of the ranges. */
  covers(address: number): boolean {
    return this.#find(address) !== undefined;
  }

  /** Takes the next free address, or undefined where every one is taken or rests. */
  take(now: number): number | undefined {
    this.#wake(now);
    // The block of the cursor is looked at twice: from the cursor on, and at the end before it.
    for (let turn = 0; turn <= this.#blocks.length && this.#blocks.length > 0; turn++) {
      const block = this.#blocks[this.#block];
      const offset = block.nextFree(this.#offset);
      if (offset >= 0) {
        block.set(offset);
        this.#offset = offset + 1;
        return block.range.first + offset;
      }
      this.#block = (this.#block + 1) % this.#blocks.length;
      this.#offset = 0;
    }
    return undefined;
  }

  /** Takes this very address. False where it is taken, rests, or is in none of the ranges. */
  claim(address: number, now = Number.NEGATIVE_INFINITY): boolean {
    this.#wake(now);
    const block = this.#find(address);
    if (block === undefined || block.has(address - block.range.first)) return false;
    block.set(address - block.range.first);
    return true;
  }

  /** Puts the cursor behind this address, so that the search goes on where a former run left it. */
  continueAfter(address: number): void {
    const index = this.#blocks.findIndex((block) => contains(block.range, address));
    if (index < 0) return;
    this.#block = index;
    this.#offset = address + 1 - this.#blocks[index].range.first;
  }

  /** Gives an address back; it can be had again from `until` on. */
  rest(address: number, until: number): void {
    if (this.#find(address) !== undefined) this.#resting.set(address, until);
  }

  /** The addresses that rest, and until when. */
  resting(): Iterable<[number, number]> {
    return this.#resting;
  }

  /** Whether `take` would succeed. */
  hasFree(now: number): boolean {
    this.#wake(now);
    return this.#blocks.some((block) => block.taken < block.range.size);
  }

  usage(now: number): RangeUsage[] {
    this.#wake(now);
    return this.#blocks.map(({ range, taken }) => {
      let resting = 0;
      let reserved = 0;
      for (const address of this.#resting.keys()) if (contains(range, address)) resting++;
      for (const address of this.#reserved) if (contains(range, address)) reserved++;
      return { cidr: range.cidr, size: range.size, used: taken - resting - reserved, resting };
    });
  }

  /** Frees what has rested long enough. */
  #wake(now: number): void {
    for (const [address, until] of this.#resting) {
      // In the order of release, so the first that still rests ends the search.
      if (until > now) break;
      this.#resting.delete(address);
      const block = this.#find(address);
      block?.clear(address - block.range.first);
    }
  }
}
