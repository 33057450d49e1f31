/**
 * Communities in the notation of wire/communities.ts, in which `*` matches any number: any part of a standard or large
 * community (`65001:*`, `65001:*:*`), and the last part of an extended one (`rt:65001:*`).
 */
import { AttributeType } from '../../wire/attribute-types.ts';
import {
  parseCommunity,
  parseExtendedCommunity,
  parseIPv6ExtendedCommunity,
  parseLargeCommunity,
} from '../../wire/communities.ts';

/** Matches a community, or all those that are equal under the mask. */
export interface CommunityPattern {
  text: string;
  /** Type code of the attribute that contains communities of this kind. */
  attribute: number;
  value: Uint8Array;
  mask: Uint8Array;
}

const { communities, extendedCommunities, ipv6ExtendedCommunities, largeCommunities } = AttributeType;

/** Octets of one community, by the type code of its attribute. */
export const COMMUNITY_SIZES: ReadonlyMap<number, number> = new Map([
  [communities, 4],
  [extendedCommunities, 8],
  [ipv6ExtendedCommunities, 20],
  [largeCommunities, 12],
]);

/** Whether the text is a community rather than the name of a list. */
export function looksLikeCommunity(text: string): boolean {
  return text.includes(':') || text.startsWith('0x') || parseCommunity(text) !== null;
}

/** Parses a community or a pattern. Throws SyntaxError that says what is wrong. */
export function parseCommunityPattern(text: string): CommunityPattern {
  const found = exact(text.replaceAll('*', '0'));
  const parts = text.split(':');
  if (!found || parts.some((part) => part.includes('*') && part !== '*')) {
    const forms = '65001:100, 65001:1:2, rt:65001:100 or a well-known name; * matches any number';
    throw new SyntaxError(`"${text}" is not a community; write ${forms}`);
  }
  const mask = new Uint8Array(found.value.length).fill(0xff);
  const named = /^(rt|soo)$/.test(parts[0]);
  parts.forEach((part, index) => {
    if (part !== '*') return;
    if (named && index < parts.length - 1) {
      throw new SyntaxError(`"${text}": only the last number of an extended community may be *`);
    }
    const octets = widthOfPart(found.attribute, found.value);
    const from = named ? mask.length - octets : index * octets;
    mask.fill(0, from, from + octets);
  });
  return { text, ...found, mask };
}

function widthOfPart(attribute: number, value: Uint8Array): number {
  if (attribute === largeCommunities) return 4;
  // Type 0: a two-octet AS number leaves four octets (RFC 4360 §3.1).
  return attribute === extendedCommunities && value[0] === 0 ? 4 : 2;
}

function exact(text: string): { attribute: number; value: Uint8Array } | null {
  const standard = parseCommunity(text);
  if (standard !== null) return { attribute: communities, value: words([standard]) };
  const large = parseLargeCommunity(text);
  if (large) return { attribute: largeCommunities, value: words(large) };
  const extended = parseExtendedCommunity(text);
  if (extended !== null) {
    const value = words([Number(extended >> 32n), Number(extended & 0xffffffffn)]);
    return { attribute: extendedCommunities, value };
  }
  const ipv6 = parseIPv6ExtendedCommunity(text);
  return ipv6 && { attribute: ipv6ExtendedCommunities, value: ipv6 };
}

function words(numbers: readonly number[]): Uint8Array {
  return Uint8Array.from(numbers.flatMap((n) => [n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255]));
}

/** Whether the pattern matches the community whose value is at `at`. */
export function communityMatches({ value, mask }: CommunityPattern, bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < value.length; i++) if ((bytes[at + i] & mask[i]) !== value[i]) return false;
  return true;
}

/** Whether the pattern matches a single community, which can be added to a route. */
export function isExact({ mask }: CommunityPattern): boolean {
  return mask.every((octet) => octet === 0xff);
}
