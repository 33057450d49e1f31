/**
 * One type for the addresses of both families.
 *
 * An address is a value: it never changes, and its type differs from that of "no address", which is `IPAddress | null`.
 * A bare number cannot make this difference: 0 is 0.0.0.0, a legal address to listen on, and also the obvious "none".
 *
 * The bits are four unsigned 32-bit words, most significant first. An IPv4 address is the last word; the others are 0.
 * Comparing and masking is therefore integer arithmetic, without strings and without BigInt.
 *
 * Text is read by `parseAddress` (text.ts) at the edges, and written by `toString`.
 */

/** The version of the Internet Protocol an address or prefix belongs to. */
export type IPVersion = 4 | 6;

/** An IPv4 or IPv6 address, with the zone of a link-local one (RFC 4007 §11). */
export class IPAddress {
  readonly version: IPVersion;
  /** The address as four unsigned words of 32 bits, the most significant first; IPv4 uses `w3` alone. */
  readonly w0: number;
  readonly w1: number;
  readonly w2: number;
  readonly w3: number;
  /** The interface to which a link-local address belongs; empty for every other address. */
  readonly zone: string;

  private constructor(version: IPVersion, w0: number, w1: number, w2: number, w3: number, zone: string) {
    this.version = version;
    this.w0 = w0;
    this.w1 = w1;
    this.w2 = w2;
    this.w3 = w3;
    this.zone = zone;
  }

  /** The IPv4 address with this value, of which the lowest 32 bits count. */
  static v4(value: number): IPAddress {
    return new IPAddress(4, 0, 0, 0, value >>> 0, '');
  }

  /** The IPv6 address with these four words, the most significant first. A zone is kept for link-local addresses. */
  static v6(w0: number, w1: number, w2: number, w3: number, zone = ''): IPAddress {
    const kept = (w0 & 0xffc00000) >>> 0 === 0xfe800000 ? zone : '';
    return new IPAddress(6, w0 >>> 0, w1 >>> 0, w2 >>> 0, w3 >>> 0, kept);
  }

  /** Reads the 4 or 16 octets at `at`, in network order. The caller has checked the bounds. */
  static read(bytes: Uint8Array, at: number, version: IPVersion, zone = ''): IPAddress {
    if (version === 4) return IPAddress.v4(wordAt(bytes, at));
    return IPAddress.v6(
      wordAt(bytes, at),
      wordAt(bytes, at + 4),
      wordAt(bytes, at + 8),
      wordAt(bytes, at + 12),
      zone,
    );
  }

  /** 32 or 128. */
  get bits(): number {
    return this.version === 4 ? 32 : 128;
  }

  /** The IPv4 address as a number. Only for version 4. */
  get value(): number {
    return this.w3;
  }

  /** 0.0.0.0 or :: */
  get isUnspecified(): boolean {
    return (this.w0 | this.w1 | this.w2 | this.w3) === 0;
  }

  /** fe80::/10 (RFC 4291 §2.5.6) or 169.254.0.0/16 (RFC 3927). */
  get isLinkLocal(): boolean {
    return this.version === 6 ? (this.w0 & 0xffc00000) >>> 0 === 0xfe800000 : this.w3 >>> 16 === 0xa9fe;
  }

  /** An IPv4 address as a dual-stack socket shows it, ::ffff:a.b.c.d (RFC 4291 §2.5.5.2). */
  get isMapped(): boolean {
    return this.version === 6 && this.w0 === 0 && this.w1 === 0 && this.w2 === 0xffff;
  }

  /** The IPv4 address of a mapped one; any other address unchanged. */
  unmapped(): IPAddress {
    return this.isMapped ? IPAddress.v4(this.w3) : this;
  }

  /** The IPv6 form of an IPv4 address, ::ffff:a.b.c.d (RFC 4291 §2.5.5.2); an IPv6 address unchanged. */
  mapped(): IPAddress {
    return this.version === 4 ? IPAddress.v6(0, 0, 0xffff, this.w3) : this;
  }

