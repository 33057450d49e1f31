import { decodePrefix, encodePrefix, formatPrefix, parsePrefix } from '../prefix.ts';
import type { Family } from './family.ts';

export const IPV4_UNICAST: Family = {
  name: 'ipv4-unicast',
  afi: 1,
  safi: 1,
  bits: 32,
  usesUpdateFields: true,
  parse: (text) => {
    const prefix = parsePrefix(text);
    return prefix && encodePrefix(prefix);
  },
  format: (bytes, at) => formatPrefix(decodePrefix(bytes, at)),
  // RFC 1122 §3.2.1.3, RFC 3927, RFC 5771: "this" network, loopback, link-local, multicast and reserved.
  isMartian: (bytes, at) => {
    const length = bytes[at];
    if (length === 0) return false;
    const first = bytes[at + 1];
    if (first === 0 || first === 127 || first >= 224) return true;
    return first === 169 && length >= 16 && bytes[at + 2] === 254;
  },
};
