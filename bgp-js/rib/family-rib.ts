/**
 * Adj-RIB-In and Loc-RIB of one address family. The paths to a prefix form a list, and the list begins with the best
 * one: that is the Loc-RIB. Readers (update groups, the agent's FIB) are told of changes through their dirty queues.
 */
import type { Family } from '../wire/families.ts';
import { BestPath, type PathCandidate } from './best-path.ts';
import { rank } from './decision.ts';
import type { DirtyQueue } from './dirty-queue.ts';
import type { SourceTable } from './source.ts';
import type { AttributeTable } from './store/attribute-table.ts';
import { U32Column } from './store/column.ts';
import { PathState } from './store/path-state.ts';
import { NO_PATH, PathTable, type PathVisit } from './store/path-table.ts';
import { NO_PREFIX, PrefixTable } from './store/prefix-table.ts';

export type { PathCandidate } from './best-path.ts';
export { NO_PATH } from './store/path-table.ts';

export class FamilyRib {
  readonly family: Family;
  readonly prefixes: PrefixTable;
  readonly attributes: AttributeTable;
  readonly sources: SourceTable;
  readonly table = new PathTable();
  private readonly selection: BestPath;
  private readonly nlri: Uint8Array;
  private readers: DirtyQueue[] = [];
  /** Readers that want to know of every change of a path, not only of the best ones. */
  private pathReaders: DirtyQueue[] = [];
  /** By prefix: its first path. */
  private readonly heads = new U32Column();
  /** Best path and multipath set before and after a change: path, set and source of each. */
  private before: number[] = [];
  private after: number[] = [];

  constructor(family: Family, attributes: AttributeTable, sources: SourceTable) {
    this.family = family;
    this.prefixes = new PrefixTable(family.bits);
    this.nlri = new Uint8Array(1 + family.bits / 8);
    this.attributes = attributes;
    this.sources = sources;
    this.selection = new BestPath(this.table, attributes, sources);
  }

  /** How many equal paths may be marked as one multipath set; 1 turns it off. */
  get maximumPaths(): number {
    return this.selection.maximumPaths;
  }

  set maximumPaths(count: number) {
    this.selection.maximumPaths = count;
  }

  /** How many paths there are. */
  get paths(): number {
    return this.table.size;
  }

  /** Tells `queue` of prefixes whose best path or multipath set changes; with `everyPath` of any path. */
  addReader(queue: DirtyQueue, everyPath = false): void {
    (everyPath ? this.pathReaders : this.readers).push(queue);
  }

  removeReader(queue: DirtyQueue): void {
    this.readers = this.readers.filter((reader) => reader !== queue);
    this.pathReaders = this.pathReaders.filter((reader) => reader !== queue);
  }

  /** A prefix in text form. */
  format(prefix: number): string {
    this.prefixes.write(prefix, this.nlri, 0);
    return this.family.format(this.nlri, 0);
  }

  /** The first path of a prefix: the best one if it is usable, else NO_PATH or an unusable one. */
  headOf(prefix: number): number {
    return prefix < this.heads.values.length ? this.heads.values[prefix] : NO_PATH;
  }

  /** The best path of a prefix, or NO_PATH. */
  bestOf(prefix: number): number {
    const head = this.headOf(prefix);
    return head !== NO_PATH && this.table.isUsable(head) ? head : NO_PATH;
  }

  nextOf(path: number): number {
    return this.table.nexts.values[path];
  }

  attrsOf(path: number): number {
    return this.table.attrs.values[path];
  }

  /** The set as it was received: another one where an import policy changed it. */
  receivedOf(path: number): number {
    return this.table.receivedOf(path);
  }

  sourceOf(path: number): number {
    return this.table.sources.values[path];
  }

  /** One of PathState. */
  stateOf(path: number): number {
    return this.table.stateOf(path);
  }

  /** The peer's identifier of a path (RFC 7911), 0 without ADD-PATH. */
  pathIdOf(path: number): number {
    return this.table.pathIdOf(path);
  }

  isMultipath(path: number): boolean {
    return this.table.isMultipath(path);
  }

  isStale(path: number): boolean {
    return this.table.isStale(path);
  }

  /** The usable paths of a prefix from the best one down. */
  ranked(prefix: number): number[] {
    return rank(this.candidates(prefix), this.attributes).map(({ path }) => path);
  }

