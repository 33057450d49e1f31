import { type BgpError, bgpError, CeaseCode } from './error.ts';

/** Thrown inside a decoder and caught by `decodeMessage`: never leaves `wire/`. */
export class DecodeFailure extends Error {
  readonly error: BgpError;
  constructor(error: BgpError) {
    super(error.text);
    this.error = error;
  }
}

/**
 * A reader over a part of a buffer that cannot be moved past its own end: asking for more than is left throws the
 * error that was given for it. Sub-cursors narrow the bounds further, so a length field inside a message can never
 * reach beyond the field that holds it.
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

  get remaining(): number {
    return this.end - this.position;
  }

  private take(count: number): number {
    const at = this.position;
    if (count > this.end - at) throw new DecodeFailure(this.overrun());
    this.position = at + count;
    return at;
  }

  u8(): number {
    return this.bytes[this.take(1)];
  }

  u16(): number {
    const at = this.take(2);
    return (this.bytes[at] << 8) | this.bytes[at + 1];
  }

  u32(): number {
    return readU32(this.bytes, this.take(4));
  }

  /** A copy of the next `count` octets. */
  copy(count: number): Uint8Array {
    const at = this.take(count);
    return this.bytes.slice(at, at + count);
  }

  /** A cursor over the next `count` octets; this one continues behind them. */
  sub(count: number, overrun: () => BgpError = this.overrun): Cursor {
    const at = this.take(count);
    return new Cursor(this.bytes, at, at + count, overrun);
  }
}

/** The unsigned big-endian 32-bit number at `at`. The caller has checked the bounds. */
export function readU32(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
}

/** The unsigned big-endian 64-bit number at `at`. The caller has checked the bounds. */
export function readU64(bytes: Uint8Array, at: number): bigint {
  return (BigInt(readU32(bytes, at)) << 32n) | BigInt(readU32(bytes, at + 4));
}

export function readU16(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 8) | bytes[at + 1];
}

export function writeU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

export function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** An error for a cursor whose caller has already made sure that every read fits. */
export function impossible(): BgpError {
  return bgpError(CeaseCode.unspecific, 'internal: a read past the end of a checked field');
}

/** Octets as a key of maps and sets. */
export function octetsKey(bytes: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + length));
}

/** Octets up to which a loop is quicker than the view that `TypedArray.set` needs. */
const SHORT = 512;

/** Copies `from` from `start` to `end` to `to` at `at`; the two places must not overlap. Returns the offset behind it. */
export function copyOctets(from: Uint8Array, start: number, end: number, to: Uint8Array, at: number): number {
  const behind = at + end - start;
  if (end - start > SHORT) to.set(from.subarray(start, end), at);
  else for (let i = start, j = at; i < end; i++, j++) to[j] = from[i];
  return behind;
}
