/** Addresses and prefixes of IPv4 and IPv6 as values, and their text. */
export { formatIPv4, IPAddress, type IPVersion } from './address.ts';
export { IPPrefix } from './prefix.ts';
export {
  type AddressInput,
  addressFrom,
  type InterfaceAddress,
  type PrefixInput,
  parseAddress,
  parseInterfaceAddress,
  parsePrefix,
  prefixFrom,
} from './text.ts';
