/**
 * Pages of the RIB in the order of prefixes.
 *
 * The RIB keeps prefixes in a hash table. Sorting a million of them for a page of fifty takes most of a second, in which
 * no route would be processed. So `routePage` is a radix selection in pieces:
 *
 *     tally       counts the prefixes by the first 16 bits of their addresses; the counts also give the total
 *     select      finds the buckets that overlap the page (`divided`), and orders the prefixes of each
 *     inOrder     sorts a small bucket, or divides a large one by the next 16 bits
 *
 * It is a generator that yields after every piece of well under a millisecond. Routes may change between the pieces; a
 * page shows each route as it is when its piece runs.
 */

import type { IPPrefix } from '../ip/index.ts';
import type { FamilyRib } from '../rib/family-rib.ts';
import { U8Column } from '../rib/store/column.ts';
import { type AttrsId, NO_PATH, NO_PREFIX, type PrefixId, type SourceId } from '../rib/store/ids.ts';
import type { PrefixTable } from '../rib/store/prefix-table.ts';
import type { Speaker } from '../speaker/speaker.ts';
import { formatAsPath } from '../wire/as-path.ts';
import { PrefixSearch } from './prefix-search.ts';
import { type RouteInfo, routeInfo } from './route-view.ts';

/** A page of routes, and the number of routes of all pages. */
export interface RouteList {
  routes: RouteInfo[];
  total: number;
}

/** Whether a list includes a prefix of a RIB. */
export type RouteFilter = (rib: FamilyRib, prefix: PrefixId) => boolean;

/** Prefixes in one piece of work: a filter may take a microsecond or two for each. */
const PIECE = 256;
/** The most prefixes that are sorted in one piece; more are divided by the next 16 bits of their addresses. */
const SORTED_AT_ONCE = 512;
const BUCKETS = 65536;
/** Whether a set of attributes contains the text that is searched for; 0: not decided yet. */
const NO_MATCH = 1;
const MATCH = 2;

/** `limit` routes from number `offset` on, by family and in ascending order of prefixes. */
export function listRoutes(speaker: Speaker, offset: number, limit: number, accept?: RouteFilter): RouteList {
  const pieces = routePage(speaker, offset, limit, accept);
  for (;;) {
    const { done, value } = pieces.next();
    if (done) return value;
  }
}

/** Like `listRoutes`, but yields after every piece of work. */
export function* routePage(
  speaker: Speaker,
  offset: number,
  limit: number,
  accept?: RouteFilter,
): Generator<void, RouteList> {
  const routes: RouteInfo[] = [];
  let total = 0;
  for (const rib of speaker.routing.ribs.values()) {
    const ids = idsOf(rib, accept);
    const counts = yield* tally(rib.prefixes, ids, 0);
    const from = Math.max(0, offset - total);
    const to = from + limit - routes.length;
    const page = yield* select(rib.prefixes, { ids, counts, depth: 0, from, to });
    for (const [index, id] of page.entries()) {
      // The route may have been withdrawn since the selection.
      if (rib.headOf(id) !== NO_PATH) routes.push(routeInfo(speaker, rib, id));
      if (index % 16 === 15) yield;
    }
    for (const count of counts) total += count;
  }
  return { routes, total };
}

/**
 * A list of prefix ids. Those of a RIB are read in place: a copy of a million is 4 MB, and garbage of this size makes the
 * engine collect its heap for 10 to 20 ms.
 */
interface Ids {
  readonly length: number;
  /** NO_PREFIX for an unused id. */
  at(index: number): PrefixId;
  has(id: PrefixId): boolean;
  /** Entries in one piece of work. */
  readonly piece: number;
}

/** The prefixes of a RIB that have paths and pass the filter. */
function idsOf(rib: FamilyRib, accept?: RouteFilter): Ids {
  return {
    length: rib.prefixes.end,
    at: (index) => (rib.prefixes.has(index as PrefixId) ? (index as PrefixId) : NO_PREFIX),
    has: (id) => rib.headOf(id) !== NO_PATH && (!accept || accept(rib, id)),
    piece: accept ? PIECE : 16 * PIECE,
  };
}

const listed = (ids: readonly PrefixId[]): Ids => ({
  length: ids.length,
  at: (index) => ids[index],
  has: () => true,
  piece: 16 * PIECE,
});

/**
 * The ids at the places `from` to before `to` in the order of their prefixes. All ids have the same first `depth` pieces of
 * 16 bits in their addresses.
 */