  /** The paths of a prefix that are usable, as candidates; the best one first. */
  candidates(prefix: number): PathCandidate[] {
    return this.selection.candidates(this.headOf(prefix));
  }

  /**
   * Takes in a route whose NLRI is at `at`: a new path, or one that replaces the source's former path. `set` is a set
   * of attributes, `state` one of PathState, `pathId` the peer's path identifier (RFC 7911), 0 without ADD-PATH,
   * `received` the set as it came where a policy changed it.
   */
  announce(
    source: number,
    bytes: Uint8Array,
    at: number,
    attrs: number,
    state: number,
    pathId = 0,
    received = attrs,
  ): void {
    const prefix = this.prefixes.intern(bytes, at);
    this.heads.ensure(prefix);
    const { table } = this;
    const head = this.heads.values[prefix];
    if (head === NO_PATH) return this.announceFirst(prefix, source, attrs, state, pathId, received);
    let path = table.find(head, source, pathId);
    if (path !== NO_PATH && table.attrs.values[path] === attrs && table.stateOf(path) === state) {
      table.keepReceived(path, received, this.attributes);
      table.confirm(path);
      return;
    }
    this.remember(prefix, this.before);
    this.attributes.retain(attrs);
    if (path === NO_PATH) {
      path = table.add(prefix, source, attrs, state, pathId);
      this.link(prefix, path, state);
      table.keepReceived(path, received, this.attributes);
    } else this.replace(path, attrs, state, received);
    this.settle(prefix);
  }

  /** Takes in the only path to a prefix: there is nothing to decide. */
  private announceFirst(
    prefix: number,
    source: number,
    attrs: number,
    state: number,
    pathId: number,
    received: number,
  ): void {
    const { table } = this;
    this.attributes.retain(attrs);
    const path = table.add(prefix, source, attrs, state, pathId);
    this.link(prefix, path, state);
    if (received !== attrs) table.keepReceived(path, received, this.attributes);
    for (const reader of this.pathReaders) reader.mark(prefix);
    if (state !== PathState.usable) return;
    this.sources.get(source).best++;
    for (const reader of this.readers) reader.mark(prefix);
  }

  /** Takes out the source's path to the prefix whose NLRI is at `at`; nothing happens when there is none. */
  withdraw(source: number, bytes: Uint8Array, at: number, pathId = 0): void {
    const prefix = this.prefixes.find(bytes, at);
    if (prefix === NO_PREFIX) return;
    const path = this.table.find(this.headOf(prefix), source, pathId);
    if (path !== NO_PATH) this.removePath(prefix, path);
  }

  /** Changes the state or the attributes of a path, which stays as stale or fresh as it is. */
  change(path: number, attrs: number, state: number, received = attrs): void {
    const { table } = this;
    if (table.attrs.values[path] === attrs && table.stateOf(path) === state) {
      table.keepReceived(path, received, this.attributes);
      return;
    }
    const prefix = table.prefixes.values[path];
    const stale = table.isStale(path);
    this.remember(prefix, this.before);
    this.attributes.retain(attrs);
    this.replace(path, attrs, state, received);
    if (stale) table.makeStale(path);
    this.settle(prefix);
  }

  /**
   * Takes out paths of a source, a slice of at most `budget` path numbers from `from` on. Returns where to go on, or 0
   * at the end.
   */
  sweep(source: number, from: number, budget: number): number {
    return this.table.each(from, budget, (path, prefix) => {
      if (this.table.sources.values[path] === source) this.removePath(prefix, path);
    });
  }

  /** Takes out the stale paths of a source, a slice at a time like `sweep`. */
  sweepStale(source: number, from: number, budget: number): number {
    return this.eachStale(source, from, budget, (path, prefix) => this.removePath(prefix, path));
  }

  /** Visits the stale paths of a source, a slice at a time like `sweep`. */
  eachStale(source: number, from: number, budget: number, visit: PathVisit): number {
    const { table } = this;
    return table.each(from, budget, (path, prefix) => {
      if (table.sources.values[path] === source && table.isStale(path)) visit(path, prefix);
    });
  }

  /** Makes the paths of a source stale; those that are stale already go (RFC 4724 §4.2). */
  newGeneration(source: number): void {
    this.sweepStale(source, 0, Number.POSITIVE_INFINITY);
    this.table.newGeneration(source);
  }

