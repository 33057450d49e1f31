/** The address families of this library (RFC 4760). */
import { IPPrefix, type IPVersion, parsePrefix } from '../ip/index.ts';

/**
 * An address family. The RIB, the update groups and the codec work from this descriptor alone, so a further unicast
 * family is one more descriptor in FAMILIES.
 */
export interface Family {
  /** The name in configuration and views, such as `ipv4-unicast`. */
  name: string;
  afi: number;
  safi: number;
  /** Bits of an address, a multiple of 32: the longest prefix. */
  bits: number;
  /** Routes may travel in the UPDATE's own fields (RFC 4271) instead of MP_REACH_NLRI. */
  usesUpdateFields: boolean;
  /** The NLRI of a prefix in text form, host bits masked; null for text that is not a prefix of this family. */
  parse(text: string): Uint8Array | null;
  /** The text form of the NLRI at `at`, whose bounds were checked. */
  format(bytes: Uint8Array, at: number): string;
  /** Whether the prefix at `at` is not a unicast destination, which no peer may advertise. */
  isMartian(bytes: Uint8Array, at: number): boolean;
}

/** Text and NLRI of the prefixes of one version of IP. */
const codecOf = (version: IPVersion): Pick<Family, 'parse' | 'format'> => ({
  parse: (text) => {
    const prefix = parsePrefix(text);
    return prefix?.version === version ? prefix.toNlri() : null;
  },
  format: (bytes, at) => IPPrefix.readNlri(bytes, at, version).toString(),
});

/** IPv4 unicast routes (AFI 1, SAFI 1). */
export const IPV4_UNICAST: Family = {
  name: 'ipv4-unicast',
  afi: 1,
  safi: 1,
  bits: 32,
  usesUpdateFields: true,
  ...codecOf(4),
  // RFC 1122 §3.2.1.3, RFC 3927, RFC 5771: "this" network, loopback, link-local, multicast and reserved.
  isMartian: (bytes, at) => {
    const length = bytes[at];
    if (length === 0) return false;
    const first = bytes[at + 1];
    if (first === 0 || first === 127 || first >= 224) return true;
    return first === 169 && length >= 16 && bytes[at + 2] === 254;
  },
};

/** IPv6 unicast routes (AFI 2, SAFI 1). */
export const IPV6_UNICAST: Family = {
  name: 'ipv6-unicast',
  afi: 2,
  safi: 1,
  bits: 128,
  usesUpdateFields: false,
  ...codecOf(6),
  // RFC 4291: unspecified, loopback and IPv4-mapped (all in ::/16), link-local, multicast.
  isMartian: (bytes, at) => {
    const length = bytes[at];
    if (length === 0) return false;
    const first = bytes[at + 1];
    const second = length > 8 ? bytes[at + 2] : 0;
    if (first === 0xff || (first === 0 && second === 0 && length >= 8)) return true;
    return first === 0xfe && (second & 0xc0) === 0x80;
  },
};

/** All families. */
export const FAMILIES: readonly Family[] = [IPV4_UNICAST, IPV6_UNICAST];

/** The family with these numbers; undefined: this library does not know it. */
export function familyOf(afi: number, safi: number): Family | undefined {
  return FAMILIES.find((family) => family.afi === afi && family.safi === safi);
}

/** The family with this name, such as `ipv6-unicast`. */
export function familyNamed(name: string): Family | undefined {
  return FAMILIES.find((family) => family.name === name);
}

/** The family and the NLRI of a prefix in text form; null for text that is not a prefix. */
export function parseRoute(text: string): { family: Family; nlri: Uint8Array } | null {
  for (const family of FAMILIES) {
    const nlri = family.parse(text);
    if (nlri) return { family, nlri };
  }
  return null;
}
