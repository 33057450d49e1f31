/**
 * A queue in a ring buffer, which allocates nothing while entries pass through. A Map or Set rebuilds its table every few
 * entries, and old tables keep later ones alive until a full garbage collection; an array's `shift` moves all entries.
 */
export class Fifo<T> {
  /** A ring; its length is a power of two. */
  private ring: (T | null)[] = [null, null, null, null];
  private first = 0;
  private count = 0;

  /** How many entries the queue has. */
  get size(): number {
    return this.count;
  }

  /** Adds an entry at the end. */
  push(item: T): void {
    if (this.count === this.ring.length) this.grow();
    this.ring[(this.first + this.count) & (this.ring.length - 1)] = item;
    this.count++;
  }

  /** Removes and returns the oldest entry; null when there is none. */
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
