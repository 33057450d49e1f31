import { createHistogram } from 'node:perf_hooks';

/** How long the slices of a host took, for metrics. */
export class SliceTimes {
  /** How many there were. */
  count = 0;
  /** The longest one; ms. */
  longestMs = 0;
  /** In nanoseconds. */
  readonly durations = createHistogram();
  /** The CPU times of the thread in them, in nanoseconds; what they took besides, other processes had the core. */
  readonly cpu = createHistogram();
  /** When the present one began; 0: there is none. */
  private begun = 0;
  private cpuBefore = threadCpuUsage();

  /** A slice begins at `now`, in ms, unless one has begun already; returns when it began. */
  begin(now: number): number {
    if (this.begun === 0) {
      this.begun = now;
      this.cpuBefore = threadCpuUsage();
    }
    return this.begun;
  }

  /** It ends at `now`. */
  end(now: number): void {
    const took = now - this.begun;
    this.begun = 0;
    const { user, system } = threadCpuUsage();
    this.count++;
    this.longestMs = Math.max(this.longestMs, took);
    // A histogram has no place for 0.
    this.durations.record(Math.ceil(took * 1e6) + 1);
    const before = this.cpuBefore.user + this.cpuBefore.system;
    this.cpu.record((user + system - before) * 1000 + 1);
  }
}

/** In microseconds. The kernel brings a thread's time up to date at its ticks, and when the whole process's is asked for. */
function threadCpuUsage(): NodeJS.CpuUsage {
  process.cpuUsage();
  return process.threadCpuUsage();
}
