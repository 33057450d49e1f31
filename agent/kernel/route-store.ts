/**
 * What is wanted in the routing table and what is known to be there, without any I/O: which routes have to be
 * written next, which failed and when they are tried again, which are left over from a former run.
 */
import type { KernelError } from './error.ts';
import { writePrefix } from './ip.ts';
import {
  describeInstalled,
  type EncodedTarget,
  type InstalledTarget,
  matchesTarget,
  parseRoute,
} from './route.ts';
import {
  clearFailure,
  createEntry,
  type Entry,
  entryKey,
  isInSync,
  noteFailure,
  settle,
} from './route-entry.ts';
import { RouteCursor } from './route-shape.ts';

const SWEEP_STEP = 2000;
const SCRATCH = Buffer.alloc(4);

/** What became of a route. `lost`: somebody removed or changed it, and it will be put back. */
export interface RouteEvent {
  prefix: string;
  metric: number;
  what: 'installed' | 'removed' | 'failed' | 'lost';
  /** For `failed`: the first failure; retries that fail are not reported. */
  error?: KernelError;
}

/** Every route belongs to at most one of dirty, failed and stale; in none of them, it is as wanted. */
export class RouteStore {
  readonly #entries = new Map<string, Entry>();
  readonly #dirty = new Set<Entry>();
  /** The part of dirty that somebody waits for. */
  readonly #urgent = new Set<Entry>();
  #cursor = this.#dirty.values();
  readonly #failed = new Set<Entry>();
  readonly #stale = new Set<Entry>();
  readonly #report: (event: RouteEvent) => void;
  readonly #route = new RouteCursor();
  #released = false;
  #generation = 0;
  /** How often a route of ours was found missing or changed. */
  losses = 0;

  constructor(report: (event: RouteEvent) => void) {
    this.#report = report;
  }

  get size(): number {
    return this.#entries.size;
  }
  get dirty(): number {
    return this.#dirty.size;
  }
  get failed(): number {
    return this.#failed.size;
  }
  get stale(): number {
    return this.#stale.size;
  }

  find(prefix: string, metric: number): Entry | undefined {
    return this.#entries.get(entryKey(prefix, metric));
  }

  isStale(entry: Entry): boolean {
    return this.#stale.has(entry);
  }

  /** Wants `encoded` there. Returns whether something has to be written. @throws TypeError */
  want(prefix: string, metric: number, encoded: EncodedTarget): boolean {
    const entry = this.find(prefix, metric) ?? this.#add(prefix, metric);
    if (entry.desired?.key === encoded.key && entry.error === null) return false;
    entry.desired = encoded;
    const found = entry.installed?.route;
    if (found && matchesTarget(encoded.target, found)) entry.installed = encoded;
    clearFailure(entry);
    this.queue(entry);
    return true;
  }

  /** Wants nothing there. Returns whether something has to be written. */
  unwant(prefix: string, metric: number): boolean {
    const entry = this.find(prefix, metric);
    if (entry === undefined) return false;
    entry.desired = null;
    clearFailure(entry);
    if (entry.waiters) settle(entry, new Error(`route ${prefix} metric ${metric} is not wanted any more`));
    this.queue(entry);
    return true;
  }

