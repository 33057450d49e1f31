import { Bitmap } from './column.ts';
import type { PrefixTable } from './prefix-table.ts';

/**
 * Prefixes whose route changed and that a reader has yet to look at, in order of their first change, each at most
 * once. A prefix in the queue is held, so that its number stays its own.
 */
export class DirtyQueue {
  private readonly prefixes: PrefixTable;
  private readonly marked = new Bitmap();
  private ring = new Uint32Array(64);
  private first = 0;
  size = 0;

  constructor(prefixes: PrefixTable) {
    this.prefixes = prefixes;
  }

  mark(id: number): void {
    if (!this.marked.add(id)) return;
    this.prefixes.hold(id);
    if (this.size === this.ring.length) this.grow();
    this.ring[(this.first + this.size) & (this.ring.length - 1)] = id;
    this.size++;
  }

  /** The next prefix, or -1. The caller takes over the hold and ends it with `PrefixTable.release`. */
  take(): number {
    if (this.size === 0) return -1;
    const id = this.ring[this.first];
    this.first = (this.first + 1) & (this.ring.length - 1);
    this.size--;
    this.marked.remove(id);
    return id;
  }

  /** Forgets everything. */
  clear(): void {
    for (let id = this.take(); id >= 0; id = this.take()) this.prefixes.release(id);
  }

  private grow(): void {
    const grown = new Uint32Array(this.ring.length * 2);
    for (let i = 0; i < this.size; i++) grown[i] = this.ring[(this.first + i) & (this.ring.length - 1)];
    this.ring = grown;
    this.first = 0;
  }
}
