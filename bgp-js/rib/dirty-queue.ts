import { Bitmap } from './store/column.ts';
import type { PrefixTable } from './store/prefix-table.ts';

/**
 * Prefixes whose route changed and that a reader has yet to look at, in order of their first change, each at most
 * once. A prefix in the queue is held, so that its number stays its own.
 */
export class DirtyQueue {
  private readonly prefixes: PrefixTable;
  private readonly marked = new Bitmap();
  private ring = new Uint32Array(64);
  private first = 0;
  private count = 0;
  /** Prefixes with numbers from here to before `end` are in the queue too, behind the others and without a mark. */
  private unmarked = 0;
  private end = 0;

  constructor(prefixes: PrefixTable) {
    this.prefixes = prefixes;
  }

  /** How many prefixes are in the queue, or may be. */
  get size(): number {
    return this.count + this.end - this.unmarked;
  }

  /** Marks all prefixes that there are. */
  markAll(): void {
    this.unmarked = 0;
    this.end = this.prefixes.end;
  }

  mark(id: number): void {
    const isIn = id >= this.unmarked && id < this.end;
    if (isIn || !this.marked.add(id)) return;
    this.prefixes.hold(id);
    if (this.count === this.ring.length) this.grow();
    this.ring[(this.first + this.count) & (this.ring.length - 1)] = id;
    this.count++;
  }

  /** The next prefix, or -1. The caller takes over the hold and ends it with `PrefixTable.release`. */
  take(): number {
    if (this.count === 0) return this.takeUnmarked();
    const id = this.ring[this.first];
    this.first = (this.first + 1) & (this.ring.length - 1);
    this.count--;
    this.marked.remove(id);
    return id;
  }

  private takeUnmarked(): number {
    while (this.unmarked < this.end) {
      const id = this.unmarked++;
      if (!this.prefixes.has(id)) continue;
      this.prefixes.hold(id);
      return id;
    }
    return -1;
  }

  /** Forgets prefixes, at most `budget` of them; returns how many are left. */
  clear(_from: number, budget: number): number {
    this.unmarked = this.end;
    for (let left = Math.min(budget, this.count); left > 0; left--) this.prefixes.release(this.take());
    return this.count;
  }

  private grow(): void {
    const grown = new Uint32Array(this.ring.length * 2);
    for (let i = 0; i < this.count; i++) grown[i] = this.ring[(this.first + i) & (this.ring.length - 1)];
    this.ring = grown;
    this.first = 0;
  }
}
