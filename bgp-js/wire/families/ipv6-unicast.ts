import { formatIPv6, parseIPv6 } from '../ipv6.ts';
import { nlriLength } from '../prefix.ts';
import type { Family } from './family.ts';

export const IPV6_UNICAST: Family = {
  name: 'ipv6-unicast',
  afi: 2,
  safi: 1,
  bits: 128,
  usesUpdateFields: false,
  parse: (text) => {
    const [address, length, rest] = text.split('/');
    const bytes = parseIPv6(address);
    const bits = length === undefined ? 128 : /^\d{1,3}$/.test(length) ? Number(length) : -1;
    if (!bytes || bits < 0 || bits > 128 || rest !== undefined) return null;
    const nlri = new Uint8Array(nlriLength(bits));
    nlri[0] = bits;
    nlri.set(bytes.subarray(0, nlri.length - 1), 1);
    if (bits % 8 !== 0) nlri[nlri.length - 1] &= 0xff << (8 - (bits % 8));
    return nlri;
  },
  format: (bytes, at) => {
    const length = bytes[at];
    const address = new Uint8Array(16);
    address.set(bytes.subarray(at + 1, at + nlriLength(length)));
    return `${formatIPv6(address)}/${length}`;
  },
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
