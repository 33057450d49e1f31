import { IPPrefix, parsePrefix } from '../../ip/index.ts';
import type { Family } from './family.ts';

/** IPv6 unicast routes (AFI 2, SAFI 1). */
export const IPV6_UNICAST: Family = {
  name: 'ipv6-unicast',
  afi: 2,
  safi: 1,
  bits: 128,
  usesUpdateFields: false,
  parse: (text) => {
    const prefix = parsePrefix(text);
    return prefix?.version === 6 ? prefix.toNlri() : null;
  },
  format: (bytes, at) => IPPrefix.readNlri(bytes, at, 6).toString(),
  // RFC 4291: unspecified, loopback and v4-mapped (::/16 holds them), link-local, multicast.
  isMartian: (bytes, at) => {
    const length = bytes[at];
    if (length === 0) return false;
    const first = bytes[at + 1];
    const second = length > 8 ? bytes[at + 2] : 0;
    if (first === 0xff || (first === 0 && second === 0 && length >= 8)) return true;
    return first === 0xfe && (second & 0xc0) === 0x80;
  },
};
