/**
 * Adj-RIB-In and Loc-RIB of one address family. The paths to a prefix form a linked list whose head is the best path.
 * So the list heads are the Loc-RIB, and no route is stored twice.
 *
 * `announce` adds a route and `withdraw` removes one. Both record the best path and its multipath set (`snapshotBest`),
 * change the list and run the decision process (`runDecision`, `BestPath.select`). If the outcome differs, they mark
 * the prefix in the dirty queue of each reader: the update groups and the program that installs routes. A reader takes
 * prefixes from its queue when it has time and reads their current state, so it reads a prefix once even if it changed
 * ten times. Most prefixes of a full table have a single path; `announceFirst` and `removeLast` add and remove it
 * without a decision.
 */
import type { Family } from '../wire/families.ts';
import { type Candidate, comparePaths, decide, rank, TIE_BREAK_STEP } from './decision.ts';
import type { DirtyQueue } from './dirty-queue.ts';
import type { SourceTable } from './source.ts';
import type { AttributeTable } from './store/attribute-table.ts';
import { U32Column } from './store/column.ts';
import { type AttrsId, NO_PATH, NO_PREFIX, type PathId, type PrefixId, type SourceId } from './store/ids.ts';
import { PathState, PathTable, type PathVisit, type Route } from './store/path-table.ts';
import { PrefixTable } from './store/prefix-table.ts';

/** The RIB of one address family. */
export class FamilyRib {
  readonly family: Family;
  readonly prefixes: PrefixTable;
  readonly attributes: AttributeTable;
  readonly sources: SourceTable;
  readonly table = new PathTable();
  private readonly bestPath: BestPath;
  private readonly nlri: Uint8Array;
  private readers: DirtyQueue[] = [];
  /** Queues that receive every change of a path, not only of best paths. */
  private pathReaders: DirtyQueue[] = [];
  /** By prefix: its first path. */
  private readonly heads = new U32Column<PathId>();
  /** Best path and multipath set before and after a change: path, attributes and source of each. */
  private readonly before: number[] = [];
  private readonly after: number[] = [];

  constructor(family: Family, attributes: AttributeTable, sources: SourceTable) {
    this.family = family;
    this.prefixes = new PrefixTable(family.bits, attributes.hashKey);
    this.nlri = new Uint8Array(1 + family.bits / 8);
    this.attributes = attributes;
    this.sources = sources;
    this.bestPath = new BestPath(this.table, attributes, sources);
  }

  /** How many equal paths may form one multipath set; 1: no multipath. */
  get maximumPaths(): number {
    return this.bestPath.maximumPaths;
  }

  set maximumPaths(count: number) {
    this.bestPath.maximumPaths = count;
  }

  /** How many paths exist. */
  get paths(): number {
    return this.table.size;
  }

  /** Marks prefixes in `queue` when their best path or multipath set changes; with `everyPath`, when any path does. */
  addReader(queue: DirtyQueue, everyPath = false): void {
    (everyPath ? this.pathReaders : this.readers).push(queue);
  }

  /** Stops marking prefixes in `queue`. */
  removeReader(queue: DirtyQueue): void {
    this.readers = this.readers.filter((reader) => reader !== queue);
    this.pathReaders = this.pathReaders.filter((reader) => reader !== queue);
  }

  /** A prefix as text. */
  format(prefix: PrefixId): string {
    this.prefixes.write(prefix, this.nlri, 0);
    return this.family.format(this.nlri, 0);
  }

  /** The first path of a prefix: the best one if it is usable, else NO_PATH or an unusable one. */
  headOf(prefix: PrefixId): PathId {
    return prefix < this.heads.values.length ? this.heads.values[prefix] : NO_PATH;
  }

  /** The best path of a prefix, or NO_PATH. */
  bestOf(prefix: PrefixId): PathId {
    const head = this.headOf(prefix);
    return head !== NO_PATH && this.table.isUsable(head) ? head : NO_PATH;
  }

  /** The next path to the same prefix, or NO_PATH. */
  nextOf(path: PathId): PathId {
    return this.table.nexts.values[path];
  }

  /** The attributes of a path. */
  attrsOf(path: PathId): AttrsId {
    return this.table.attrs.values[path];
  }

  /** The attributes as received, before an import policy changed them. */
  receivedOf(path: PathId): AttrsId {
    return this.table.receivedOf(path);
  }

  /** The source of a path. */
  sourceOf(path: PathId): SourceId {
    return this.table.sources.values[path];
  }

  /** One of PathState. */
  stateOf(path: PathId): number {
    return this.table.stateOf(path);
  }

  /** The peer's path identifier (RFC 7911); 0 without ADD-PATH. */
  addPathIdOf(path: PathId): number {
    return this.table.addPathIdOf(path);
  }

  /** Whether the path is in its prefix's multipath set. */
  isMultipath(path: PathId): boolean {
    return this.table.isMultipath(path);
  }

  /** Whether the path is stale: its source has not advertised it again since the last restart or refresh. */
  isStale(path: PathId): boolean {
    return this.table.isStale(path);
  }

