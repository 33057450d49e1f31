/** Addresses and prefixes of IPv4 and IPv6 as values, and their text. */
export { formatIPv4, IPAddress, type IPVersion } from './address.ts';
export { IPPrefix } from './prefix.ts';
export { type InterfaceAddress, parseAddress, parseInterfaceAddress, parsePrefix } from './text.ts';
