/** One type for the prefixes of both families. Text is read by `parsePrefix` (text.ts) and written by `toString`. */
import { IPAddress, type IPVersion } from './address.ts';

/** A prefix: an address whose host bits are 0, and a length. Never changes; equal prefixes have equal keys. */
export class IPPrefix {
  /** The first address of the prefix. */
  readonly address: IPAddress;
  /** The length in bits: 0 to 32, or 0 to 128. */
  readonly length: number;

  private constructor(address: IPAddress, length: number) {
    this.address = address;
    this.length = length;
  }

  /** The prefix of `length` bits that holds the address; host bits and the zone are cleared. */
  static of(address: IPAddress, length: number): IPPrefix {
    if (address.version === 4) return new IPPrefix(IPAddress.v4(address.w3 & maskOf(length)), length);
    const first = IPAddress.v6(
      address.w0 & wordMask(length, 0),
      address.w1 & wordMask(length, 1),
      address.w2 & wordMask(length, 2),
      address.w3 & wordMask(length, 3),
    );
    return new IPPrefix(first, length);
  }

  /** The prefix of an address alone: a /32 or a /128. */
  static host(address: IPAddress): IPPrefix {
    return IPPrefix.of(address, address.bits);
  }

  /** Reads the NLRI at `at`: the length in bits, then as many octets as it needs (RFC 4271 §4.3). Bounds are checked. */
  static readNlri(bytes: Uint8Array, at: number, version: IPVersion): IPPrefix {
    const length = bytes[at];
    const octets = new Uint8Array(version === 4 ? 4 : 16);
    octets.set(bytes.subarray(at + 1, at + 1 + ((length + 7) >> 3)));
    return IPPrefix.of(IPAddress.read(octets, 0, version), length);
  }

  /** The NLRI of the prefix (RFC 4271 §4.3). */
  toNlri(): Uint8Array {
    const nlri = new Uint8Array(1 + ((this.length + 7) >> 3));
    nlri[0] = this.length;
    nlri.set(this.address.toBytes().subarray(0, nlri.length - 1), 1);
    return nlri;
  }

  /** 4 or 6. */
  get version(): IPVersion {
    return this.address.version;
  }

  /** A /32 or a /128. */
  get isHost(): boolean {
    return this.length === this.address.bits;
  }

  /** How many addresses the prefix holds; a power of two, exact up to 2^128. */
  get size(): number {
    return 2 ** (this.address.bits - this.length);
  }

  /** The last address of the prefix. */
  get last(): IPAddress {
    const { address, length } = this;
    if (address.version === 4) return IPAddress.v4(address.w3 | ~maskOf(length));
    return IPAddress.v6(
      address.w0 | ~wordMask(length, 0),
      address.w1 | ~wordMask(length, 1),
      address.w2 | ~wordMask(length, 2),
      address.w3 | ~wordMask(length, 3),
    );
  }

  /** Whether the address lies in the prefix; its zone does not matter. */
  contains(address: IPAddress): boolean {
    const { address: first, length } = this;
    if (address.version !== first.version) return false;
    if (first.version === 4) return ((address.w3 ^ first.w3) & maskOf(length)) === 0;
    return (
      ((address.w0 ^ first.w0) & wordMask(length, 0)) === 0 &&
      ((address.w1 ^ first.w1) & wordMask(length, 1)) === 0 &&
      ((address.w2 ^ first.w2) & wordMask(length, 2)) === 0 &&
      ((address.w3 ^ first.w3) & wordMask(length, 3)) === 0
    );
  }

  /** Whether `other` is this prefix or a more specific one within it. */
  covers(other: IPPrefix): boolean {
    return other.length >= this.length && this.contains(other.address);
  }

  /** Whether the two have an address in common. */
  overlaps(other: IPPrefix): boolean {
    return this.covers(other) || other.covers(this);
  }

  /** The same version, address and length. */
  equals(other: IPPrefix): boolean {
    return this.length === other.length && this.address.sameBits(other.address);
  }

  /** Negative, 0 or positive: IPv4 before IPv6, then by address, the shorter prefix first. */
  compare(other: IPPrefix): number {
    return this.address.compare(other.address) || this.length - other.length;
  }

  /** A key for maps and sets: a number for IPv4, the text for IPv6. Equal for equal prefixes alone. */
  get key(): number | string {
    return this.version === 4 ? this.address.w3 * 64 + this.length : this.toString();
  }

  /** `ADDRESS/LENGTH`, the address in its canonical text. */
  toString(): string {
    return `${this.address}/${this.length}`;
  }

  /** Prefixes appear in JSON as their text. */
  toJSON(): string {
    return this.toString();
  }
}

/** The mask of an IPv4 prefix of 0 to 32 bits, as an unsigned number. */
function maskOf(length: number): number {
  // A shift by 32 is a shift by 0 in JavaScript.
  return length === 0 ? 0 : (0xffffffff << (32 - length)) >>> 0;
}

/** The mask of word 0 to 3 of an IPv6 prefix. */
function wordMask(length: number, word: number): number {
  return maskOf(Math.min(32, Math.max(0, length - 32 * word)));
}
