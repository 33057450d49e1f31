/**
 * Where a table finds its entries by value. Peers choose what is hashed here, prefixes and attributes, and whoever can
 * predict a hash can send a thousand values that all fall into one slot, after which every look-up passes all of them.
 * So the hash is keyed: by HalfSipHash-1-3, which Linux uses for the same purpose (hsiphash), with a key that the
 * speaker draws from its source of randomness.
 */
import { U32Column } from './column.ts';

/** The secret half of a hash: 64 bits. */
export interface HashKey {
  readonly low: number;
  readonly high: number;
}

/** Draws a key; `random` returns numbers in [0, 1). */
export function drawHashKey(random: () => number): HashKey {
  const word = (): number => Math.floor(random() * 2 ** 32) | 0;
  return { low: word(), high: word() };
}

/** Words that are hashed. */
let scratch = new Int32Array(64);
const FINAL_ROUNDS = 3;

/** The hash of the first `count` elements of `words`, as an unsigned number of 32 bits. */
export function hashWords({ low, high }: HashKey, words: Int32Array | Uint32Array, count: number): number {
  let v0 = low;
  let v1 = high;
  let v2 = low ^ 0x6c796765;
  let v3 = high ^ 0x74656462;
  for (let i = 0; i < count + FINAL_ROUNDS; i++) {
    const word = i < count ? words[i] | 0 : 0;
    if (i === count) v2 ^= 0xff;
    v3 ^= word;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= word;
  }
  return (v1 ^ v3) >>> 0;
}

/** The hash of the octets of `bytes` from `start` to `end`, and of a small number beside them. */
export function hashOctets(
  key: HashKey,
  bytes: Uint8Array,
  start: number,
  end: number,
  beside: number,
): number {
  const length = end - start;
  if (scratch.length < (length >> 2) + 2) scratch = new Int32Array((length >> 1) + 2);
  let count = 0;
  let at = start;
  for (; at + 4 <= end; at += 4) {
    scratch[count++] = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
  }
  let rest = 0;
  for (; at < end; at++) rest = (rest << 8) | bytes[at];
  scratch[count++] = rest;
  scratch[count++] = (length << 8) | beside;
  return hashWords(key, scratch, count);
}

/**
 * Ids by the hash of their values: open addressing with linear probing. The owner searches the slots itself, from
 * `slots[hash & mask]` to the first empty one, because only it can compare values.
 */
export class HashTable {
  /** Ids; 0: an empty slot. The length is a power of two, and at most half of the slots are taken. */
  slots: Uint32Array = new Uint32Array(64);
  mask = 63;
  /** By id: the hash with which it was added. */
  readonly hashes = new U32Column();
  private size = 0;

  /** Adds an id that is not in the table. */
  add(id: number, hash: number): void {
    this.hashes.ensure(id);
    this.hashes.values[id] = hash;
    if (++this.size * 2 > this.slots.length) this.grow();
    this.enter(id, hash);
  }

  /** Removes an id and closes the gap in the chain of probes, so that no tombstones are left. */
  remove(id: number): void {
    const { slots, mask } = this;
    const hashes = this.hashes.values;
    let gap = hashes[id] & mask;
    while (slots[gap] !== id) gap = (gap + 1) & mask;
    for (let slot = (gap + 1) & mask; slots[slot] !== 0; slot = (slot + 1) & mask) {
      const home = hashes[slots[slot]] & mask;
      if (((slot - home) & mask) < ((slot - gap) & mask)) continue;
      slots[gap] = slots[slot];
      gap = slot;
    }
    slots[gap] = 0;
    this.size--;
  }

  /** The most slots that a look-up of an id passes; a few dozen at most when the hash is good. */
  longestProbe(): number {
    const { slots, mask } = this;
    let longest = 0;
    for (let slot = 0; slot < slots.length; slot++) {
      const id = slots[slot];
      if (id !== 0) longest = Math.max(longest, ((slot - this.hashes.values[id]) & mask) + 1);
    }
    return longest;
  }

  private enter(id: number, hash: number): void {
    const { slots, mask } = this;
    let slot = hash & mask;
    while (slots[slot] !== 0) slot = (slot + 1) & mask;
    slots[slot] = id;
  }

  private grow(): void {
    const old = this.slots;
    this.slots = new Uint32Array(2 * old.length);
    this.mask = this.slots.length - 1;
    for (const id of old) if (id !== 0) this.enter(id, this.hashes.values[id]);
  }
}