  /** The usable paths of a prefix from the best one down. */
  ranked(prefix: PrefixId): PathId[] {
    return rank(this.candidates(prefix), this.attributes).map(({ path }) => path);
  }

  /** The usable paths of a prefix as candidates, the best one first. */
  candidates(prefix: PrefixId): PathCandidate[] {
    return this.bestPath.candidates(this.headOf(prefix));
  }

  /**
   * Adds a path to the prefix whose NLRI is at `at`, or replaces the path of the same source and path identifier. Keeps
   * no reference to `route`.
   */
  announce(bytes: Uint8Array, at: number, route: Route): void {
    const prefix = this.prefixes.intern(bytes, at);
    this.heads.ensure(prefix);
    const { table } = this;
    const head = this.heads.values[prefix];
    if (head === NO_PATH) return this.announceFirst(prefix, route);
    const { source, attrs, received, state, addPathId } = route;
    let path = table.find(head, source, addPathId);
    if (path !== NO_PATH && table.attrs.values[path] === attrs && table.stateOf(path) === state) {
      table.keepReceived(path, received, this.attributes);
      table.confirm(path);
      return;
    }
    this.snapshotBest(prefix, this.before);
    this.attributes.retain(attrs);
    if (path === NO_PATH) {
      path = table.add(prefix, route);
      this.link(prefix, path, state);
      table.keepReceived(path, received, this.attributes);
    } else this.replace(path, attrs, state, received);
    this.runDecision(prefix);
  }

  /** Adds the first path to a prefix, which needs no decision. */
  private announceFirst(prefix: PrefixId, route: Route): void {
    const { table } = this;
    const { attrs, received, state } = route;
    this.attributes.retain(attrs);
    const path = table.add(prefix, route);
    this.link(prefix, path, state);
    if (received !== attrs) table.keepReceived(path, received, this.attributes);
    for (const reader of this.pathReaders) reader.mark(prefix);
    if (state !== PathState.usable) return;
    this.sources.get(route.source).best++;
    for (const reader of this.readers) reader.mark(prefix);
  }

  /** Whether the source has a path with this path identifier to the prefix whose NLRI is at `at`. */
  hasPath(source: SourceId, bytes: Uint8Array, at: number, addPathId: number): boolean {
    const prefix = this.prefixes.find(bytes, at);
    return prefix !== NO_PREFIX && this.table.find(this.headOf(prefix), source, addPathId) !== NO_PATH;
  }

  /** Removes the source's path to the prefix whose NLRI is at `at`; does nothing when it has none. */
  withdraw(source: SourceId, bytes: Uint8Array, at: number, addPathId = 0): void {
    const prefix = this.prefixes.find(bytes, at);
    if (prefix === NO_PREFIX) return;
    const path = this.table.find(this.headOf(prefix), source, addPathId);
    if (path !== NO_PATH) this.removePath(prefix, path);
  }

  /** Changes the state or the attributes of a path, but not whether it is stale. */
  change(path: PathId, attrs: AttrsId, state: number, received = attrs): void {
    const { table } = this;
    if (table.attrs.values[path] === attrs && table.stateOf(path) === state) {
      table.keepReceived(path, received, this.attributes);
      return;
    }
    const prefix = table.prefixes.values[path];
    const stale = table.isStale(path);
    this.snapshotBest(prefix, this.before);
    this.attributes.retain(attrs);
    this.replace(path, attrs, state, received);
    if (stale) table.makeStale(path);
    this.runDecision(prefix);
  }

  /** Removes paths of a source, among `budget` path ids from `from` on. Returns the next start, or 0 at the end. */
  sweep(source: SourceId, from: number, budget: number): number {
    return this.table.each(from, budget, (path, prefix) => {
      if (this.table.sources.values[path] === source) this.removePath(prefix, path);
    });
  }

  /** Removes the stale paths of a source, a slice at a time like `sweep`. */
  sweepStale(source: SourceId, from: number, budget: number): number {
    return this.eachStale(source, from, budget, (path, prefix) => this.removePath(prefix, path));
  }

  /** Visits the stale paths of a source, a slice at a time like `sweep`. */
  eachStale(source: SourceId, from: number, budget: number, visit: PathVisit): number {
    const { table } = this;
    return table.each(from, budget, (path, prefix) => {
      if (table.sources.values[path] === source && table.isStale(path)) visit(path, prefix);
    });
  }

  /** Marks the paths of a source as stale, and removes those that were stale before (RFC 4724 §4.2). */
  newGeneration(source: SourceId): void {
    this.sweepStale(source, 0, Number.POSITIVE_INFINITY);
    this.table.newGeneration(source);
  }

  /** Reruns the decision process for every prefix, a slice at a time like `sweep`, after a change of `maximumPaths`. */
  rerunDecision(from: number, budget: number): number {
    const stop = Math.min(this.prefixes.end, from + budget);
    for (let prefix = from as PrefixId; prefix < stop; prefix++) {
      if (this.headOf(prefix) === NO_PATH) continue;
      this.snapshotBest(prefix, this.before);
      this.runDecision(prefix);
    }
    return stop < this.prefixes.end ? stop : 0;
  }

