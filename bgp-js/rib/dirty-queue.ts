import { Bitmap } from './store/column.ts';
import { NO_PREFIX, type PrefixId } from './store/ids.ts';
import type { PrefixTable } from './store/prefix-table.ts';

/**
 * Prefixes whose routes changed and that a reader has yet to read, in the order of their first change, each at most
 * once. A prefix in the queue is held, so that its number is not reused.
 */
export class DirtyQueue {
  private readonly prefixes: PrefixTable;
  private readonly marked = new Bitmap<PrefixId>();
  private ring = new Uint32Array(64);
  private first = 0;
  private count = 0;
  /** Prefixes from `unmarked` to before `end` are in the queue too, behind the others, without mark or hold. */
  private unmarked = 0;
  private end = 0;

  constructor(prefixes: PrefixTable) {
    this.prefixes = prefixes;
  }

  /** At most so many prefixes are in the queue; 0: it is empty. */
  get size(): number {
    return this.count + this.end - this.unmarked;
  }

  /** Puts all prefixes into the queue. */
  markAll(): void {
    this.unmarked = 0;
    this.end = this.prefixes.end;
  }

  /** Puts a prefix into the queue unless it is in there already. */
  mark(id: PrefixId): void {
    const isIn = id >= this.unmarked && id < this.end;
    if (isIn || !this.marked.add(id)) return;
    this.prefixes.hold(id);
    if (this.count === this.ring.length) this.grow();
    this.ring[(this.first + this.count) & (this.ring.length - 1)] = id;
    this.count++;
  }

  /** Takes out the next prefix; NO_PREFIX when the queue is empty. The caller inherits the hold and releases the prefix. */
  take(): PrefixId {
    if (this.count === 0) return this.takeUnmarked();
    const id = this.ring[this.first] as PrefixId;
    this.first = (this.first + 1) & (this.ring.length - 1);
    this.count--;
    this.marked.remove(id);
    return id;
  }

  private takeUnmarked(): PrefixId {
    while (this.unmarked < this.end) {
      const id = this.unmarked++ as PrefixId;
      if (!this.prefixes.has(id)) continue;
      this.prefixes.hold(id);
      return id;
    }
    return NO_PREFIX;
  }

  /** Empties the queue, at most `budget` prefixes at a time; returns how many are left. */
  clear(_from: number, budget: number): number {
    this.unmarked = this.end;
    for (let left = budget; left > 0; left--) {
      const id = this.take();
      if (id === NO_PREFIX) break;
      this.prefixes.release(id);
    }
    return this.count;
  }

  private grow(): void {
    const grown = new Uint32Array(this.ring.length * 2);
    for (let i = 0; i < this.count; i++) grown[i] = this.ring[(this.first + i) & (this.ring.length - 1)];
    this.ring = grown;
    this.first = 0;
  }
}
