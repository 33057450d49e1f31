/** How long work in this process waits for its turn, and how long turns of BGP work take. */
import { monitorEventLoopDelay, type RecordableHistogram } from 'node:perf_hooks';
import type { DurationsView, EventLoopView } from '../http/api-documents.ts';
import type { Metrics, Sample } from '../http/metrics.ts';

/** Milliseconds between the measurements of the delay. */
const INTERVAL_MS = 10;
const QUANTILES = [0.5, 0.99, 0.999, 1];

/** Durations in nanoseconds; in that of delays the interval is part of each. */
type Histogram = Pick<RecordableHistogram, 'count' | 'percentile'>;

/** The slices of a host: those of `SpeakerHost.slices`. */
interface Slices {
  durations: RecordableHistogram;
  cpu: RecordableHistogram;
}

export class EventLoopMonitor {
  readonly #delays = monitorEventLoopDelay({ resolution: INTERVAL_MS });
  readonly #slices: Slices;

  /** Measures from now on; `slices` has the durations and CPU times of the slices of BGP work, in nanoseconds. */
  constructor(slices: Slices) {
    this.#slices = slices;
    this.#delays.enable();
  }

  /** Both since the start of the daemon. */
  view(): EventLoopView {
    return {
      delay: durations((share) => this.#delay(share)),
      slice: durations((share) => milliseconds(this.#slices.durations, share)),
      sliceCpu: durations((share) => milliseconds(this.#slices.cpu, share)),
    };
  }

  /** Adds both to the metrics of the daemon. */
  addMetrics(metrics: Metrics): void {
    const samples = (read: (share: number) => number) => (): Sample[] =>
      QUANTILES.map((share): Sample => [read(share) / 1000, String(share)]);
    metrics.gauge(
      'flatroute_event_loop_delay_seconds',
      'How late timers of the daemon were, by quantile, since its start',
      ['quantile'],
      samples((share) => this.#delay(share)),
    );
    metrics.gauge(
      'flatroute_slice_seconds',
      'How long slices of BGP work took, by quantile, since the start of the daemon',
      ['quantile'],
      samples((share) => milliseconds(this.#slices.durations, share)),
    );
    metrics.gauge(
      'flatroute_slice_cpu_seconds',
      'CPU time of slices of BGP work, by quantile, since the start of the daemon',
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

function milliseconds(histogram: Histogram, share: number): number {
  return histogram.count === 0 ? 0 : histogram.percentile(share * 100) / 1e6;
}

function durations(read: (share: number) => number): DurationsView {
  const [p50Ms, p99Ms, p999Ms, maxMs] = QUANTILES.map((share) => Math.round(read(share) * 1000) / 1000);
  return { p50Ms, p99Ms, p999Ms, maxMs };
}
