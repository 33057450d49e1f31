/**
 * Metrics in the text format of Prometheus. A family has no counters of its own, it reads the daemon's state at every
 * scrape. A thousand peers make ten thousand lines, so they are written in short slices, which the registry of the
 * metrics library cannot do; that registry only has the process metrics.
 */
import { setImmediate } from 'node:timers/promises';
import type { Registry } from '@prometheus-io/client';
import { TimeSlicing } from '../process/time-slicing.ts';

/** The value, and the labels in the order of the family's label names. */
export type Sample = readonly [value: number, ...labels: string[]];

interface Family {
  name: string;
  help: string;
  type: 'gauge' | 'counter';
  labels: readonly string[];
  read(): Iterable<Sample>;
}

/** Samples written in one piece of work. */
const PIECE = 200;

/** The metrics of one daemon. */
export class Metrics {
  readonly #hasProcessMetrics: boolean;
  /** Loaded at the first scrape: a daemon that is not scraped is 4 MB smaller. */
  #registry: Promise<Registry> | undefined;
  readonly #families: Family[] = [];
  readonly #preparations: (() => Iterable<void>)[] = [];
  readonly #work = new TimeSlicing();

  /**
   * Includes process metrics by default: CPU, memory, file descriptors, and, counted from the first scrape on, garbage
   * collection and event-loop delay.
   */
  constructor(options: { processMetrics: boolean } = { processMetrics: true }) {
    this.#hasProcessMetrics = options.processMetrics;
  }

  /** Adds a value that goes up and down; `read` is called at every scrape. */
  gauge(name: string, help: string, labels: readonly string[], read: () => Iterable<Sample>): void {
    this.#families.push({ name, help, type: 'gauge', labels, read });
  }

  /** Adds a total that only grows; `read` is called at every scrape. Its name ends in `_total`. */
  counter(name: string, help: string, labels: readonly string[], read: () => Iterable<Sample>): void {
    this.#families.push({ name, help, type: 'counter', labels, read });
  }

  /** Runs `prepare` at the start of every scrape, for state that several families read; it yields often. */
  beforeScrape(prepare: () => Iterable<void>): void {
    this.#preparations.push(prepare);
  }

  /** The exposition, text format 0.0.4. */
  async text(): Promise<string> {
    const own = await this.#work.run(() => this.#write());
    await setImmediate();
    if (!this.#hasProcessMetrics) return own;
    this.#registry ??= processRegistry();
    const process = await (await this.#registry).metrics();
    await setImmediate();
    return own + process;
  }

  *#write(): Generator<void, string> {
    for (const prepare of this.#preparations) yield* prepare();
    const parts: string[] = [];
    for (const { name, help, type, labels, read } of this.#families) {
      let lines = [`# HELP ${name} ${escaped(help)}\n# TYPE ${name} ${type}\n`];
      for (const [value, ...texts] of read()) {
        lines.push(`${name}${labelled(labels, texts)} ${formatted(value)}\n`);
        if (lines.length < PIECE) continue;
        parts.push(lines.join(''));
        lines = [];
        yield;
      }
      parts.push(lines.join(''));
      yield;
    }
    return parts.join('');
  }
}

async function processRegistry(): Promise<Registry> {
  const { collectDefaultMetrics, Registry } = await import('@prometheus-io/client');
  const register = new Registry();
  collectDefaultMetrics({ register });
  return register;
}

function labelled(names: readonly string[], values: readonly string[]): string {
  if (names.length === 0) return '';
  const pairs = names.map((name, index) => `${name}="${escaped(values[index]).replace(/"/g, '\\"')}"`);
  return `{${pairs.join(',')}}`;
}

function escaped(text: string): string {
  return text.replace(/\\/g, '\\\\').replace(/\n/g, '\\n');
}

function formatted(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value);
}