  /** Decides anew about every prefix, a slice at a time like `sweep`; for changes of `maximumPaths`. */
  redecide(from: number, budget: number): number {
    const stop = Math.min(this.prefixes.end, from + budget);
    for (let prefix = from; prefix < stop; prefix++) {
      if (this.headOf(prefix) === NO_PATH) continue;
      this.remember(prefix, this.before);
      this.settle(prefix);
    }
    return stop < this.prefixes.end ? stop : 0;
  }

  /** Puts a new path behind the head, which stays the best until it is decided anew. */
  private link(prefix: number, path: number, state: number): void {
    const nexts = this.table.nexts.values;
    const head = this.heads.values[prefix];
    if (head === NO_PATH) {
      this.prefixes.hold(prefix);
      this.heads.values[prefix] = path;
    } else {
      nexts[path] = nexts[head];
      nexts[head] = path;
    }
    const source = this.sources.get(this.table.sources.values[path]);
    source.received++;
    if (state === PathState.usable) source.accepted++;
  }

  private replace(path: number, attrs: number, state: number, received: number): void {
    const { table } = this;
    const source = this.sources.get(table.sources.values[path]);
    if (table.isUsable(path)) source.accepted--;
    if (state === PathState.usable) source.accepted++;
    const old = table.attrs.values[path];
    table.attrs.values[path] = attrs;
    table.setState(path, state);
    table.keepReceived(path, received, this.attributes);
    this.attributes.release(old);
  }

  private removePath(prefix: number, path: number): void {
    const { table } = this;
    const nexts = table.nexts.values;
    if (this.heads.values[prefix] === path && nexts[path] === NO_PATH) return this.removeLast(prefix, path);
    this.remember(prefix, this.before);
    if (this.heads.values[prefix] === path) {
      this.heads.values[prefix] = nexts[path];
    } else {
      let previous = this.heads.values[prefix];
      while (nexts[previous] !== path) previous = nexts[previous];
      nexts[previous] = nexts[path];
    }
    const source = this.sources.get(table.sources.values[path]);
    source.received--;
    if (table.isUsable(path)) source.accepted--;
    this.settle(prefix);
    // Only now: until here the comparison of before and after refers to the path and its attributes.
    this.letGo(path);
  }

  /** Takes out the only path to a prefix. */
  private removeLast(prefix: number, path: number): void {
    const { table } = this;
    this.heads.values[prefix] = NO_PATH;
    const source = this.sources.get(table.sources.values[path]);
    source.received--;
    for (const reader of this.pathReaders) reader.mark(prefix);
    if (table.isUsable(path)) {
      source.accepted--;
      source.best--;
      for (const reader of this.readers) reader.mark(prefix);
    }
    this.letGo(path);
    this.prefixes.release(prefix);
  }

  /** Gives back a path that is in no list any more. */
  private letGo(path: number): void {
    const { table, attributes } = this;
    const attrs = table.attrs.values[path];
    table.keepReceived(path, attrs, attributes);
    attributes.release(attrs);
    table.free(path);
  }

  /** Writes the best path and its multipath set, each with attributes and source, into `into`. */
  private remember(prefix: number, into: number[]): void {
    const { table } = this;
    into.length = 0;
    const best = this.bestOf(prefix);
    if (best === NO_PATH) return;
    into.push(best, table.attrs.values[best], table.sources.values[best]);
    if (this.maximumPaths === 1) return;
    for (let path = table.nexts.values[best]; path !== NO_PATH; path = table.nexts.values[path]) {
      if (table.isMultipath(path)) into.push(path, table.attrs.values[path], table.sources.values[path]);
    }
  }

  /** Runs the decision process for a prefix and tells the readers when its outcome differs from `before`. */
  private settle(prefix: number): void {
    this.heads.values[prefix] = this.selection.select(this.heads.values[prefix]);
    for (const reader of this.pathReaders) reader.mark(prefix);
    const { before, after } = this;
    this.remember(prefix, after);
    let same = before.length === after.length;
    for (let i = 0; same && i < after.length; i++) same = before[i] === after[i];
    if (same) return;
    if (before.length > 0) this.sources.get(before[2]).best--;
    if (after.length > 0) this.sources.get(after[2]).best++;
    for (const reader of this.readers) reader.mark(prefix);
  }
}
