/** What a speaker takes from a peer: limits that hold unless somebody asks otherwise. */
import type { IPAddress } from '../ip/index.ts';
import { countInPath } from '../wire/as-path.ts';
import { AttributeType, SetFlag } from '../wire/attribute-types.ts';
import { readU32 } from '../wire/cursor.ts';
import type { Family } from '../wire/families.ts';
import { nlriCovers } from '../wire/nlri.ts';
import type { Role } from '../wire/role.ts';
import { type FamilyRib, NO_PATH } from './family-rib.ts';
import type { Source } from './source.ts';
import type { AttributeTable } from './store/attribute-table.ts';
import { PathState } from './store/path-state.ts';
import { NO_PREFIX } from './store/prefix-table.ts';

export interface ImportRules {
  /** Accept a default route. */
  acceptDefault: boolean;
  /** For eBGP: the AS with which every AS_PATH has to begin (RFC 4271 §6.3); 0: any. */
  firstAs: number;
  /** How often our own AS may stand in AS_PATH; never, when not given. */
  allowAsIn?: number;
  /** The AS that we show this peer instead of our own (RFC 7705): it may stand in AS_PATH as often as that one. */
  localAs?: number;
  /** We have put `localAs` in front of the path ourselves. */
  localAsInFront?: boolean;
  /** Any length, when not given. */
  maximumAsPathLength?: number;
  /** What we are to the peer (RFC 9234). */
  role?: Role;
  /** The peer's AS, of which alone a `peer` may say OTC. */
  peerAs?: number;
  /** So many prefixes are taken in and no more; any number, when not given. */
  dropAbove?: number;
  /** The number of the import policy; none, when not given. */
  policy?: number;
  /** Refuse routes with the community BLACKHOLE (RFC 7999 §3.3). */
  refuseBlackhole?: boolean;
}

/** What is never accepted from anybody: this speaker's own addresses and the ranges that only it may announce. */
export interface OwnNumbers {
  as: number;
  /** Our addresses; null: none is known. */
  address: IPAddress | null;
  address6: IPAddress | null;
  /** NLRI of ranges by family. */
  ranges: ReadonlyMap<Family, readonly Uint8Array[]>;
}

/** Judges the attributes of a route: PathState.usable, or why it is not. */
export function validateAttributes(
  table: AttributeTable,
  attrs: number,
  rules: ImportRules,
  own: OwnNumbers,
): number {
  const flags = table.flags.values[attrs];
  if (isLoop(table, attrs, rules, own.as)) return PathState.asLoop;
  if ((flags & SetFlag.reflectionLoop) !== 0) return PathState.reflectionLoop;
  if (hasOwnNextHop(table, attrs, own)) return PathState.ownNextHop;
  if (rules.firstAs !== 0 && table.firstAs.values[attrs] !== rules.firstAs) return PathState.foreignFirstAs;
  if (table.asPathLength.values[attrs] > (rules.maximumAsPathLength ?? Number.POSITIVE_INFINITY)) {
    return PathState.longAsPath;
  }
  if ((flags & SetFlag.onlyToCustomer) !== 0 && isLeak(table, attrs, rules)) return PathState.routeLeak;
  if ((flags & SetFlag.blackhole) !== 0 && rules.refuseBlackhole) return PathState.unwantedBlackhole;
  return PathState.usable;
}

/** RFC 4271 §6.3: whether the next hop is one of our own addresses. An IPv4 next hop is compared as a number. */
function hasOwnNextHop(table: AttributeTable, attrs: number, { address, address6 }: OwnNumbers): boolean {
  if ((table.flags.values[attrs] & SetFlag.ipv4NextHop) !== 0) {
    return address !== null && table.nextHop.values[attrs] === address.value;
  }
  return address6 !== null && (table.nextHopOf(attrs)?.sameBits(address6) ?? false);
}

/** Whether one of our AS numbers stands in AS_PATH more often than it may (RFC 4271 §9.1.2, RFC 7705 §3). */
function isLoop(table: AttributeTable, attrs: number, rules: ImportRules, as: number): boolean {
  const { allowAsIn = 0, localAs = 0, localAsInFront = false } = rules;
  const holdsOurs = (table.flags.values[attrs] & SetFlag.asLoop) !== 0;
  if (holdsOurs && (allowAsIn === 0 || countOf(table, attrs, as) > allowAsIn)) return true;
  return localAs !== 0 && countOf(table, attrs, localAs) - (localAsInFront ? 1 : 0) > allowAsIn;
}

function countOf(table: AttributeTable, attrs: number, as: number): number {
  const path = table.valueOf(attrs, AttributeType.asPath);
  return path ? countInPath(table.chunkOf(attrs), path.start, path.end, as) : 0;
}

/** RFC 9234 §5: what is only for customers came from one, or through a peer that did not say it itself. */
function isLeak(table: AttributeTable, attrs: number, rules: ImportRules): boolean {
  if (rules.role === 'provider' || rules.role === 'rs-server') return true;
  if (rules.role !== 'peer') return false;
  const otc = table.valueOf(attrs, AttributeType.onlyToCustomer);
  return otc !== null && readU32(table.chunkOf(attrs), otc.start) !== rules.peerAs;
}

/** Judges the prefix whose NLRI is at `at`. */
export function validatePrefix(
  family: Family,
  bytes: Uint8Array,
  at: number,
  rules: ImportRules,
  own: OwnNumbers,
): number {
  if (bytes[at] === 0) return rules.acceptDefault ? PathState.usable : PathState.defaultRoute;
  if (family.isMartian(bytes, at)) return PathState.martian;
  const ranges = own.ranges.get(family);
  if (!ranges) return PathState.usable;
  return ranges.some((range) => nlriCovers(range, 0, bytes, at)) ? PathState.ownRange : PathState.usable;
}

/** Whether a route of a peer that has as many as it may is one too many: it replaces none of the peer's own. */
export function isTooMany(
  rib: FamilyRib,
  source: Source,
  { dropAbove = Number.POSITIVE_INFINITY }: ImportRules,
  bytes: Uint8Array,
  at: number,
  pathId: number,
): boolean {
  if (source.received < dropAbove) return false;
  const prefix = rib.prefixes.find(bytes, at);
  return prefix === NO_PREFIX || rib.table.find(rib.headOf(prefix), source.index, pathId) === NO_PATH;
}
