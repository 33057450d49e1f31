import { Bitmap } from '../store/column.ts';
import type { PrefixId } from '../store/ids.ts';
import type { PrefixTable } from '../store/prefix-table.ts';
import type { AdjRibOut } from './adj-rib-out.ts';

/**
 * The prefixes whose state has yet to be sent to a member that does not follow the log; one bit for each. Pending
 * prefixes are held, so that a withdrawal that is owed can still name its prefix.
 */
export class PendingPrefixes {
  private readonly prefixes: PrefixTable;
  private readonly out: AdjRibOut;
  private readonly slice: number;
  private readonly marks = new Bitmap<PrefixId>();
  /** Advertised prefixes from here on are pending too, without a mark and a hold; `next` marks them in slices. */
  private unmarked = Number.POSITIVE_INFINITY;
  /** The member was sent nothing from `unmarked` on. */
  private isNew = false;

  /**
   * @param out the Adj-RIB-Out of the member's group.
   * @param slice how many prefix numbers `next` marks at once.
   */
  constructor(prefixes: PrefixTable, out: AdjRibOut, slice: number) {
    this.prefixes = prefixes;
    this.out = out;
    this.slice = slice;
  }

  /** Adds all advertised prefixes. `isNew`: the member was sent nothing yet. */
  addAll(isNew: boolean): void {
    this.unmarked = 0;
    this.isNew = isNew;
  }

  /** Adds a prefix whose route changed. */
  add(id: PrefixId): void {
    if (id >= this.unmarked && (this.isNew || this.out.has(id))) return;
    this.mark(id);
  }

  /** Adds the prefixes that another group has advertised and the member's group has not. */
  addWithdrawn(out: AdjRibOut): void {
    for (let id = 0 as PrefixId; id < out.end; id++) if (out.has(id) && !this.out.has(id)) this.mark(id);
  }

  /** The first pending prefix at or behind `from`, or a negative number. */
  next(from: number): PrefixId {
    let id = this.marks.next(from);
    while (this.unmarked < this.out.end && (id < 0 || id >= this.unmarked)) {
      this.markSlice();
      id = this.marks.next(from);
    }
    return id;
  }

  /** Removes a prefix whose state was sent. */
  remove(id: PrefixId): void {
    if (this.marks.remove(id)) this.prefixes.release(id);
  }

  /** Whether nothing is pending. */
  get isEmpty(): boolean {
    return this.marks.count === 0 && this.unmarked >= this.out.end;
  }

  /** Removes everything, at most `budget` prefixes from `from` on; returns where to go on, or 0 when all is done. */
  clear(from: number, budget: number): number {
    this.unmarked = Number.POSITIVE_INFINITY;
    let id = this.marks.next(from);
    for (let left = budget; id >= 0 && left > 0; left--) {
      this.remove(id);
      id = this.marks.next(id + 1);
    }
    return Math.max(0, id);
  }

  private mark(id: PrefixId): void {
    if (this.marks.add(id)) this.prefixes.hold(id);
  }

  private markSlice(): void {
    const { out, unmarked } = this;
    const end = Math.min(out.end, unmarked + this.slice);
    for (let id = unmarked as PrefixId; id < end; id++) if (out.has(id)) this.mark(id);
    this.unmarked = end;
  }
}
