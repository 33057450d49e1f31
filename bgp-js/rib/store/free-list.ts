import { Bitmap, U32Column } from './column.ts';

/**
 * Numbers that nothing refers to any more. Their entries stay for the time being: a route that went often comes back,
 * and a whole table that goes is not to wait for its remains to be cleared away.
 */
export class FreeList {
  /** How many there are. */
  size = 0;
  private readonly listed = new Bitmap();
  private readonly list = new U32Column();

  /** Notes a number; each is in the list at most once. */
  add(id: number): void {
    if (!this.listed.add(id)) return;
    this.list.ensure(this.size);
    this.list.values[this.size++] = id;
  }

  /** The number that was noted last, which may be in use again, or -1. */
  take(): number {
    if (this.size === 0) return -1;
    const id = this.list.values[--this.size];
    this.listed.remove(id);
    return id;
  }
}
