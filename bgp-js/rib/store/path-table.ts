import type { AttributeTable } from './attribute-table.ts';
import { U8Column, U16Column, U32Column } from './column.ts';
import { GENERATION, MULTIPATH, PathState, STATE_MASK } from './path-state.ts';

/** Number 0 is never given out: it ends a list. */
export const NO_PATH = 0;

/** Told of a path and the prefix that it leads to. */
export type PathVisit = (path: number, prefix: number) => void;

/** The columns of all paths of one address family; a path is a number. */
export class PathTable {
  /** How many paths there are. */
  size = 0;
  /** One more than the largest path number ever given out. */
  end = 1;
  /** The set of attributes; 0 for a number that is not in use. */
  readonly attrs = new U32Column();
  readonly sources = new U16Column();
  readonly prefixes = new U32Column();
  /** The next path to the same prefix. */
  readonly nexts = new U32Column();
  private readonly states = new U8Column();
  /** Identifiers given by the peer (RFC 7911); there only once somebody uses ADD-PATH. */
  private readonly pathIds = new U32Column();
  /** The attributes as they were received, where an import policy changed them; there only once one did. */
  private readonly received = new U32Column();
  /** By source: the generation bit of its paths that are not stale. */
  private readonly generations = new U8Column();
  /** By source: how many generations there were. */
  private readonly epochs = new U32Column();
  private freeList = NO_PATH;

  /** Makes a path, not yet in any list. */
  add(prefix: number, source: number, attrs: number, state: number, pathId: number): number {
    const path = this.allocate();
    this.attrs.values[path] = attrs;
    this.sources.values[path] = source;
    this.prefixes.values[path] = prefix;
    this.nexts.values[path] = NO_PATH;
    if (pathId !== 0 || this.pathIds.values.length > 0) {
      this.pathIds.ensure(path);
      this.pathIds.values[path] = pathId;
    }
    this.setState(path, state);
    this.size++;
    return path;
  }

  /** Gives a number back; the path is in no list any more. */
  free(path: number): void {
    this.attrs.values[path] = 0;
    this.nexts.values[path] = this.freeList;
    this.freeList = path;
    this.size--;
  }

  /** The path of a source with this identifier in the list that begins with `head`, or NO_PATH. */
  find(head: number, source: number, pathId: number): number {
    let path = head;
    while (path !== NO_PATH && (this.sources.values[path] !== source || this.pathIdOf(path) !== pathId)) {
      path = this.nexts.values[path];
    }
    return path;
  }

  /** The set of attributes as it was received. */
  receivedOf(path: number): number {
    return this.changedFrom(path) || this.attrs.values[path];
  }

  /** Notes with which set the path was received; the set that it has now is the other one or the same. */
  keepReceived(path: number, received: number, attributes: AttributeTable): void {
    const old = this.changedFrom(path);
    const kept = received === this.attrs.values[path] ? 0 : received;
    if (old === kept) return;
    this.received.ensure(path);
    if (kept !== 0) attributes.retain(kept);
    this.received.values[path] = kept;
    if (old !== 0) attributes.release(old);
  }

  private changedFrom(path: number): number {
    return path < this.received.values.length ? this.received.values[path] : 0;
  }

  pathIdOf(path: number): number {
    return path < this.pathIds.values.length ? this.pathIds.values[path] : 0;
  }

  /** One of PathState. */
  stateOf(path: number): number {
    return this.states.values[path] & STATE_MASK;
  }

  isUsable(path: number): boolean {
    return this.stateOf(path) === PathState.usable;
  }

  /** Sets the state of a path that its source has just told or confirmed. */
  setState(path: number, state: number): void {
    this.states.values[path] = state | this.generationOf(this.sources.values[path]);
  }

  /** Whether the path's source has not confirmed it since its last restart or refresh. */
  isStale(path: number): boolean {
    return (this.states.values[path] & GENERATION) !== this.generationOf(this.sources.values[path]);
  }

  /** The source has told the path again. */
  confirm(path: number): void {
    this.states.values[path] =
      (this.states.values[path] & ~GENERATION) | this.generationOf(this.sources.values[path]);
  }

  /** Makes one path stale. */
  makeStale(path: number): void {
    this.confirm(path);
    this.states.values[path] ^= GENERATION;
  }

  /** Makes all paths of a source stale; none of them may be stale before. */
  newGeneration(source: number): void {
    this.generations.ensure(source);
    this.generations.values[source] ^= GENERATION;
    this.epochs.ensure(source);
    this.epochs.values[source]++;
  }

  /** Another number after every new generation of a source's paths. */
  epochOf(source: number): number {
    return source < this.epochs.values.length ? this.epochs.values[source] : 0;
  }

  isMultipath(path: number): boolean {
    return (this.states.values[path] & MULTIPATH) !== 0;
  }

  markMultipath(path: number): void {
    this.states.values[path] |= MULTIPATH;
  }

  clearMultipath(path: number): void {
    this.states.values[path] &= ~MULTIPATH;
  }

  /** Visits a slice of at most `budget` path numbers from `from` on. Returns where to go on, or 0 at the end. */
  each(from: number, budget: number, visit: PathVisit): number {
    const stop = Math.min(this.end, Math.max(from, 1) + budget);
    for (let path = Math.max(from, 1); path < stop; path++) {
      if (this.attrs.values[path] !== 0) visit(path, this.prefixes.values[path]);
    }
    return stop < this.end ? stop : 0;
  }

  private generationOf(source: number): number {
    return source < this.generations.values.length ? this.generations.values[source] : 0;
  }

  private allocate(): number {
    if (this.freeList !== NO_PATH) {
      const path = this.freeList;
      this.freeList = this.nexts.values[path];
      return path;
    }
    const path = this.end++;
    if (path >= this.attrs.values.length) {
      for (const column of [this.attrs, this.sources, this.prefixes, this.nexts, this.states])
        column.ensure(path);
    }
    return path;
  }
}
