interface Scheduled {
  at: number;
  sequence: number;
  run: () => void;
}

/** Scheduled events: a binary heap by time; events of the same time run in the order of scheduling. */
export class EventQueue {
  private readonly heap: Scheduled[] = [];
  private sequence = 0;

  /** When the next event is due; Infinity when there is none. */
  get nextAt(): number {
    return this.heap.length === 0 ? Number.POSITIVE_INFINITY : this.heap[0].at;
  }

  schedule(at: number, run: () => void): void {
    const { heap } = this;
    heap.push({ at, sequence: this.sequence++, run });
    let i = heap.length - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!before(heap[i], heap[parent])) break;
      [heap[i], heap[parent]] = [heap[parent], heap[i]];
      i = parent;
    }
  }

  /** Runs everything that is due at `now`. */
  runUntil(now: number): void {
    while (this.nextAt <= now) this.pop().run();
  }

  private pop(): Scheduled {
    const { heap } = this;
    const first = heap[0];
    const last = heap.pop();
    if (heap.length === 0 || !last) return first;
    heap[0] = last;
    for (let i = 0; ; ) {
      let least = i;
      for (const child of [2 * i + 1, 2 * i + 2]) {
        if (child < heap.length && before(heap[child], heap[least])) least = child;
      }
      if (least === i) return first;
      [heap[i], heap[least]] = [heap[least], heap[i]];
      i = least;
    }
  }
}

const before = (a: Scheduled, b: Scheduled): boolean =>
  a.at < b.at || (a.at === b.at && a.sequence < b.sequence);