  /** Resolves or rejects as `RouteSync.whenInstalled` says. */
  whenInstalled(prefix: string, metric: number): Promise<void> {
    const entry = this.find(prefix, metric);
    if (!entry?.desired) return Promise.reject(new Error(`route ${prefix} metric ${metric} is not wanted`));
    if (entry.error !== null) return Promise.reject(entry.error);
    if (isInSync(entry) && !this.#dirty.has(entry)) return Promise.resolve();
    if (this.#dirty.has(entry)) this.#urgent.add(entry);
    return new Promise((resolve, reject) => {
      entry.waiters ??= [];
      entry.waiters.push({ resolve, reject });
    });
  }

  /** Has the entry written next time. */
  queue(entry: Entry): void {
    this.#failed.delete(entry);
    this.#stale.delete(entry);
    this.#dirty.add(entry);
  }

  /** The next entry to write, which leaves the queue; undefined when all is written. */
  take(): Entry | undefined {
    for (;;) {
      const entry = this.#next();
      if (entry === undefined) return undefined;
      this.#urgent.delete(entry);
      this.#dirty.delete(entry);
      if (!isInSync(entry)) return entry;
      this.#finish(entry);
    }
  }

  /** The kernel did what was asked for: it has `target` now, or no route of ours. */
  succeeded(entry: Entry, target: EncodedTarget | null): void {
    entry.installed = target;
    entry.takeBack = false;
    if (!isInSync(entry)) {
      this.queue(entry);
      return;
    }
    this.#report({ prefix: entry.prefix, metric: entry.metric, what: target ? 'installed' : 'removed' });
    this.#finish(entry);
  }

  /** The kernel refused to make the route `target`. */
  refused(entry: Entry, target: EncodedTarget | null, error: KernelError, now: number): void {
    if (entry.desired !== target) {
      this.queue(entry); // something else is wanted by now
      return;
    }
    if (entry.attempts === 0) {
      this.#report({ prefix: entry.prefix, metric: entry.metric, what: 'failed', error });
    }
    entry.takeBack = false;
    noteFailure(entry, error, now);
    this.#dirty.delete(entry);
    this.#failed.add(entry);
    settle(entry, error);
  }

  /** Queues the failed routes whose time has come; with `now` Infinity, all of them. */
  retry(now: number): void {
    for (const entry of this.#failed) if (entry.retryAt <= now) this.queue(entry);
  }

  /** When the next failed route is due, or Infinity. */
  nextRetry(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const entry of this.#failed) next = Math.min(next, entry.retryAt);
    return next;
  }

  /** Queues everything found at start and not claimed; unclaimed routes are deleted from now on. */
  releaseStale(): number {
    this.#released = true;
    const count = this.#stale.size;
    for (const entry of this.#stale) this.queue(entry);
    return count;
  }

  /** A dump begins: `observe` what it shows, then `sweep`. */
  beginDump(): void {
    this.#generation++;
  }

  /** A route of ours is in the kernel: an IPv4 route message whose fixed part begins at `start`. */
  readonly observe = (buffer: Buffer, start: number, end: number): void => {
    const cursor = this.#route;
    cursor.locate(buffer, start, end);
    const { prefix, metricValue: metric } = cursor;
    const entry = this.find(prefix, metric) ?? this.#add(prefix, metric);
    entry.generation = this.#generation;
    const { desired } = entry;
    if (desired?.shape && cursor.hasShape(desired.shape)) {
      this.#learn(entry, desired);
      return;
    }
    const route = parseRoute(buffer, start, end);
    if (route === null) return;
    if (desired !== null && matchesTarget(desired.target, route)) {
      desired.shape = cursor.capture();
      this.#learn(entry, desired);
    } else this.#learn(entry, describeInstalled(route));
  };

  /** A route of ours is not in the kernel any more. */
  observeGone(prefix: string, metric: number): void {
    const entry = this.find(prefix, metric);
    if (entry) this.#learn(entry, null);
  }

  /** Somebody put a route typed by hand in the place of ours, which replaces it again. */
  observeReplaced(prefix: string, metric: number): void {
    const entry = this.find(prefix, metric);
    if (!entry?.installed) return;
    entry.takeBack = true;
    this.#learn(entry, null);
  }

  /** Takes what the dump did not show for gone; pauses now and then to let others work. */
  *sweep(): Generator<void> {
    let steps = 0;
    for (const entry of this.#entries.values()) {
      if (entry.installed !== null && entry.generation !== this.#generation) this.#learn(entry, null);
      if (++steps % SWEEP_STEP === 0) yield;
    }
  }

  /** Rejects everybody who still waits. */
  abandon(error: Error): void {
    for (const entry of this.#entries.values()) settle(entry, error);
  }

  /** The wanted entry of the lowest metric for a prefix. Looks at all: for views only. */
  lowest(prefix: string): Entry | undefined {
    let best: Entry | undefined;
    for (const entry of this.#entries.values()) {
      if (entry.prefix !== prefix || entry.desired === null) continue;
      if (best === undefined || entry.metric < best.metric) best = entry;
    }
    return best;
  }

  #next(): Entry | undefined {
    for (const entry of this.#urgent) return entry;
    // One iterator goes through a whole burst: a fresh one would walk over everything deleted before, each time.
    let { value } = this.#cursor.next();
    if (value === undefined) {
      this.#cursor = this.#dirty.values();
      value = this.#cursor.next().value;
    }
    return value;
  }

  #add(prefix: string, metric: number): Entry {
    writePrefix(prefix, SCRATCH, 0);
    if (!Number.isInteger(metric) || metric < 0 || metric > 0xffffffff) {
      throw new TypeError(`the metric of ${prefix} is ${metric}: it must be a whole number of 32 bits`);
    }
    const entry = createEntry(prefix, metric);
    entry.generation = this.#generation;
    this.#entries.set(entryKey(prefix, metric), entry);
    return entry;
  }

  #learn(entry: Entry, installed: InstalledTarget | null): void {
    const wasInSync = entry.desired !== null && isInSync(entry);
    entry.installed = installed;
    if (isInSync(entry)) this.#finish(entry);
    else if (this.#dirty.has(entry) || this.#failed.has(entry)) {
      // it is written anyway, or tried again in its time
    } else if (entry.desired === null && !this.#released) this.#stale.add(entry);
    else this.queue(entry);
    if (wasInSync && !isInSync(entry)) {
      this.losses++;
      this.#report({ prefix: entry.prefix, metric: entry.metric, what: 'lost' });
    }
  }

  /** The entry is as wanted. */
  #finish(entry: Entry): void {
    clearFailure(entry);
    for (const set of [this.#urgent, this.#dirty, this.#failed, this.#stale]) set.delete(entry);
    const key = entryKey(entry.prefix, entry.metric);
    if (entry.desired === null && this.#entries.get(key) === entry) this.#entries.delete(key);
    settle(entry, null);
  }
}
