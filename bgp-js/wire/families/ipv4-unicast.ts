import { IPPrefix, parsePrefix } from '../../ip/index.ts';
import type { Family } from './family.ts';

/** IPv4 unicast routes (AFI 1, SAFI 1). */
export const IPV4_UNICAST: Family = {
  name: 'ipv4-unicast',
  afi: 1,
  safi: 1,
  bits: 32,
  usesUpdateFields: true,
  parse: (text) => {
    const prefix = parsePrefix(text);
    return prefix?.version === 4 ? prefix.toNlri() : null;
  },
  format: (bytes, at) => IPPrefix.readNlri(bytes, at, 4).toString(),
  // RFC 1122 §3.2.1.3, RFC 3927, RFC 5771: "this" network, loopback, link-local, multicast and reserved.
  isMartian: (bytes, at) => {
    const length = bytes[at];
    if (length === 0) return false;
    const first = bytes[at + 1];
    if (first === 0 || first === 127 || first >= 224) return true;
    return first === 169 && length >= 16 && bytes[at + 2] === 254;
  },
};
