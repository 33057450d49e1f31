/** Reading and writing numbers and octets of messages, in network order. */
import type { BgpError } from './error.ts';

/** Thrown by decoders, and caught by `caught` (message.ts). */
export class DecodeFailure extends Error {
  readonly error: BgpError;
  constructor(error: BgpError) {
    super(error.text);
    this.error = error;
  }
}

/**
 * A reader of a part of a buffer. Reading past its end throws a DecodeFailure with the error given to the constructor.
 * Sub-cursors have narrower bounds, so a length inside a field never reaches past the field.
 */
export class Cursor {
  readonly bytes: Uint8Array;
  position: number;
  readonly end: number;
  private readonly overrun: () => BgpError;

  constructor(bytes: Uint8Array, start: number, end: number, overrun: () => BgpError) {
    this.bytes = bytes;
    this.position = start;
    this.end = Math.min(end, bytes.length);
    this.overrun = overrun;
  }

  /** Octets left. */
  get remaining(): number {
    return this.end - this.position;
  }

  /** Moves on by `count` octets; returns the position before. */
  private take(count: number): number {
    const at = this.position;
    if (count > this.end - at) throw new DecodeFailure(this.overrun());
    this.position = at + count;
    return at;
  }

  /** The next octet. */
  u8(): number {
    return this.bytes[this.take(1)];
  }

  /** The next two octets as an unsigned number. */
  u16(): number {
    const at = this.take(2);
    return (this.bytes[at] << 8) | this.bytes[at + 1];
  }

  /** The next four octets as an unsigned number. */
  u32(): number {
    return readU32(this.bytes, this.take(4));
  }

  /** A copy of the next `count` octets. */
  copy(count: number): Uint8Array {
    const at = this.take(count);
    return this.bytes.slice(at, at + count);
  }

  /** A cursor for the next `count` octets; this one continues after them. */
  sub(count: number, overrun: () => BgpError = this.overrun): Cursor {
    const at = this.take(count);
    return new Cursor(this.bytes, at, at + count, overrun);
  }
}

/** The unsigned 32-bit number at `at`. The caller has checked the bounds. */
export function readU32(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
}

/** The unsigned 64-bit number at `at`. The caller has checked the bounds. */
export function readU64(bytes: Uint8Array, at: number): bigint {
  return (BigInt(readU32(bytes, at)) << 32n) | BigInt(readU32(bytes, at + 4));
}

/** The unsigned 16-bit number at `at`. The caller has checked the bounds. */
export function readU16(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 8) | bytes[at + 1];
}

/** Writes an unsigned 16-bit number at `at`. */
export function writeU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

/** Writes an unsigned 32-bit number at `at`. */
export function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** Octets as a key of maps and sets. */
export function octetsKey(bytes: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + length));
}

/** Up to so many octets a loop is faster than `TypedArray.set`, which needs a view. */
const SHORT = 512;

/** Copies the octets of `from` between `start` and `end` into `to` at `at`, without overlap. Returns the end of the copy. */
export function copyOctets(from: Uint8Array, start: number, end: number, to: Uint8Array, at: number): number {
  const copyEnd = at + end - start;
  if (end - start > SHORT) to.set(from.subarray(start, end), at);
  else for (let i = start, j = at; i < end; i++, j++) to[j] = from[i];
  return copyEnd;
}
