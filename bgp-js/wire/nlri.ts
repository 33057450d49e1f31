/**
 * Prefixes in wire form: one octet of length in bits, then as many octets of the address as that needs (RFC 4271 §4.3).
 * Routes keep this form on their way through the RIB; `IPPrefix` (bgp-js/ip) is for everything else.
 */

/** Octets of the NLRI of a prefix of `bits` bits, its length octet included. */
export function nlriLength(bits: number): number {
  return 1 + ((bits + 7) >> 3);
}

/** Octets of a path identifier before an NLRI (RFC 7911 §3). */
export const PATH_ID_LENGTH = 4;

/**
 * Whether every NLRI from `start` to `end` is valid: a length of at most `bits`, and no octet missing. `pathIdBytes` octets
 * of a path identifier precede each one.
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

/** Whether the prefix at `outerAt` covers the one at `innerAt`: it is the same or less specific. */
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
