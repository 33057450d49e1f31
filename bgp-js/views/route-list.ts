/**
 * Pages of the RIB in the order of prefixes. A page of a table of any size is found without sorting all of it, and as
 * work that can be done bit by bit: between the pieces routes may come and go, and the page shows them as it finds them.
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

/** A page of routes, and how many there are in all. */
export interface RouteList {
  routes: RouteInfo[];
  total: number;
}

/** Whether a prefix of a RIB belongs into a list. */
export type RouteFilter = (rib: FamilyRib, prefix: PrefixId) => boolean;

/** Prefixes that are looked at in one piece of work; a filter may take a microsecond or two for each. */
const PIECE = 256;
/** So many prefixes are sorted in one piece; more are first divided by the next 16 bits of their addresses. */
const SORTED_AT_ONCE = 512;
const BUCKETS = 65536;
/** Whether a set of attributes has a text that is searched for. */
const [UNLIKE, LIKE] = [1, 2];

/** A page of the RIB, family by family in ascending order of prefixes; all at once. */
export function listRoutes(speaker: Speaker, offset: number, limit: number, accept?: RouteFilter): RouteList {
  const pieces = routePage(speaker, offset, limit, accept);
  for (;;) {
    const { done, value } = pieces.next();
    if (done) return value;
  }
}

/** The same, a piece of work of well under a millisecond at each step. */
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
      // It may have gone meanwhile.
      if (rib.headOf(id) !== NO_PATH) routes.push(routeInfo(speaker, rib, id));
      if (index % 16 === 15) yield;
    }
    for (const count of counts) total += count;
  }
  return { routes, total };
}

/**
 * Prefixes to be counted and divided. Those of a RIB are not copied for that: 4 MB for a million would have the engine
 * collect its heap, which takes 10 to 20 ms.
 */
interface Ids {
  readonly length: number;
  /** NO_PREFIX where there is none. */
  at(index: number): PrefixId;
  has(id: PrefixId): boolean;
  /** Entries that are looked at in one piece of work. */
  readonly piece: number;
}

/** The prefixes that have paths and are accepted. */
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
 * Those that come in the places `from` to before `to` when the ids are in the order of their prefixes. The ids agree in
 * the first `depth` pieces of 16 bits of their addresses.
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

/** Which of some ids are wanted: the places in their order, and how many there are for each value of the next 16 bits. */
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

/** How many ids there are for each value of 16 bits of their addresses. */
function* tally(prefixes: PrefixTable, ids: Ids, depth: number): Generator<void, Uint32Array> {
  const counts = new Uint32Array(BUCKETS);
  for (let i = 0; i < ids.length; i++) {
    if (i % ids.piece === 0) yield;
    const id = ids.at(i);
    if (id !== NO_PREFIX && ids.has(id)) counts[prefixes.addressPiece(id, depth)]++;
  }
  return counts;
}

/** Ids with the same 16 bits, and how many come before them. */
interface Bucket {
  start: number;
  members: PrefixId[];
}

/** The buckets, in order, that have a part in a selection. */
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
  // The pieces of 16 bits that the length reaches, and the bits of each that count.
  const pieces = Array.from({ length: Math.ceil(length / 16) }, (_, index) => ({
    value: (bytes[2 * index] << 8) | bytes[2 * index + 1],
    mask: (0xffff << Math.max(0, 16 * (index + 1) - length)) & 0xffff,
  }));
  return ({ family, prefixes }, id) =>
    family.bits === address.bits &&
    prefixes.lengthOf(id) >= length &&
    pieces.every(({ value, mask }, index) => ((prefixes.addressPiece(id, index) ^ value) & mask) === 0);
}

/** Accepts what has the text, in any case, in its prefix, or in the next hop, AS path or peer's name of a path. */
export function routesMentioning(speaker: Speaker, text: string): RouteFilter {
  const wanted = text.toLowerCase();
  const holds = (part: string): boolean => part.toLowerCase().includes(wanted);
  const prefixes = new PrefixSearch(wanted);
  const { attributes } = speaker.routing;
  // Many routes share a set, and decoding one costs more than looking at a prefix. By set: 0, or UNLIKE or LIKE.
  const known = new U8Column();
  const attrsHold = (attrs: AttrsId): boolean => {
    known.ensure(attrs);
    if (known.values[attrs] === 0) {
      const { nextHop = '', asPath } = attributes.decode(attrs);
      known.values[attrs] = holds(nextHop) || holds(formatAsPath(asPath)) ? LIKE : UNLIKE;
    }
    return known.values[attrs] === LIKE;
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
