/**
 * IPv4 and IPv6 addresses between text and octets. Text has one form for every address: dotted decimal, or RFC 5952
 * with the zone of a link-local address after `%` (RFC 4007 §11.2).
 */
import { formatIPv6, parseIPv6 } from './ipv6.ts';
import { formatIPv4, parseIPv4 } from './prefix.ts';

/** An address: 4 or 16 octets, and the zone (an interface) of a link-local one, else empty. */
export interface IPAddress {
  bytes: Uint8Array;
  zone: string;
}

/** A range of addresses: its first address without zone, and the length of its prefix in bits. */
export interface AddressRange {
  bytes: Uint8Array;
  length: number;
}

/** The longest name of an interface (IFNAMSIZ less the closing zero), which the kernel also forbids `/` and spaces. */
const ZONE = /^[^\s/%:]{1,15}$/;

const isMapped = (bytes: Uint8Array): boolean =>
  bytes.length === 16 && bytes.subarray(0, 10).every((octet) => octet === 0) && bytes[10] + bytes[11] === 510;

/** fe80::/10 (RFC 4291 §2.5.6). */
export function isLinkLocal({ bytes }: IPAddress): boolean {
  return bytes.length === 16 && bytes[0] === 0xfe && (bytes[1] & 0xc0) === 0x80;
}

/**
 * Reads an address of either family; null when the text is not one. An IPv4 address that a dual-stack socket shows as
 * `::ffff:a.b.c.d` is taken as IPv4. A zone is kept where it means something, with link-local addresses.
 */
export function parseAddress(text: string): IPAddress | null {
  const [address, zone = '', rest] = text.split('%');
  if (rest !== undefined || (text.includes('%') && !ZONE.test(zone))) return null;
  const ipv4 = parseIPv4(address);
  if (ipv4 >= 0) return zone === '' ? { bytes: ipv4Bytes(ipv4), zone } : null;
  const bytes = parseIPv6(address);
  if (!bytes) return null;
  if (isMapped(bytes)) return { bytes: bytes.slice(12), zone: '' };
  const found = { bytes, zone: '' };
  return isLinkLocal(found) ? { bytes, zone } : found;
}

function ipv4Bytes(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

/** The one text of an address. */
export function formatAddress({ bytes, zone }: IPAddress): string {
  const text = bytes.length === 4 ? formatIPv4(wordAt(bytes, 0)) : formatIPv6(bytes);
  return zone === '' ? text : `${text}%${zone}`;
}

function wordAt(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(at);
}

/** The one text of an address given in any form; null when it is none. */
export function canonicalAddress(text: string): string | null {
  const address = parseAddress(text);
  return address && formatAddress(address);
}

/** A number by which addresses of both families can be ordered: IPv4 before IPv6, each by value. */
export function addressOrder(text: string): bigint {
  const address = parseAddress(text);
  if (!address) return 0n;
  const hex = Buffer.from(address.bytes).toString('hex');
  return BigInt(`0x${hex}`) + (address.bytes.length === 16 ? 1n << 32n : 0n);
}

/** Reads `ADDRESS/LENGTH` of either family; host bits are cleared. Null when it is none. */
export function parseRange(text: string): AddressRange | null {
  const [address, length, rest] = text.split('/');
  const parsed = parseAddress(address);
  if (parsed?.zone !== '' || rest !== undefined || !/^\d{1,3}$/.test(length ?? '')) return null;
  const bits = Number(length);
  return bits > 8 * parsed.bytes.length ? null : { bytes: masked(parsed.bytes, bits), length: bits };
}

/** Whether the range holds the address, whatever its zone. */
export function inRange(range: AddressRange, { bytes }: IPAddress): boolean {
  if (bytes.length !== range.bytes.length) return false;
  return masked(bytes, range.length).every((octet, i) => octet === range.bytes[i]);
}

function masked(bytes: Uint8Array, length: number): Uint8Array {
  return bytes.map((octet, i) => {
    const bits = Math.min(8, Math.max(0, length - 8 * i));
    return octet & (0xff00 >> bits);
  });
}
