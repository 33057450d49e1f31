/**
 * Which addresses of the node's pod ranges are free, as a bitmap with one bit an address.
 *
 * Addresses are allocated by next fit: the search continues behind the last address, so a released address rests until
 * the search has gone once round the ranges. In a small range that is not long, so released addresses also go through a
 * quarantine. The allocator reads no clock: the caller passes the time in milliseconds of a monotonic clock.
 *
 * Every address of a range is usable, also the first and the last: pods hold /32 addresses and no link has the range
 * as its subnet, so there is no network address and no broadcast address.
 *
 * A bitmap suits IPv4, where a /8 takes 2 MiB. IPv6 ranges need another structure and are refused until it exists.
 */
import { IPAddress, type IPPrefix } from 'bgp-js/ip';

/** A shorter prefix is a mistake in the configuration; the limit also bounds the bitmap. */
const PREFIX_LENGTH_MIN = 8;

/** How full a range is. `used` and `resting` do not overlap; reserved addresses are in neither. */
export interface RangeUsage {
  range: IPPrefix;
  size: number;
  used: number;
  resting: number;
}

/** Checks a node's ranges. Throws an Error if a range is IPv6 or larger than a /8, or if two overlap. */
function checkRanges(ranges: readonly IPPrefix[]): void {
  for (const range of ranges) {
    if (range.version === 6)
      throw new Error(`podCIDRs: ${range} is an IPv6 range; pods only get IPv4 addresses so far, remove it`);
    if (range.length < PREFIX_LENGTH_MIN)
      throw new Error(
        `podCIDRs: ${range} is too large for one node; the largest range is a /${PREFIX_LENGTH_MIN}`,
      );
  }
  // Two prefixes overlap only if one covers the other, so the sorted order makes overlapping ones neighbours.
  const sorted = ranges.toSorted((a, b) => a.compare(b));
  for (let i = 1; i < sorted.length; i++) {
    if (sorted[i - 1].overlaps(sorted[i]))
      throw new Error(`podCIDRs: ${sorted[i - 1]} and ${sorted[i]} overlap; make the ranges disjoint`);
  }
}

/** The bitmap of one range. */
class Block {
  readonly range: IPPrefix;
  readonly #bits: Uint32Array;
  taken = 0;

  constructor(range: IPPrefix) {
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

  offsetOf(address: IPAddress): number {
    return address.value - this.range.address.value;
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

/** The free addresses of a set of disjoint IPv4 ranges. */
export class Allocator {
  readonly #blocks: Block[];
  /** When each released address is free again, by the value of the address, the earliest first. */
  #resting = new Map<number, number>();
  /** The latest of these times. */
  #lastRest = Number.NEGATIVE_INFINITY;
  /** Values of the addresses that are never allocated. */
  readonly #reserved = new Set<number>();
  /** Where the next search starts. */
  #block = 0;
  #offset = 0;

  /** Throws an Error if the ranges are not usable, see `checkRanges`. Reserved addresses are never allocated. */
  constructor(ranges: readonly IPPrefix[], reserved: Iterable<IPAddress> = []) {
    checkRanges(ranges);
    this.#blocks = ranges.map((range) => new Block(range));
    for (const address of reserved) if (this.claim(address)) this.#reserved.add(address.value);
  }

  #find(address: IPAddress): Block | undefined {
    return this.#blocks.find((block) => block.range.contains(address));
  }

  /** Whether the address lies in one of the ranges. */
  covers(address: IPAddress): boolean {
    return this.#find(address) !== undefined;
  }

  /** Takes the next free address; undefined if all are taken or resting. */
  take(now: number): IPAddress | undefined {
    this.#endRests(now);
    // The block in which the search starts is searched twice: from the cursor on, and last from its beginning.
    for (let turn = 0; turn <= this.#blocks.length && this.#blocks.length > 0; turn++) {
      const block = this.#blocks[this.#block];
      const offset = block.nextFree(this.#offset);
      if (offset >= 0) {
        block.set(offset);
        this.#offset = offset + 1;
        return block.range.address.plus(offset);
      }
      this.#block = (this.#block + 1) % this.#blocks.length;
      this.#offset = 0;
    }
    return undefined;
  }

  /** Takes the given address. Returns false if it is taken or resting or lies in none of the ranges. */
  claim(address: IPAddress, now = Number.NEGATIVE_INFINITY): boolean {
    this.#endRests(now);
    const block = this.#find(address);
    if (block === undefined || block.has(block.offsetOf(address))) return false;
    block.set(block.offsetOf(address));
    return true;
  }

  /** Continues the search behind this address, as after a restart. */
  continueAfter(address: IPAddress): void {
    const index = this.#blocks.findIndex((block) => block.range.contains(address));
    if (index < 0) return;
    this.#block = index;
    this.#offset = this.#blocks[index].offsetOf(address) + 1;
  }

  /** Starts the quarantine of a taken address, which is free again from `until` on. */
  quarantine(address: IPAddress, until: number): void {
    if (this.#find(address) === undefined) return;
    this.#resting.set(address.value, until);
    // Out of order only while rests of a longer quarantine run, from before a reload.
    if (until < this.#lastRest) this.#resting = new Map([...this.#resting].sort((a, b) => a[1] - b[1]));
    else this.#lastRest = until;
  }

  /** The resting addresses, each with the time at which it is free again. */
  *resting(): Generator<[IPAddress, number]> {
    for (const [value, until] of this.#resting) yield [IPAddress.v4(value), until];
  }

  /** How many addresses `take` would still find, and how many the ranges hold. */
  capacity(now: number): { free: number; size: number } {
    this.#endRests(now);
    let free = 0;
    let size = 0;
    for (const { range, taken } of this.#blocks) {
      free += range.size - taken;
      size += range.size;
    }
    return { free, size };
  }

  /** How full each range is. */
  usage(now: number): RangeUsage[] {
    this.#endRests(now);
    return this.#blocks.map(({ range, taken }) => {
      let resting = 0;
      let reserved = 0;
      for (const value of this.#resting.keys()) if (range.contains(IPAddress.v4(value))) resting++;
      for (const value of this.#reserved) if (range.contains(IPAddress.v4(value))) reserved++;
      return { range, size: range.size, used: taken - resting - reserved, resting };
    });
  }

  /** Frees the addresses whose rest is over. */
  #endRests(now: number): void {
    for (const [value, until] of this.#resting) {
      // The earliest first, so the first one that still rests ends the loop.
      if (until > now) break;
      this.#resting.delete(value);
      const address = IPAddress.v4(value);
      const block = this.#find(address);
      block?.clear(block.offsetOf(address));
    }
  }
}
