/** The paths of one address family, as columns: a path is a number. How long it stays a path's own: ids.ts. */
import type { AttributeTable } from './attribute-table.ts';
import { U8Column, U16Column, U32Column } from './column.ts';
import { type AttrsId, NO_ATTRS, NO_PATH, type PathId, type PrefixId, type SourceId } from './ids.ts';

/** Whether a path of Adj-RIB-In takes part in the decision process, and if not, why. */
export const PathState = {
  usable: 0,
  asLoop: 1,
  reflectionLoop: 2,
  ownNextHop: 3,
  ownRange: 4,
  defaultRoute: 5,
  martian: 6,
  foreignFirstAs: 7,
  longAsPath: 8,
  routeLeak: 9,
  unwantedBlackhole: 10,
  refusedByPolicy: 11,
  noPolicy: 12,
} as const;

const STATE_TEXTS: readonly string[] = [
  'usable',
  'AS_PATH holds our own AS: a loop',
  'ORIGINATOR_ID or CLUSTER_LIST holds our own identifier: a reflection loop',
  'its next hop is our own address',
  'refused: within a range of our own',
  'refused: a default route, and acceptDefault is not set for this peer',
  'refused: not a unicast destination (loopback, link-local, multicast or reserved)',
  "the first AS of AS_PATH is not the peer's",
  'AS_PATH is longer than maximumAsPathLength',
  'a route leak: OTC says that it was only for customers (RFC 9234)',
  'refused: it has the community blackhole, and acceptBlackhole is not set for this peer',
  'refused by the import policy',
  'refused: the eBGP peer has no import policy (RFC 8212)',
];

/** Why a path is unusable, as a text. */
export function stateText(state: number): string {
  return STATE_TEXTS[state & STATE_MASK] ?? `state ${state}`;
}

/** The lower bits of a path's state are one of PathState; this one marks members of a multipath set. */
const MULTIPATH = 0x80;
/** Equal to the generation of the path's source unless the path is stale: not yet confirmed after a restart. */
const GENERATION = 0x40;
const STATE_MASK = 0x3f;

/** What a source said of a prefix, and what import made of it. */
export interface Route {
  source: SourceId;
  /** The attributes that the path has. */
  attrs: AttrsId;
  /** The attributes as they were received: others than `attrs` where an import policy changed them. */
  received: AttrsId;
  /** One of PathState. */
  state: number;
  /** The peer's path identifier (RFC 7911); 0 without ADD-PATH. */
  addPathId: number;
}

/** Visits a path and the prefix that it leads to. */
export type PathVisit = (path: PathId, prefix: PrefixId) => void;

/** All paths of one address family. */
export class PathTable {
  /** How many paths exist. */
  size = 0;
  /** One more than the largest path number ever given out. */
  end = 1;
  /** The set of attributes; NO_ATTRS for a number that is not in use. */
  readonly attrs = new U32Column<AttrsId>();
  readonly sources = new U16Column<SourceId>();
  readonly prefixes = new U32Column<PrefixId>();
  /** The next path to the same prefix. */
  readonly nexts = new U32Column<PathId>();
  private readonly states = new U8Column();
  /** The peers' path identifiers (RFC 7911); empty until one is used. */
  private readonly addPathIds = new U32Column();
  /** The attributes as they were received, where an import policy changed them; empty until one does. */
  private readonly received = new U32Column<AttrsId>();
  /** By source: the generation bit of its paths that are not stale. */
  private readonly generations = new U8Column();
  /** By source: how many generations there were. */
  private readonly epochs = new U32Column();
  private freeList: PathId = NO_PATH;

  /** Makes a path that is in no list yet. `route.received` is left to `keepReceived`. */
  add(prefix: PrefixId, { source, attrs, state, addPathId }: Route): PathId {
    const path = this.allocate();
    this.attrs.values[path] = attrs;
    this.sources.values[path] = source;
    this.prefixes.values[path] = prefix;
    this.nexts.values[path] = NO_PATH;
    if (addPathId !== 0 || this.addPathIds.values.length > 0) {
      this.addPathIds.ensure(path);
      this.addPathIds.values[path] = addPathId;
    }
    this.setState(path, state);
    this.size++;
    return path;
  }

  /** Frees the number of a path that is in no list any more. */
  free(path: PathId): void {
    this.attrs.values[path] = NO_ATTRS;
    this.nexts.values[path] = this.freeList;
    this.freeList = path;
    this.size--;
  }