function* inOrder(
  prefixes: PrefixTable,
  ids: readonly PrefixId[],
  depth: number,
  from: number,
  to: number,
): Generator<void, PrefixId[]> {
  if (from >= Math.min(to, ids.length)) return [];
  if (ids.length <= SORTED_AT_ONCE || depth === prefixes.addressPieces) {
    yield;
    return [...ids].sort((a, b) => prefixes.compare(a, b)).slice(from, to);
  }
  const counts = yield* tally(prefixes, listed(ids), depth);
  return yield* select(prefixes, { ids: listed(ids), counts, depth, from, to });
}

/** The places `from` to before `to` of ids in order; `counts`: how many ids there are by the next 16 bits. */
interface Selection {
  ids: Ids;
  counts: Uint32Array;
  depth: number;
  from: number;
  to: number;
}

/** The ids of a selection, in order. */
function* select(prefixes: PrefixTable, selection: Selection): Generator<void, PrefixId[]> {
  const { depth, from, to } = selection;
  const page: PrefixId[] = [];
  for (const { start, members } of yield* divided(prefixes, selection)) {
    page.push(...(yield* inOrder(prefixes, members, depth + 1, Math.max(0, from - start), to - start)));
  }
  return page;
}

/** Counts ids by the piece number `depth` of 16 bits of their addresses. */
function* tally(prefixes: PrefixTable, ids: Ids, depth: number): Generator<void, Uint32Array> {
  const counts = new Uint32Array(BUCKETS);
  for (let i = 0; i < ids.length; i++) {
    if (i % ids.piece === 0) yield;
    const id = ids.at(i);
    if (id !== NO_PREFIX && ids.has(id)) counts[prefixes.addressPiece(id, depth)]++;
  }
  return counts;
}

/** Ids with the same 16 bits; `start`: how many come before them. */
interface Bucket {
  start: number;
  members: PrefixId[];
}

/** The buckets that overlap a selection, in order. */
function* divided(prefixes: PrefixTable, selection: Selection): Generator<void, Bucket[]> {
  const { ids, counts, depth, from, to } = selection;
  const wanted = new Map<number, Bucket>();
  let start = 0;
  for (let value = 0; value < BUCKETS && start < to; start += counts[value++]) {
    if (counts[value] > 0 && start + counts[value] > from) wanted.set(value, { start, members: [] });
  }
  for (let i = 0; wanted.size > 0 && i < ids.length; i++) {
    if (i % ids.piece === 0) yield;
    const id = ids.at(i);
    const bucket = id === NO_PREFIX ? undefined : wanted.get(prefixes.addressPiece(id, depth));
    if (bucket && ids.has(id)) bucket.members.push(id);
  }
  return [...wanted.values()];
}

/** Accepts the prefix itself and every more specific one. */
export function routesWithin(prefix: IPPrefix): RouteFilter {
  const { address, length } = prefix;
  const bytes = address.toBytes();
  // The pieces of 16 bits that the prefix covers, with a mask of the bits that count.
  const pieces = Array.from({ length: Math.ceil(length / 16) }, (_, index) => ({
    value: (bytes[2 * index] << 8) | bytes[2 * index + 1],
    mask: (0xffff << Math.max(0, 16 * (index + 1) - length)) & 0xffff,
  }));
  return ({ family, prefixes }, id) =>
    family.bits === address.bits &&
    prefixes.lengthOf(id) >= length &&
    pieces.every(({ value, mask }, index) => ((prefixes.addressPiece(id, index) ^ value) & mask) === 0);
}

/** Accepts routes with the text in the prefix, or in a path's next hop, AS path or peer name; case does not matter. */
export function routesMentioning(speaker: Speaker, text: string): RouteFilter {
  const wanted = text.toLowerCase();
  const holds = (part: string): boolean => part.toLowerCase().includes(wanted);
  const prefixes = new PrefixSearch(wanted);
  const { attributes } = speaker.routing;
  // Many routes share a set of attributes, and decoding one costs more than a look at a prefix.
  const known = new U8Column();
  const attrsHold = (attrs: AttrsId): boolean => {
    known.ensure(attrs);
    if (known.values[attrs] === 0) {
      const { nextHop = '', asPath } = attributes.decode(attrs);
      known.values[attrs] = holds(nextHop) || holds(formatAsPath(asPath)) ? MATCH : NO_MATCH;
    }
    return known.values[attrs] === MATCH;
  };
  const peers = new Map<SourceId, boolean>();
  const peerHolds = (rib: FamilyRib, source: SourceId): boolean => {
    let known = peers.get(source);
    if (known === undefined) {
      known = holds(rib.sources.get(source).name);
      peers.set(source, known);
    }
    return known;
  };
  return (rib, prefix) => {
    for (let path = rib.headOf(prefix); path !== NO_PATH; path = rib.nextOf(path)) {
      if (peerHolds(rib, rib.sourceOf(path)) || attrsHold(rib.attrsOf(path))) return true;
    }
    return prefixes.matches(rib, prefix);
  };
}
