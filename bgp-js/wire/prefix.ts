/**
 * Prefixes and addresses between text and wire form. In wire form a prefix is one octet of length in bits and as
 * many octets as that needs (RFC 4271 §4.3, NLRI).
 */

/** An IPv4 address as a number, or -1 when the text is not one (RFC 6943 §3.1.1: strict dotted decimal). */
export function parseIPv4(text: string): number {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (!match) return -1;
  let value = 0;
  for (let i = 1; i <= 4; i++) {
    const octet = Number(match[i]);
    if (octet > 255 || (match[i].length > 1 && match[i].startsWith('0'))) return -1;
    value = value * 256 + octet;
  }
  return value;
}

export function formatIPv4(value: number): string {
  return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;
}

/** The mask of a prefix length of 0–32 as an unsigned number. */
export function maskOf(length: number): number {
  return length === 0 ? 0 : (0xffffffff << (32 - length)) >>> 0;
}

/** An IPv4 prefix as numbers; host bits are masked. */
export interface IPv4Prefix {
  address: number;
  length: number;
}

/** Parses `a.b.c.d/len`; a plain address counts as a /32. Null when it is neither. */
export function parsePrefix(text: string): IPv4Prefix | null {
  const [address, length, rest] = text.split('/');
  const value = parseIPv4(address);
  const bits = length === undefined ? 32 : /^\d{1,2}$/.test(length) ? Number(length) : -1;
  if (value < 0 || bits < 0 || bits > 32 || rest !== undefined) return null;
  return { address: (value & maskOf(bits)) >>> 0, length: bits };
}

export function formatPrefix(prefix: IPv4Prefix): string {
  return `${formatIPv4(prefix.address)}/${prefix.length}`;
}

/** Octets of a prefix's NLRI, its length octet included. */
export function nlriLength(bits: number): number {
  return 1 + ((bits + 7) >> 3);
}

/** The NLRI of an IPv4 prefix. */
export function encodePrefix(prefix: IPv4Prefix): Uint8Array {
  const bytes = new Uint8Array(nlriLength(prefix.length));
  bytes[0] = prefix.length;
  for (let i = 1; i < bytes.length; i++) bytes[i] = prefix.address >>> (32 - 8 * i);
  return bytes;
}

/** The IPv4 prefix whose NLRI is at `at`, host bits masked; the caller has checked the bounds. */
export function decodePrefix(bytes: Uint8Array, at: number): IPv4Prefix {
  const length = bytes[at];
  let address = 0;
  for (let i = 0; i < 4; i++) {
    address = address * 256 + (8 * i < length ? bytes[at + 1 + i] : 0);
  }
  return { address: (address & maskOf(length)) >>> 0, length };
}

/** Whether `outer` covers `inner`: the same prefix or a part of it. */
export function covers(outer: IPv4Prefix, inner: IPv4Prefix): boolean {
  return inner.length >= outer.length && (inner.address & maskOf(outer.length)) >>> 0 === outer.address;
}

/** Octets of a path identifier before an NLRI (RFC 7911 §3). */
export const PATH_ID_LENGTH = 4;

/**
 * Whether every NLRI from `start` to `end` is sound: length within `bits` and nothing cut off. `lead` octets (a path
 * identifier) stand before each.
 */
export function isValidNlri(
  bytes: Uint8Array,
  start: number,
  end: number,
  bits: number,
  pathIdBytes = 0,
): boolean {
  let at = start;
  while (at < end) {
    at += pathIdBytes;
    if (at >= end) return false;
    const length = bytes[at];
    if (length > bits) return false;
    at += 1 + ((length + 7) >> 3);
  }
  return at === end;
}

/** Whether the prefix whose NLRI is at `outerAt` covers the one at `innerAt`: the same prefix or a part of it. */
export function nlriCovers(outer: Uint8Array, outerAt: number, inner: Uint8Array, innerAt: number): boolean {
  const length = outer[outerAt];
  if (inner[innerAt] < length) return false;
  const whole = length >> 3;
  for (let i = 1; i <= whole; i++) if (outer[outerAt + i] !== inner[innerAt + i]) return false;
  const rest = length & 7;
  if (rest === 0) return true;
  const mask = 0xff << (8 - rest);
  return (outer[outerAt + whole + 1] & mask) === (inner[innerAt + whole + 1] & mask);
}