  /** The path of a source with this path identifier in the list that begins with `head`, or NO_PATH. */
  find(head: PathId, source: SourceId, addPathId: number): PathId {
    let path = head;
    while (
      path !== NO_PATH &&
      (this.sources.values[path] !== source || this.addPathIdOf(path) !== addPathId)
    ) {
      path = this.nexts.values[path];
    }
    return path;
  }

  /** The set of attributes as it was received. */
  receivedOf(path: PathId): AttrsId {
    return this.changedFrom(path) || this.attrs.values[path];
  }

  /** Notes the set with which the path was received, which may be the one that it has. */
  keepReceived(path: PathId, received: AttrsId, attributes: AttributeTable): void {
    const old = this.changedFrom(path);
    const kept = received === this.attrs.values[path] ? NO_ATTRS : received;
    if (old === kept) return;
    this.received.ensure(path);
    if (kept !== NO_ATTRS) attributes.retain(kept);
    this.received.values[path] = kept;
    if (old !== NO_ATTRS) attributes.release(old);
  }

  private changedFrom(path: PathId): AttrsId {
    return path < this.received.values.length ? this.received.values[path] : NO_ATTRS;
  }

  /** The peer's path identifier (RFC 7911); 0 without ADD-PATH. */
  addPathIdOf(path: PathId): number {
    return path < this.addPathIds.values.length ? this.addPathIds.values[path] : 0;
  }

  /** One of PathState. */
  stateOf(path: PathId): number {
    return this.states.values[path] & STATE_MASK;
  }

  /** Whether the path takes part in the decision process. */
  isUsable(path: PathId): boolean {
    return this.stateOf(path) === PathState.usable;
  }

  /** Sets the state of a path that its source has just announced or confirmed. */
  setState(path: PathId, state: number): void {
    this.states.values[path] = state | this.generationOf(this.sources.values[path]);
  }

  /** Whether the path's source has not confirmed it since its last restart or refresh. */
  isStale(path: PathId): boolean {
    return (this.states.values[path] & GENERATION) !== this.generationOf(this.sources.values[path]);
  }

  /** The source has announced the path again. */
  confirm(path: PathId): void {
    this.states.values[path] =
      (this.states.values[path] & ~GENERATION) | this.generationOf(this.sources.values[path]);
  }

  /** Makes one path stale. */
  makeStale(path: PathId): void {
    this.confirm(path);
    this.states.values[path] ^= GENERATION;
  }

  /** Makes all paths of a source stale; none of them may be stale before. */
  newGeneration(source: SourceId): void {
    this.generations.ensure(source);
    this.generations.values[source] ^= GENERATION;
    this.epochs.ensure(source);
    this.epochs.values[source]++;
  }

  /** Another number after every new generation of a source's paths. */
  epochOf(source: SourceId): number {
    return source < this.epochs.values.length ? this.epochs.values[source] : 0;
  }

  /** Whether the path is in its prefix's multipath set. */
  isMultipath(path: PathId): boolean {
    return (this.states.values[path] & MULTIPATH) !== 0;
  }

  /** Adds a path to its prefix's multipath set. */
  markMultipath(path: PathId): void {
    this.states.values[path] |= MULTIPATH;
  }

  /** Removes a path from its prefix's multipath set. */
  clearMultipath(path: PathId): void {
    this.states.values[path] &= ~MULTIPATH;
  }

  /** Visits the paths among `budget` numbers from `from` on. Returns where to go on, or 0 at the end. */
  each(from: number, budget: number, visit: PathVisit): number {
    const first = Math.max(from, 1);
    const stop = Math.min(this.end, first + budget);
    for (let path = first as PathId; path < stop; path++) {
      if (this.attrs.values[path] !== NO_ATTRS) visit(path, this.prefixes.values[path]);
    }
    return stop < this.end ? stop : 0;
  }

  private generationOf(source: SourceId): number {
    return source < this.generations.values.length ? this.generations.values[source] : 0;
  }

  private allocate(): PathId {
    if (this.freeList !== NO_PATH) {
      const path = this.freeList;
      this.freeList = this.nexts.values[path];
      return path;
    }
    const path = this.end++ as PathId;
    if (path >= this.attrs.values.length) {
      for (const column of [this.attrs, this.sources, this.prefixes, this.nexts, this.states])
        column.ensure(path);
    }
    return path;
  }
}
