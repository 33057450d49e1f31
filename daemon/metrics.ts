/**
 * Metrics in Prometheus form. Nothing is counted twice: a family reads the daemon's own state when it is scraped.
 */
import { Counter, collectDefaultMetrics, Gauge, Registry } from '@prometheus-io/client';

/** One sample: the value and, in the order of the family's label names, its labels. */
export type Sample = readonly [value: number, ...labels: string[]];

/** The metrics of one daemon. */
export class Metrics {
  readonly #registry = new Registry();

  /** Process metrics included (CPU, memory, file descriptors, garbage collection, event-loop delay) by default. */
  constructor(options: { processMetrics: boolean } = { processMetrics: true }) {
    if (options.processMetrics) collectDefaultMetrics({ register: this.#registry });
  }

  /** A value that goes up and down; `read` is called at every scrape. */
  gauge(name: string, help: string, labels: readonly string[], read: () => Iterable<Sample>): void {
    const gauge = new Gauge({
      name,
      help,
      labelNames: labels,
      registers: [this.#registry],
      collect: () => {
        gauge.reset();
        for (const [value, ...texts] of read()) gauge.set(labelled(labels, texts), value);
      },
    });
  }

  /** A total that only grows, kept by the daemon; `read` is called at every scrape. Its name ends in `_total`. */
  counter(name: string, help: string, labels: readonly string[], read: () => Iterable<Sample>): void {
    const counter = new Counter({
      name,
      help,
      labelNames: labels,
      registers: [this.#registry],
      collect: () => {
        counter.reset();
        for (const [value, ...texts] of read()) counter.inc(labelled(labels, texts), value);
      },
    });
  }

  /** The exposition in text form, version 0.0.4. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  /** The media type that goes with `text`. */
  get contentType(): string {
    return this.#registry.contentType;
  }
}

function labelled(names: readonly string[], values: readonly string[]): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const [index, name] of names.entries()) labels[name] = values[index];
  return labels;
}
