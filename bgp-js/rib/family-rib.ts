/**
 * Adj-RIB-In and Loc-RIB of one address family. A path is a number; its columns say of which prefix, from which
 * source, with which attributes. The paths to a prefix form a list, and the list begins with the best one: that is the
 * Loc-RIB. Readers (update groups, the agent's FIB) are told of changes through their dirty queues.
 */
import type { Family } from '../wire/families.ts';
import type { AttributeTable } from './attribute-table.ts';
import { U8Column, U16Column, U32Column } from './column.ts';
import { type Candidate, comparePaths, decide, TIE_BREAK_STEP } from './decision.ts';
import type { DirtyQueue } from './dirty-queue.ts';
import { MULTIPATH, PathState, STATE_MASK } from './path-state.ts';
import { NO_PREFIX, PrefixTable } from './prefix-table.ts';
import type { SourceTable } from './source.ts';

/** Number 0 is never given out: it ends a list. */
export const NO_PATH = 0;

/** A path as a candidate of the decision process. */
export interface PathCandidate extends Candidate {
  path: number;
}

export class FamilyRib {
  readonly family: Family;
  readonly prefixes: PrefixTable;
  readonly attributes: AttributeTable;
  readonly sources: SourceTable;
  /** How many equal paths may be marked as one multipath set; 1 turns it off. */
  maximumPaths = 1;
  /** How many paths there are. */
  paths = 0;
  private readonly readers = new Set<DirtyQueue>();
  /** By prefix: its first path. */
  private readonly heads = new U32Column();
  private readonly sets = new U32Column();
  private readonly pathSources = new U16Column();
  private readonly pathPrefixes = new U32Column();
  private readonly nexts = new U32Column();
  private readonly states = new U8Column();
  /** One more than the largest path number in use. */
  private end = 1;
  private freeList = NO_PATH;
  /** Best path and multipath set before a change: pairs of path and set. */
  private before: number[] = [];
  private after: number[] = [];

  constructor(family: Family, attributes: AttributeTable, sources: SourceTable) {
    this.family = family;
    this.prefixes = new PrefixTable(family.bits);
    this.attributes = attributes;
    this.sources = sources;
  }

  addReader(queue: DirtyQueue): void {
    this.readers.add(queue);
  }

  removeReader(queue: DirtyQueue): void {
    this.readers.delete(queue);
    queue.clear();
  }

  /** The first path of a prefix: the best one if its state is usable, else NO_PATH or an unusable one. */
  headOf(prefix: number): number {
    return prefix < this.heads.values.length ? this.heads.values[prefix] : NO_PATH;
  }

  /** The best path of a prefix, or NO_PATH. */
  bestOf(prefix: number): number {
    const head = this.headOf(prefix);
    return head !== NO_PATH && (this.states.values[head] & STATE_MASK) === PathState.usable ? head : NO_PATH;
  }

  nextOf(path: number): number {
    return this.nexts.values[path];
  }

  setOf(path: number): number {
    return this.sets.values[path];
  }

  sourceOf(path: number): number {
    return this.pathSources.values[path];
  }

  stateOf(path: number): number {
    return this.states.values[path];
  }

  /**
   * Takes in a route whose NLRI is at `at`: a new path, or one that replaces the source's former path. `set` is a set
   * of attributes, `state` one of PathState.
   */
  announce(source: number, bytes: Uint8Array, at: number, set: number, state: number): void {
    const prefix = this.prefixes.intern(bytes, at);
    this.heads.ensure(prefix);
    const path = this.find(prefix, source);
    if (
      path !== NO_PATH &&
      this.sets.values[path] === set &&
      (this.states.values[path] & STATE_MASK) === state
    ) {
      return;
    }
    this.remember(prefix, this.before);
    this.attributes.retain(set);
    if (path === NO_PATH) this.link(prefix, source, set, state);
    else this.replace(path, set, state);
    this.settle(prefix);
  }

  /** Takes out the source's path to the prefix whose NLRI is at `at`; nothing happens when there is none. */
  withdraw(source: number, bytes: Uint8Array, at: number): void {
    const prefix = this.prefixes.find(bytes, at);
    if (prefix === NO_PREFIX) return;
    const path = this.find(prefix, source);
    if (path !== NO_PATH) this.removePath(prefix, path);
  }

  /**
   * Takes out paths of a source, a slice of at most `budget` path numbers from `from` on. Returns where to go on, or 0
   * at the end.
   */
  sweep(source: number, from: number, budget: number): number {
    return this.eachPath(from, budget, (path, prefix) => {
      if (this.pathSources.values[path] === source) this.removePath(prefix, path);
    });
  }

