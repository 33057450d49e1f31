/** Items after which the clock is looked at. */
const AT_ONCE = 16;

/**
 * What a speaker wants done, or has to tell. A thousand sessions may come or go at once: what there is no time for
 * waits, and comes first the next time.
 */
export class DeferredQueue<T> {
  private readonly each: (item: T) => void;
  private waiting: readonly T[] = [];

  /** @param each does what one of them is about. */
  constructor(each: (item: T) => void) {
    this.each = each;
  }

  /** Goes through what waits and what came, a part at least, until the time is up; false when some wait. */
  handle(came: readonly T[], isTimeUp: () => boolean): boolean {
    const items = this.waiting.length === 0 ? came : [...this.waiting, ...came];
    this.waiting = [];
    let done = 0;
    try {
      for (const item of items) {
        done++;
        this.each(item);
        if (done % AT_ONCE === 0 && isTimeUp()) break;
      }
    } finally {
      if (done < items.length) this.waiting = [...items.slice(done), ...this.waiting];
    }
    return this.waiting.length === 0;
  }
}
