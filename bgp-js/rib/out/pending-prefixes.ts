import { Bitmap } from '../store/column.ts';
import type { PrefixTable } from '../store/prefix-table.ts';
import type { AdjRibOut } from './adj-rib-out.ts';

/**
 * The prefixes that one member of an update group has yet to be told of, when it does not follow the log; a bit for
 * each. It holds on to those that are marked, so that a withdrawal that is owed is known by its prefix.
 */
export class PendingPrefixes {
  private readonly prefixes: PrefixTable;
  private readonly out: AdjRibOut;
  private readonly stretch: number;
  private readonly marks = new Bitmap();
  /** What is announced from here on is untold too; it is marked when the others have been told. */
  private unmarked = Number.POSITIVE_INFINITY;
  /** The member was told nothing from there on. */
  private isNew = false;

  /**
   * @param out what the group tells its members.
   * @param stretch how many prefix numbers are looked at in one go for whether they are announced.
   */
  constructor(prefixes: PrefixTable, out: AdjRibOut, stretch: number) {
    this.prefixes = prefixes;
    this.out = out;
    this.stretch = stretch;
  }

  /** Everything that is announced is to be told. `isNew`: to a member that knows nothing yet. */
  addAll(isNew: boolean): void {
    this.unmarked = 0;
    this.isNew = isNew;
  }

  /** A prefix is to be told of, for its route changed. */
  add(id: number): void {
    if (id >= this.unmarked && (this.isNew || this.out.has(id))) return;
    this.mark(id);
  }

  /** What another group announces, and the member's does not, is to be told of. */
  addWithdrawn(out: AdjRibOut): void {
    for (let id = 0; id < out.end; id++) if (out.has(id) && !this.out.has(id)) this.mark(id);
  }

  /** The first prefix at or behind `from`, or -1 when there is none. What is announced is marked up to there. */
  next(from: number): number {
    let id = this.marks.next(from);
    while (this.unmarked < this.out.end && (id < 0 || id >= this.unmarked)) {
      this.markStretch();
      id = this.marks.next(from);
    }
    return id;
  }

  /** The member was told of a prefix. */
  remove(id: number): void {
    if (this.marks.remove(id)) this.prefixes.release(id);
  }

  get isEmpty(): boolean {
    return this.marks.count === 0 && this.unmarked >= this.out.end;
  }

  /** Lets go of prefixes, at most `budget` from `from` on; returns where to go on, or 0 when all is done. */
  clear(from: number, budget: number): number {
    this.unmarked = Number.POSITIVE_INFINITY;
    let id = this.marks.next(from);
    for (let left = budget; id >= 0 && left > 0; left--) {
      this.remove(id);
      id = this.marks.next(id + 1);
    }
    return Math.max(0, id);
  }

  private mark(id: number): void {
    if (this.marks.add(id)) this.prefixes.hold(id);
  }

  private markStretch(): void {
    const { out, unmarked } = this;
    const end = Math.min(out.end, unmarked + this.stretch);
    for (let id = unmarked; id < end; id++) if (out.has(id)) this.mark(id);
    this.unmarked = end;
  }
}
