/**
 * An address family (RFC 4760). A unicast-like family is a file of its own with one descriptor, and a line in
 * families.ts: the RIB, the update groups and the codec work from the descriptor alone.
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
  /** Whether the prefix at `at` is not a unicast destination, so that nobody may advertise it. */
  isMartian(bytes: Uint8Array, at: number): boolean;
}
