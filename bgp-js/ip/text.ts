/**
 * Addresses and prefixes from text, by the package `ip-address`. This is the only place that reads them: configuration,
 * command line, HTTP and the library's own functions that take text all come here. Every function returns null for text
 * that is not what it reads, so that the caller can say where the text stood.
 */
import { Address4, Address6 } from 'ip-address';
import { IPAddress } from './address.ts';
import { IPPrefix } from './prefix.ts';

/** An interface name: at most 15 octets (IFNAMSIZ less the closing zero), without the characters the kernel refuses. */
const ZONE = /^[^\s/%:]{1,15}$/;
/** The longest text that can be an address with a zone and a length. Anything longer is refused unread. */
const MAXIMUM_TEXT = 64;

/** An address and the length of its prefix, with the host bits, as `ip address` shows interfaces. */
export interface InterfaceAddress {
  address: IPAddress;
  length: number;
}

/** An address, or its text: what the public functions of the library take. */
export type AddressInput = IPAddress | string;

/** A prefix, or its text. */
export type PrefixInput = IPPrefix | string;

/** The address that a caller gave in the option `option`. Throws RangeError when its text is not an address. */
export function addressFrom(input: AddressInput, option: string): IPAddress {
  const address = typeof input === 'string' ? parseAddress(input) : input;
  if (address) return address;
  throw new RangeError(
    `${option}: "${input}" is not an IP address; write one such as 10.0.0.1 or 2001:db8::1`,
  );
}

/** The prefix that a caller gave in the option `option`. Throws RangeError when its text is not ADDRESS/LENGTH. */
export function prefixFrom(input: PrefixInput, option: string): IPPrefix {
  const prefix = typeof input === 'string' ? (input.includes('/') ? parsePrefix(input) : null) : input;
  if (prefix) return prefix;
  throw new RangeError(
    `${option}: "${input}" is not a prefix; write one such as 10.0.0.0/16 or 2001:db8::/64`,
  );
}

/**
 * Reads an address of either family in any form of RFC 4291 §2.2 or strict dotted decimal (RFC 6943 §3.1.1). A mapped
 * address (::ffff:a.b.c.d) is read as its IPv4 address. A zone is kept for link-local addresses and dropped for others.
 */
export function parseAddress(text: string): IPAddress | null {
  if (text.includes('/')) return null;
  return parse(text)?.address ?? null;
}

/** Reads `ADDRESS/LENGTH` and keeps the host bits; null also without a length. */
export function parseInterfaceAddress(text: string): InterfaceAddress | null {
  return text.includes('/') ? parse(text) : null;
}

/** Reads `ADDRESS/LENGTH`, or an address alone as a /32 or /128. Host bits are cleared; a zone is refused. */
export function parsePrefix(text: string): IPPrefix | null {
  const parsed = parse(text);
  return parsed && parsed.address.zone === '' && !text.includes('%')
    ? IPPrefix.of(parsed.address, parsed.length)
    : null;
}

function parse(text: string): InterfaceAddress | null {
  if (text.length > MAXIMUM_TEXT) return null;
  try {
    return text.includes(':') ? parseIPv6(text) : parseIPv4(text);
  } catch {
    // The package reports text that is not an address by throwing.
    return null;
  }
}

function parseIPv4(text: string): InterfaceAddress {
  const { parsedAddress, subnetMask } = new Address4(text);
  const [a, b, c, d] = parsedAddress.map(Number);
  return { address: IPAddress.v4((a << 24) | (b << 16) | (c << 8) | d), length: subnetMask };
}

function parseIPv6(text: string): InterfaceAddress | null {
  const { parsedAddress, subnetMask, zone: suffix } = new Address6(text);
  const zone = suffix.slice(1);
  if (suffix !== '' && !ZONE.test(zone)) return null;
  const groups = parsedAddress.map((group) => Number.parseInt(group, 16));
  const word = (i: number) => ((groups[2 * i] << 16) | groups[2 * i + 1]) >>> 0;
  const address = IPAddress.v6(word(0), word(1), word(2), word(3), zone);
  if (!address.isMapped) return { address, length: subnetMask };
  return subnetMask < 96 ? null : { address: address.unmapped(), length: subnetMask - 96 };
}
