import { type Candidate, comparePaths, decide, TIE_BREAK_STEP } from './decision.ts';
import type { SourceTable } from './source.ts';
import type { AttributeTable } from './store/attribute-table.ts';
import { NO_PATH, type PathTable } from './store/path-table.ts';

/** A path as a candidate of the decision process. */
export interface PathCandidate extends Candidate {
  path: number;
}

/** Brings the list of the paths to a prefix into order: the best one first, and the multipath set marked. */
export class BestPath {
  /** How many equal paths may be marked as one multipath set; 1 turns it off. */
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
  candidates(head: number): PathCandidate[] {
    const { table } = this;
    const list: PathCandidate[] = [];
    for (let path = head; path !== NO_PATH; path = table.nexts.values[path]) {
      if (!table.isUsable(path)) continue;
      const source = this.sources.get(table.sources.values[path]);
      list.push({ path, attrs: table.attrs.values[path], source, pathId: table.pathIdOf(path) });
    }
    return list;
  }

  /** Decides about the list that begins with `head`; returns its new head. */
  select(head: number): number {
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

  private selectOfTwo(head: number, first: PathCandidate, second: PathCandidate): number {
    const outcome = comparePaths(first, second, this.attributes);
    if (this.maximumPaths > 1 && Math.abs(outcome) > TIE_BREAK_STEP) {
      this.table.markMultipath(first.path);
      this.table.markMultipath(second.path);
    }
    return this.moveToHead(head, (outcome >= 0 ? first : second).path);
  }

  private selectOfMany(head: number, candidates: PathCandidate[]): number {
    const { best, equal } = decide(candidates, this.attributes);
    if (this.maximumPaths > 1 && equal.length > 1) {
      for (const { path } of equal.slice(0, this.maximumPaths)) this.table.markMultipath(path);
    }
    return this.moveToHead(head, best.path);
  }

  private moveToHead(head: number, path: number): number {
    const nexts = this.table.nexts.values;
    if (head === path) return head;
    let previous = head;
    while (nexts[previous] !== path) previous = nexts[previous];
    nexts[previous] = nexts[path];
    nexts[path] = head;
    return path;
  }
}