  /** The same address in another zone, or in none. */
  inZone(zone: string): IPAddress {
    return this.version === 4 ? this : IPAddress.v6(this.w0, this.w1, this.w2, this.w3, zone);
  }

  /** The address `count` after this one; `count` is a whole number below 2^32. Wraps at the end of the address space. */
  plus(count: number): IPAddress {
    const sum = this.w3 + count;
    if (this.version === 4) return IPAddress.v4(sum % 0x1_0000_0000);
    let carry = sum > 0xffffffff ? 1 : 0;
    const next = (word: number) => {
      const value = word + carry;
      carry = value > 0xffffffff ? 1 : 0;
      return value;
    };
    const w2 = next(this.w2);
    const w1 = next(this.w1);
    return IPAddress.v6(next(this.w0), w1, w2, sum, this.zone);
  }

  /** The same version, bits and zone. */
  equals(other: IPAddress): boolean {
    return this.sameBits(other) && this.zone === other.zone;
  }

  /** Negative, 0 or positive: IPv4 before IPv6, then by value, then by zone. */
  compare(other: IPAddress): number {
    return (
      this.version - other.version ||
      this.w0 - other.w0 ||
      this.w1 - other.w1 ||
      this.w2 - other.w2 ||
      this.w3 - other.w3 ||
      (this.zone < other.zone ? -1 : this.zone > other.zone ? 1 : 0)
    );
  }

  /** The same version and bits, whatever the zones. */
  sameBits(other: IPAddress): boolean {
    return (
      this.w3 === other.w3 &&
      this.w2 === other.w2 &&
      this.w1 === other.w1 &&
      this.w0 === other.w0 &&
      this.version === other.version
    );
  }

  /** A key for maps and sets: a number for IPv4, the text for IPv6. Equal for equal addresses alone. */
  get key(): number | string {
    return this.version === 4 ? this.w3 : this.toString();
  }

  /** Writes the 4 or 16 octets at `at`, in network order; returns how many there are. */
  write(target: Uint8Array, at = 0): number {
    if (this.version === 4) {
      putWord(target, at, this.w3);
      return 4;
    }
    putWord(target, at, this.w0);
    putWord(target, at + 4, this.w1);
    putWord(target, at + 8, this.w2);
    putWord(target, at + 12, this.w3);
    return 16;
  }

  /** The octets in network order, 4 or 16. */
  toBytes(): Uint8Array {
    const bytes = new Uint8Array(this.version === 4 ? 4 : 16);
    this.write(bytes);
    return bytes;
  }

  /** Dotted decimal, or the canonical text of RFC 5952 with the zone after `%` (RFC 4007 §11.2). */
  toString(): string {
    if (this.version === 4) return formatIPv4(this.w3);
    const text = formatIPv6([this.w0, this.w1, this.w2, this.w3]);
    return this.zone === '' ? text : `${text}%${this.zone}`;
  }

  /** Addresses appear in JSON as their text. */
  toJSON(): string {
    return this.toString();
  }
}

/** An IPv4 address of 32 bits in dotted decimal. */
export function formatIPv4(value: number): string {
  return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;
}

/** The canonical text of an IPv6 address (RFC 5952 §4) given as four words. */
function formatIPv6(words: readonly number[]): string {
  const groups = words.flatMap((word) => [word >>> 16, word & 0xffff]);
  if (words[0] === 0 && words[1] === 0 && words[2] === 0xffff) return `::ffff:${formatIPv4(words[3])}`;
  const { start, length } = longestZeros(groups);
  const text = (from: number, to: number) =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':');
  return length < 2 ? text(0, 8) : `${text(0, start)}::${text(start + length, 8)}`;
}

/** The longest run of zero groups; of equal ones the first (RFC 5952 §4.2.3). */
function longestZeros(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (end < 8 && groups[end] === 0) end++;
    if (end - i > best.length) best = { start: i, length: end - i };
  }
  return best;
}

function wordAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
}

function putWord(target: Uint8Array, at: number, word: number): void {
  target[at] = word >>> 24;
  target[at + 1] = word >>> 16;
  target[at + 2] = word >>> 8;
  target[at + 3] = word;
}
