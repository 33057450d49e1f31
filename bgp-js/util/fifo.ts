/**
 * A queue in a ring that keeps its room. A Map or Set through which things pass all the time makes itself a new table
 * every few entries, each referring to the next, and those that have got old keep all later ones alive until a full
 * collection of garbage; an array's `shift` moves all others.
 */
export class Fifo<T> {
  /** Its length is a power of two. */
  private ring: (T | null)[] = [null, null, null, null];
  private first = 0;
  private count = 0;

  get size(): number {
    return this.count;
  }

  push(item: T): void {
    if (this.count === this.ring.length) this.grow();
    this.ring[(this.first + this.count) & (this.ring.length - 1)] = item;
    this.count++;
  }

  /** Takes the oldest entry out; null when there is none. */
  take(): T | null {
    if (this.count === 0) return null;
    const item = this.ring[this.first];
    this.ring[this.first] = null;
    this.first = (this.first + 1) & (this.ring.length - 1);
    this.count--;
    return item;
  }

  private grow(): void {
    const { ring, first, count } = this;
    this.ring = [];
    for (let i = 0; i < 2 * ring.length; i++) {
      this.ring.push(i < count ? ring[(first + i) & (ring.length - 1)] : null);
    }
    this.first = 0;
  }
}