  /** Visits the paths of a slice, like `sweep`. */
  eachPath(from: number, budget: number, visit: (path: number, prefix: number) => void): number {
    const stop = Math.min(this.end, Math.max(from, 1) + budget);
    for (let path = Math.max(from, 1); path < stop; path++) {
      if (this.sets.values[path] !== 0) visit(path, this.pathPrefixes.values[path]);
    }
    return stop < this.end ? stop : 0;
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

  /** The paths of a prefix that are usable, as candidates; the best one first. */
  candidates(prefix: number): PathCandidate[] {
    const list: PathCandidate[] = [];
    for (let path = this.headOf(prefix); path !== NO_PATH; path = this.nexts.values[path]) {
      if ((this.states.values[path] & STATE_MASK) !== PathState.usable) continue;
      const source = this.sources.get(this.pathSources.values[path]);
      list.push({ path, set: this.sets.values[path], source });
    }
    return list;
  }

  private find(prefix: number, source: number): number {
    let path = this.heads.values[prefix];
    while (path !== NO_PATH && this.pathSources.values[path] !== source) path = this.nexts.values[path];
    return path;
  }

  private link(prefix: number, source: number, set: number, state: number): void {
    const path = this.allocate();
    if (this.heads.values[prefix] === NO_PATH) this.prefixes.hold(prefix);
    this.sets.values[path] = set;
    this.pathSources.values[path] = source;
    this.pathPrefixes.values[path] = prefix;
    this.states.values[path] = state;
    // Behind the head, which stays the best until it is decided anew.
    const head = this.heads.values[prefix];
    if (head === NO_PATH) {
      this.nexts.values[path] = NO_PATH;
      this.heads.values[prefix] = path;
    } else {
      this.nexts.values[path] = this.nexts.values[head];
      this.nexts.values[head] = path;
    }
    this.paths++;
    const from = this.sources.get(source);
    from.received++;
    if (state === PathState.usable) from.accepted++;
  }

  private replace(path: number, set: number, state: number): void {
    const source = this.sources.get(this.pathSources.values[path]);
    if ((this.states.values[path] & STATE_MASK) === PathState.usable) source.accepted--;
    if (state === PathState.usable) source.accepted++;
    const old = this.sets.values[path];
    this.sets.values[path] = set;
    this.states.values[path] = state;
    this.attributes.release(old);
  }

  private removePath(prefix: number, path: number): void {
    this.remember(prefix, this.before);
    const next = this.nexts.values[path];
    if (this.heads.values[prefix] === path) {
      this.heads.values[prefix] = next;
    } else {
      let previous = this.heads.values[prefix];
      while (this.nexts.values[previous] !== path) previous = this.nexts.values[previous];
      this.nexts.values[previous] = next;
    }
    const source = this.sources.get(this.pathSources.values[path]);
    source.received--;
    if ((this.states.values[path] & STATE_MASK) === PathState.usable) source.accepted--;
    const set = this.sets.values[path];
    this.sets.values[path] = 0;
    this.paths--;
    this.settle(prefix);
    // Only now: until here the readers' marks and the comparison of before and after refer to them.
    this.attributes.release(set);
    this.nexts.values[path] = this.freeList;
    this.freeList = path;
    if (this.heads.values[prefix] === NO_PATH) this.prefixes.release(prefix);
  }

  private allocate(): number {
    this.pathsEnsure();
    if (this.freeList === NO_PATH) return this.end++;
    const path = this.freeList;
    this.freeList = this.nexts.values[path];
    return path;
  }

  private pathsEnsure(): void {
    if (this.end < this.sets.values.length) return;
    for (const column of [this.sets, this.pathSources, this.pathPrefixes, this.nexts, this.states]) {
      column.ensure(this.end);
    }
  }

  /** Writes the best path and its multipath set, each with its attributes, into `into`. */
  private remember(prefix: number, into: number[]): void {
    into.length = 0;
    const best = this.bestOf(prefix);
    if (best === NO_PATH) return;
    into.push(best, this.sets.values[best], this.pathSources.values[best]);
    if (this.maximumPaths === 1) return;
    for (let path = this.nexts.values[best]; path !== NO_PATH; path = this.nexts.values[path]) {
      if ((this.states.values[path] & MULTIPATH) !== 0) {
        into.push(path, this.sets.values[path], this.pathSources.values[path]);
      }
    }
  }

  /** Runs the decision process for a prefix and tells the readers when its outcome differs from `before`. */
  private settle(prefix: number): void {
    this.choose(prefix);
    const { before, after } = this;
    this.remember(prefix, after);
    let same = before.length === after.length;
    for (let i = 0; same && i < after.length; i++) same = before[i] === after[i];
    if (same) return;
    if (before.length > 0) this.sources.get(before[2]).best--;
    if (after.length > 0) this.sources.get(after[2]).best++;
    for (const reader of this.readers) reader.mark(prefix);
  }

  /** Moves the best path to the head of the list and marks the multipath set. */
  private choose(prefix: number): void {
    const head = this.heads.values[prefix];
    if (head === NO_PATH) return;
    if (this.nexts.values[head] === NO_PATH) {
      this.states.values[head] &= STATE_MASK;
      return;
    }
    const candidates = this.candidates(prefix);
    if (candidates.length === 0) return;
    for (let path = head; path !== NO_PATH; path = this.nexts.values[path]) {
      this.states.values[path] &= STATE_MASK;
    }
    if (candidates.length === 1) this.moveToHead(prefix, candidates[0].path);
    else if (candidates.length === 2) this.chooseOfTwo(prefix, candidates[0], candidates[1]);
    else this.chooseOfMany(prefix, candidates);
  }

  private chooseOfTwo(prefix: number, first: PathCandidate, second: PathCandidate): void {
    const outcome = comparePaths(first, second, this.attributes);
    this.moveToHead(prefix, (outcome >= 0 ? first : second).path);
    const equal = Math.abs(outcome) > TIE_BREAK_STEP;
    if (equal && this.maximumPaths > 1) {
      this.states.values[first.path] |= MULTIPATH;
      this.states.values[second.path] |= MULTIPATH;
    }
  }

  private chooseOfMany(prefix: number, candidates: PathCandidate[]): void {
    const { best, equal } = decide(candidates, this.attributes);
    this.moveToHead(prefix, best.path);
    if (this.maximumPaths === 1 || equal.length === 1) return;
    for (const { path } of equal.slice(0, this.maximumPaths)) this.states.values[path] |= MULTIPATH;
  }

  private moveToHead(prefix: number, path: number): void {
    const head = this.heads.values[prefix];
    if (head === path) return;
    let previous = head;
    while (this.nexts.values[previous] !== path) previous = this.nexts.values[previous];
    this.nexts.values[previous] = this.nexts.values[path];
    this.nexts.values[path] = head;
    this.heads.values[prefix] = path;
  }
}