  /** Inserts a new path after the head, which remains the best path until `runDecision`. */
  private link(prefix: PrefixId, path: PathId, state: number): void {
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

  /** Replaces the attributes and the state of a path. The caller has retained the new attributes. */
  private replace(path: PathId, attrs: AttrsId, state: number, received: AttrsId): void {
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

  private removePath(prefix: PrefixId, path: PathId): void {
    const { table } = this;
    const nexts = table.nexts.values;
    if (this.heads.values[prefix] === path && nexts[path] === NO_PATH) return this.removeLast(prefix, path);
    this.snapshotBest(prefix, this.before);
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
    this.runDecision(prefix);
    // Must come last: `runDecision` compares snapshots that refer to the path and its attributes.
    this.release(path);
  }

  /** Removes the only path to a prefix. */
  private removeLast(prefix: PrefixId, path: PathId): void {
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
    this.release(path);
    this.prefixes.release(prefix);
  }

  /** Releases the attributes and the id of a path that has left its list. */
  private release(path: PathId): void {
    const { table, attributes } = this;
    const attrs = table.attrs.values[path];
    table.keepReceived(path, attrs, attributes);
    attributes.release(attrs);
    table.free(path);
  }

  /** Writes the best path and its multipath set, each with attributes and source, into `into`. */
  private snapshotBest(prefix: PrefixId, into: number[]): void {
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

  /** Runs the decision process for a prefix, and marks it for the readers when the outcome differs from `before`. */
  private runDecision(prefix: PrefixId): void {
    this.heads.values[prefix] = this.bestPath.select(this.heads.values[prefix]);
    for (const reader of this.pathReaders) reader.mark(prefix);
    const { before, after } = this;
    this.snapshotBest(prefix, after);
    let same = before.length === after.length;
    for (let i = 0; same && i < after.length; i++) same = before[i] === after[i];
    if (same) return;
    if (before.length > 0) this.sources.get(before[2] as SourceId).best--;
    if (after.length > 0) this.sources.get(after[2] as SourceId).best++;
    for (const reader of this.readers) reader.mark(prefix);
  }
}

/** A path as a candidate of the decision process. */
export interface PathCandidate extends Candidate {
  path: PathId;
}

/** Orders the list of the paths to a prefix: puts the best one first and marks the multipath set. */
export class BestPath {
  /** How many equal paths may form one multipath set; 1: no multipath. */
  maximumPaths = 1;
  private readonly table: PathTable;
  private readonly attributes: AttributeTable;
  private readonly sources: SourceTable;

  constructor(table: PathTable, attributes: AttributeTable, sources: SourceTable) {
    this.table = table;
    this.attributes = attributes;
    this.sources = sources;
  }

  /** The usable paths of the list that begins with `head`. */
  candidates(head: PathId): PathCandidate[] {
    const { table } = this;
    const list: PathCandidate[] = [];
    for (let path = head; path !== NO_PATH; path = table.nexts.values[path]) {
      if (!table.isUsable(path)) continue;
      const source = this.sources.get(table.sources.values[path]);
      list.push({ path, attrs: table.attrs.values[path], source, addPathId: table.addPathIdOf(path) });
    }
    return list;
  }

  /** Runs the decision process on the list that begins with `head`; returns its new head. */
  select(head: PathId): PathId {
    const { table } = this;
    if (head === NO_PATH) return NO_PATH;
    if (table.nexts.values[head] === NO_PATH) {
      table.clearMultipath(head);
      return head;
    }
    const candidates = this.candidates(head);
    if (candidates.length === 0) return head;
    for (let path = head; path !== NO_PATH; path = table.nexts.values[path]) table.clearMultipath(path);
    if (candidates.length === 1) return this.moveToHead(head, candidates[0].path);
    if (candidates.length === 2) return this.selectOfTwo(head, candidates[0], candidates[1]);
    return this.selectOfMany(head, candidates);
  }

  private selectOfTwo(head: PathId, first: PathCandidate, second: PathCandidate): PathId {
    const outcome = comparePaths(first, second, this.attributes);
    if (this.maximumPaths > 1 && Math.abs(outcome) > TIE_BREAK_STEP) {
      this.table.markMultipath(first.path);
      this.table.markMultipath(second.path);
    }
    return this.moveToHead(head, (outcome >= 0 ? first : second).path);
  }

  private selectOfMany(head: PathId, candidates: PathCandidate[]): PathId {
    const { best, equal } = decide(candidates, this.attributes);
    if (this.maximumPaths > 1 && equal.length > 1) {
      for (const { path } of equal.slice(0, this.maximumPaths)) this.table.markMultipath(path);
    }
    return this.moveToHead(head, best.path);
  }

  private moveToHead(head: PathId, path: PathId): PathId {
    const nexts = this.table.nexts.values;
    if (head === path) return head;
    let previous = head;
    while (nexts[previous] !== path) previous = nexts[previous];
    nexts[previous] = nexts[path];
    nexts[path] = head;
    return path;
  }
}
