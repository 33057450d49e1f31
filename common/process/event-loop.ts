/** How long work in this process waits for the event loop, and how long the slices of BGP work take. */
import { monitorEventLoopDelay, type RecordableHistogram } from 'node:perf_hooks';
import type { DurationsView, EventLoopView } from '../http/api-documents.ts';
import type { Metrics, Sample } from '../http/metrics.ts';

/** Milliseconds between two measurements of the delay. */
const INTERVAL_MS = 10;
const QUANTILES = [0.5, 0.99, 0.999, 1];

/** Durations in nanoseconds. Those of the delay include the interval. */
type Histogram = Pick<RecordableHistogram, 'count' | 'percentile'>;

/** `SpeakerHost.slices`. */
interface Slices {
  durations: RecordableHistogram;
  cpu: RecordableHistogram;
}

/** Measures the delays of the event loop, from its creation to `close`. */
export class EventLoopMonitor {
  readonly #delays = monitorEventLoopDelay({ resolution: INTERVAL_MS });
  readonly #slices: Slices;

  /** Starts measuring; `slices` has the durations and CPU times of the slices of BGP work, in nanoseconds. */
  constructor(slices: Slices) {
    this.#slices = slices;
    this.#delays.enable();
  }

  /** Everything since the start of the daemon. */
  view(): EventLoopView {
    return {
      load: loadOf(this.#delay(0.999)),
      delay: durations((share) => this.#delay(share)),
      slice: durations((share) => milliseconds(this.#slices.durations, share)),
      sliceCpu: durations((share) => milliseconds(this.#slices.cpu, share)),
    };
  }

  /** Adds the measurements to the metrics of the daemon. */
  addMetrics(metrics: Metrics): void {
    const samples = (read: (share: number) => number) => (): Sample[] =>
      QUANTILES.map((share): Sample => [read(share) / 1000, String(share)]);
    metrics.gauge(
      'flatroute_event_loop_delay_seconds',
      'Delay of timers by quantile since the start of the daemon',
      ['quantile'],
      samples((share) => this.#delay(share)),
    );
    metrics.gauge(
      'flatroute_slice_seconds',
      'Duration of one scheduling slice, from first input to last output, by quantile since the start of the daemon',
      ['quantile'],
      samples((share) => milliseconds(this.#slices.durations, share)),
    );
    metrics.gauge(
      'flatroute_slice_cpu_seconds',
      'CPU time of one scheduling slice by quantile since the start of the daemon',
      ['quantile'],
      samples((share) => milliseconds(this.#slices.cpu, share)),
    );
  }

  /** Stops measuring. */
  close(): void {
    this.#delays.disable();
  }

  #delay(share: number): number {
    return Math.max(0, milliseconds(this.#delays, share) - INTERVAL_MS);
  }
}

/** A delay that is exceeded only once in a thousand measurements, in ms, up to which the load is normal, or busy. */
const [NORMAL_MS, BUSY_MS] = [100, 1000];

function loadOf(delayMs: number): EventLoopView['load'] {
  if (delayMs <= NORMAL_MS) return 'normal';
  return delayMs <= BUSY_MS ? 'busy' : 'overloaded';
}

function milliseconds(histogram: Histogram, share: number): number {
  return histogram.count === 0 ? 0 : histogram.percentile(share * 100) / 1e6;
}

function durations(read: (share: number) => number): DurationsView {
  const [p50Ms, p99Ms, p999Ms, maxMs] = QUANTILES.map((share) => Math.round(read(share) * 1000) / 1000);
  return { p50Ms, p99Ms, p999Ms, maxMs };
}
