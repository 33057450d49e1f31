/** Communities as numbers and as text: standard, extended, IPv6-specific extended and large ones. */
import { formatIPv4, IPAddress, parseAddress } from '../ip/index.ts';
import { Community } from './attribute-types.ts';

/** A large community (RFC 8092 §3): the AS that defines it, and two numbers chosen by that AS. */
export type LargeCommunity = readonly [number, number, number];

const NAMES = new Map<number, string>([
  [Community.gracefulShutdown, 'graceful-shutdown'],
  [Community.llgrStale, 'llgr-stale'],
  [Community.noLlgr, 'no-llgr'],
  [Community.blackhole, 'blackhole'],
  [Community.noExport, 'no-export'],
  [Community.noAdvertise, 'no-advertise'],
  [Community.noExportSubconfed, 'no-export-subconfed'],
  [Community.noPeer, 'no-peer'],
]);
const VALUES = new Map([...NAMES].map(([value, name]) => [name, value]));

/** The text of a standard community: its well-known name, or `high:low`. */
export function formatCommunity(community: number): string {
  return NAMES.get(community) ?? `${community >>> 16}:${community & 0xffff}`;
}

/** The number of a standard community, from its well-known name or `high:low`; null for other text. */
export function parseCommunity(text: string): number | null {
  const known = VALUES.get(text.toLowerCase());
  if (known !== undefined) return known;
  const parts = numbers(text, [0xffff, 0xffff]);
  return parts && parts[0] * 0x10000 + parts[1];
}

/** The canonical text of a large community (RFC 8092 §4). */
export function formatLargeCommunity(community: LargeCommunity): string {
  return community.join(':');
}

/** A large community from the text `a:b:c`; null for other text. */
export function parseLargeCommunity(text: string): LargeCommunity | null {
  const parts = numbers(text, [0xffffffff, 0xffffffff, 0xffffffff]);
  return parts && [parts[0], parts[1], parts[2]];
}

/** As many decimal numbers between colons as there are limits, each at most its limit; null for other text. */
function numbers(text: string, limits: readonly number[]): number[] | null {
  const parts = text.split(':');
  if (parts.length !== limits.length) return null;
  const values = parts.map((part) => (/^(0|[1-9]\d{0,9})$/.test(part) ? Number(part) : -1));
  return values.every((value, i) => value >= 0 && value <= limits[i]) ? values : null;
}

/** Types of transitive extended communities, which tell how their six octets are divided (RFC 4360 §3, RFC 5668 §2). */
const ExtendedType = { as2: 0, ipv4: 1, as4: 2 } as const;
/** Subtypes that have a name: route target and route origin (RFC 4360 §4, 5). */
const SUBTYPES = new Map([
  [2, 'rt'],
  [3, 'soo'],
]);
const SUBTYPE_CODES = new Map([...SUBTYPES].map(([code, name]) => [name, code]));

/**
 * The text of an extended community: `rt:65000:100`, `soo:10.0.0.1:5`, `rt:65000L:100` for a small AS number in the
 * four-octet form, and `0x` with 16 hexadecimal digits for every other kind.
 */
export function formatExtendedCommunity(community: bigint): string {
  const type = Number(community >> 56n);
  const name = SUBTYPES.get(Number((community >> 48n) & 0xffn));
  if (!name || type > ExtendedType.as4) return `0x${community.toString(16).padStart(16, '0')}`;
  if (type === ExtendedType.as2) {
    return `${name}:${(community >> 32n) & 0xffffn}:${community & 0xffffffffn}`;
  }
  const global = Number((community >> 16n) & 0xffffffffn);
  const local = community & 0xffffn;
  if (type === ExtendedType.ipv4) return `${name}:${formatIPv4(global)}:${local}`;
  return `${name}:${global}${global > 0xffff ? '' : 'L'}:${local}`;
}

/** The number of an extended community, from a text of {@link formatExtendedCommunity}; null for other text. */
export function parseExtendedCommunity(text: string): bigint | null {
  if (/^0x[0-9a-f]{16}$/i.test(text)) return BigInt(text);
  const match = /^(rt|soo):([0-9.]+)(L?):(\d{1,10})$/.exec(text);
  if (!match) return null;
  const [, name, globalText, long, localText] = match;
  const subtype = BigInt(SUBTYPE_CODES.get(name) ?? 0) << 48n;
  const local = Number(localText);
  const dotted = globalText.includes('.');
  const global = dotted ? (parseAddress(globalText)?.value ?? -1) : Number(globalText);
  const wide = dotted || long !== '' || global > 0xffff;
  if (!(global >= 0 && global <= 0xffffffff) || local > (wide ? 0xffff : 0xffffffff)) return null;
  if (dotted && long !== '') return null;
  if (!wide) return subtype | (BigInt(global) << 32n) | BigInt(local);
  const type = BigInt(dotted ? ExtendedType.ipv4 : ExtendedType.as4) << 56n;
  return type | subtype | (BigInt(global) << 16n) | BigInt(local);
}

/** The 20 octets of an IPv6-specific extended community (RFC 5701 §2): `rt:[2001:db8::1]:100`, else hexadecimal. */
export function formatIPv6ExtendedCommunity(bytes: Uint8Array): string {
  const name = SUBTYPES.get(bytes[1]);
  if (!name || bytes[0] !== 0) return `0x${Buffer.from(bytes).toString('hex')}`;
  return `${name}:[${IPAddress.read(bytes, 2, 6)}]:${(bytes[18] << 8) | bytes[19]}`;
}

/** The octets of an IPv6-specific extended community, from a text of {@link formatIPv6ExtendedCommunity}, or null. */
export function parseIPv6ExtendedCommunity(text: string): Uint8Array | null {
  if (/^0x[0-9a-f]{40}$/i.test(text)) return Uint8Array.from(Buffer.from(text.slice(2), 'hex'));
  const match = /^(rt|soo):\[([0-9a-fA-F:.]+)\]:(\d{1,5})$/.exec(text);
  const address = match?.[2].includes(':') ? parseAddress(match[2])?.mapped() : null;
  const local = Number(match?.[3]);
  if (!match || !address || local > 0xffff) return null;
  return Uint8Array.of(0, SUBTYPE_CODES.get(match[1]) ?? 0, ...address.toBytes(), local >>> 8, local & 0xff);
}
