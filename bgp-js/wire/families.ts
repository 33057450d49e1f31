/**
 * Address families (RFC 4760). A unicast-like family is one descriptor; the RIB, the update groups and the codec
 * work from it alone.
 */
export interface Family {
  /** For people and configuration, e.g. `ipv4-unicast`. */
  name: string;
  afi: number;
  safi: number;
  /** Bits of an address: the longest prefix. */
  bits: number;
  /** Octets of a next hop. */
  nextHopLength: number;
  /** Whether routes travel in the UPDATE's own fields (RFC 4271) instead of MP_REACH_NLRI. */
  classic: boolean;
}

export const IPV4_UNICAST: Family = {
  name: 'ipv4-unicast',
  afi: 1,
  safi: 1,
  bits: 32,
  nextHopLength: 4,
  classic: true,
};

export const FAMILIES: readonly Family[] = [IPV4_UNICAST];

/** The family of these numbers, or undefined when this library does not know it. */
export function familyOf(afi: number, safi: number): Family | undefined {
  return FAMILIES.find((family) => family.afi === afi && family.safi === safi);
}
