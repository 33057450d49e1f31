import { type IPAddress, type IPPrefix, parseAddress, parsePrefix } from 'bgp-js/ip';

/** The address of a text in a test. */
export function ip(text: string): IPAddress {
  const address = parseAddress(text);
  if (address === null) throw new Error(`"${text}" in a test is not an address`);
  return address;
}

/** The prefix of a text in a test. */
export function net(text: string): IPPrefix {
  const parsed = parsePrefix(text);
  if (parsed === null) throw new Error(`"${text}" in a test is not a prefix`);
  return parsed;
}
