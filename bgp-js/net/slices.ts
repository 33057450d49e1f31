/** What a host needs to work in slices: a queue for what one slice has no time for, and how long slices take. */
import { createHistogram } from 'node:perf_hooks';

/** Items handled between two readings of the clock. */
const BATCH = 16;

/** Items that are handled in order, as far as time allows; the rest comes first the next time. */
export class DeferredQueue<T> {
  private readonly onItem: (item: T) => void;
  private deferred: readonly T[] = [];

  /** @param onItem handles one item. */
  constructor(onItem: (item: T) => void) {
    this.onItem = onItem;
  }

  /** Handles deferred items, then new ones: one batch at least, until the time is up. False when some are left. */
  handle(added: readonly T[], isTimeUp: () => boolean): boolean {
    const items = this.deferred.length === 0 ? added : [...this.deferred, ...added];
    this.deferred = [];
    let done = 0;
    try {
      for (const item of items) {
        done++;
        this.onItem(item);
        if (done % BATCH === 0 && isTimeUp()) break;
      }
    } finally {
      // A handler may have called `handle` itself, and left items behind those of this call.
      if (done < items.length) this.deferred = [...items.slice(done), ...this.deferred];
    }
    return this.deferred.length === 0;
  }
}

/** How long the slices of a host took, for metrics. */
export class SliceTimes {
  count = 0;
  /** The longest slice so far, in ms. */
  longestMs = 0;
  /** Wall-clock durations in nanoseconds. */
  readonly durations = createHistogram();
  /**
   * The thread's CPU time in each slice, in nanoseconds. The rest of a slice's duration the core belonged to other
   * threads.
   */
  readonly cpu = createHistogram();
  /** When the current slice began, in ms; 0 between slices. */
  private startedAt = 0;
  private cpuBefore = threadCpuUsage();

  /** Begins a slice at `now` (ms), unless one has begun. Returns the time at which it began. */
  begin(now: number): number {
    if (this.startedAt === 0) {
      this.startedAt = now;
      this.cpuBefore = threadCpuUsage();
    }
    return this.startedAt;
  }

  /** Ends the slice at `now` (ms). */
  end(now: number): void {
    const duration = now - this.startedAt;
    this.startedAt = 0;
    this.count++;
    this.longestMs = Math.max(this.longestMs, duration);
    // The histogram refuses 0.
    this.durations.record(Math.ceil(duration * 1e6) + 1);
    this.cpu.record((threadCpuUsage() - this.cpuBefore) * 1000 + 1);
  }
}

/**
 * The thread's CPU time in microseconds; Node.js before 24 knows the process's alone. The kernel updates the thread's at
 * its ticks, and when the process's is read.
 */
function threadCpuUsage(): number {
  const whole = process.cpuUsage();
  const { user, system } = process.threadCpuUsage?.() ?? whole;
  return user + system;
}
