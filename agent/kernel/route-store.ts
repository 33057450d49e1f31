/**
 * The desired and the installed state of every route, without any I/O: which routes to write next, which ones failed
 * and when to retry them, and which ones the previous run has left. See the head of route-sync.ts.
 */
import type { IPPrefix } from 'bgp-js/ip';
import type { KernelError } from './error.ts';
import {
  describeInstalled,
  type EncodedTarget,
  type InstalledTarget,
  matchesTarget,
  parseRoute,
  RouteCursor,
} from './route.ts';

/** Entries that `sweep` checks between two pauses. */
const SWEEP_STEP = 2000;
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 30_000;

/** A change of a route's state. `lost`: another program removed or changed it, and it will be restored. */
export interface RouteEvent {
  prefix: IPPrefix;
  metric: number;
  what: 'installed' | 'removed' | 'failed' | 'lost';
  /** For `failed`: the first failure; retries that fail are not reported. */
  error?: KernelError;
}

/** The state of one route; there is exactly one for each prefix and metric. */
export interface RouteState {
  readonly prefix: IPPrefix;
  readonly metric: number;
  /** What the kernel should have; null: no route. */
  desired: EncodedTarget | null;
  /** Our route in the kernel, as far as known; null: no route. */
  installed: InstalledTarget | null;
  error: KernelError | null;
  /** Failures in a row. */
  attempts: number;
  /** When to retry, by performance.now(). */
  retryAt: number;
  /** The last dump that contained the route. */
  generation: number;
  /** Whether a route added by hand has replaced ours. The next write then replaces it. */
  replacedByHand: boolean;
  waiters: Waiter[] | null;
}

/** The callbacks of a promise that settles with the entry's next write. */
interface Waiter {
  resolve(): void;
  reject(error: Error): void;
}

/** Whether the kernel has the desired target, or no route where none is desired. */
export function isInSync(entry: RouteState): boolean {
  return entry.desired?.key === entry.installed?.key;
}

/** Every entry is in at most one of dirty, failed and stale; an entry in none of them is in sync. */
export class RouteStore {
  /** By metric, then by the prefix's key: few metrics, many prefixes. */
  readonly #entries = new Map<number, Map<number | string, RouteState>>();
  #size = 0;
  readonly #dirty = new Set<RouteState>();
  /** The dirty entries with waiters, which are written first. */
  readonly #urgent = new Set<RouteState>();
  #cursor = this.#dirty.values();
  readonly #failed = new Set<RouteState>();
  /** Routes found in the kernel that are not desired (yet). */
  readonly #stale = new Set<RouteState>();
  readonly #report: (event: RouteEvent) => void;
  readonly #route = new RouteCursor();
  #released = false;
  #generation = 0;
  /** How many times a route of ours was found missing or changed. */
  losses = 0;

  constructor(report: (event: RouteEvent) => void) {
    this.#report = report;
  }

  /** How many routes are desired, installed or both. */
  get size(): number {
    return this.#size;
  }

  /** How many routes are queued for a write. */
  get dirty(): number {
    return this.#dirty.size;
  }

  /** How many routes the kernel has refused. */
  get failed(): number {
    return this.#failed.size;
  }

  /** How many routes are in the kernel and not desired. */
  get stale(): number {
    return this.#stale.size;
  }

  find(prefix: IPPrefix, metric: number): RouteState | undefined {
    return this.#lookup(prefix.key, metric);
  }

  isStale(entry: RouteState): boolean {
    return this.#stale.has(entry);
  }

  /** Sets what the kernel should have. Returns whether a write is needed. @throws TypeError for a malformed metric */
  setDesired(prefix: IPPrefix, metric: number, encoded: EncodedTarget): boolean {
    const entry = this.find(prefix, metric) ?? this.#add(prefix, metric);
    if (entry.desired?.key === encoded.key && entry.error === null) return false;
    entry.desired = encoded;
    const found = entry.installed?.route;
    if (found && matchesTarget(encoded.target, found)) entry.installed = encoded;
    clearFailure(entry);
    this.queue(entry);
    return true;
  }

  /** Clears the desired state of a route. Returns whether a write is needed. */
  clearDesired(prefix: IPPrefix, metric: number): boolean {
    const entry = this.find(prefix, metric);
    if (entry === undefined) return false;
    entry.desired = null;
    clearFailure(entry);
    if (entry.waiters) settleWaiters(entry, new Error(`route ${prefix} metric ${metric} was removed`));
    this.queue(entry);
    return true;
  }

  /** Resolves or rejects as `RouteSync.whenInstalled` documents. */
  whenInstalled(prefix: IPPrefix, metric: number): Promise<void> {
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

  /** Queues the entry for the next write. */
  queue(entry: RouteState): void {
    this.#failed.delete(entry);
    this.#stale.delete(entry);
    this.#dirty.add(entry);
  }

  /** Takes the next entry to write from the queue; undefined when everything is in sync. */
  takeNext(): RouteState | undefined {
    for (;;) {
      const entry = this.#next();
      if (entry === undefined) return undefined;
      this.#urgent.delete(entry);
      this.#dirty.delete(entry);
      if (!isInSync(entry)) return entry;
      this.#finish(entry);
    }
  }

  /** Records a successful write: the kernel now has `target`, or no route of ours. */
  onWritten(entry: RouteState, target: EncodedTarget | null): void {
    entry.installed = target;
    entry.replacedByHand = false;
    if (!isInSync(entry)) {
      this.queue(entry);
      return;
    }
    this.#report({ prefix: entry.prefix, metric: entry.metric, what: target ? 'installed' : 'removed' });
    this.#finish(entry);
  }

  /** Records that the kernel refused `target`. Schedules a retry after 0.5 s, then twice as long, up to 30 s. */
  onRefused(entry: RouteState, target: EncodedTarget | null, error: KernelError, now: number): void {
    if (entry.desired !== target) {
      this.queue(entry); // the desired state has changed meanwhile
      return;
    }
    if (entry.attempts === 0) {
      this.#report({ prefix: entry.prefix, metric: entry.metric, what: 'failed', error });
    }
    entry.replacedByHand = false;
    entry.error = error;
    entry.retryAt = now + Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** entry.attempts);
    entry.attempts++;
    this.#dirty.delete(entry);
    this.#failed.add(entry);
    settleWaiters(entry, error);
  }

  /** Queues the failed routes whose retry is due; with `now` Infinity, all of them. */
  retry(now: number): void {
    for (const entry of this.#failed) if (entry.retryAt <= now) this.queue(entry);
  }

  /** When the next retry is due, or Infinity. */
  nextRetry(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const entry of this.#failed) next = Math.min(next, entry.retryAt);
    return next;
  }

  /** Queues the stale routes for deletion and returns their number; from now on undesired routes are deleted immediately. */
  releaseStale(): number {
    this.#released = true;
    const count = this.#stale.size;
    for (const entry of this.#stale) this.queue(entry);
    return count;
  }

  /** Starts a dump: call `observe` for each route in it, then `sweep`. */
  startDump(): void {
    this.#generation++;
  }

  /** Records a route of ours that is in the kernel. The fixed part of its message starts at `start`. */
  readonly observe = (buffer: Buffer, start: number, end: number): void => {
    const cursor = this.#route;
    if (!cursor.locate(buffer, start, end)) return;
    const { metric } = cursor;
    const entry = this.#lookup(cursor.prefixKey, metric) ?? this.#add(cursor.prefix, metric);
    entry.generation = this.#generation;
    const { desired } = entry;
    if (desired?.shape && cursor.hasShape(desired.shape)) {
      this.#setInstalled(entry, desired);
      return;
    }
    const route = parseRoute(buffer, start, end);
    if (route === null) return;
    if (desired !== null && matchesTarget(desired.target, route)) {
      desired.shape = cursor.capture();
      this.#setInstalled(entry, desired);
    } else this.#setInstalled(entry, describeInstalled(route));
  };

  /** Records that a route of ours is no longer in the kernel. */
  observeGone(prefix: IPPrefix, metric: number): void {
    const entry = this.find(prefix, metric);
    if (entry) this.#setInstalled(entry, null);
  }

  /** Records that a route added by hand has replaced ours. The next write replaces it. */
  observeReplaced(prefix: IPPrefix, metric: number): void {
    const entry = this.find(prefix, metric);
    if (!entry?.installed) return;
    entry.replacedByHand = true;
    this.#setInstalled(entry, null);
  }

  /** Marks the routes that were not in the dump as gone. Yields now and then, so that the event loop can turn. */
  *sweep(): Generator<void> {
    let steps = 0;
    for (const entry of this.#all()) {
      if (entry.installed !== null && entry.generation !== this.#generation) this.#setInstalled(entry, null);
      if (++steps % SWEEP_STEP === 0) yield;
    }
  }

  /** Rejects all waiters. */
  rejectWaiters(error: Error): void {
    for (const entry of this.#all()) settleWaiters(entry, error);
  }

  /** The desired entry with the lowest metric for a prefix. */
  lowest(prefix: IPPrefix): RouteState | undefined {
    let best: RouteState | undefined;
    for (const entries of this.#entries.values()) {
      const entry = entries.get(prefix.key);
      if (entry?.desired && (best === undefined || entry.metric < best.metric)) best = entry;
    }
    return best;
  }

  *#all(): Generator<RouteState> {
    for (const entries of this.#entries.values()) yield* entries.values();
  }

  #lookup(key: number | string, metric: number): RouteState | undefined {
    return this.#entries.get(metric)?.get(key);
  }

  #next(): RouteState | undefined {
    for (const entry of this.#urgent) return entry;
    // Reuses one iterator for a burst: each new one would skip all deleted members again.
    let { value } = this.#cursor.next();
    if (value === undefined) {
      this.#cursor = this.#dirty.values();
      value = this.#cursor.next().value;
    }
    return value;
  }

  #add(prefix: IPPrefix, metric: number): RouteState {
    if (!Number.isInteger(metric) || metric < 0 || metric > 0xffffffff) {
      throw new TypeError(`the metric of ${prefix} is ${metric}: it must be a whole number of 32 bits`);
    }
    const entry: RouteState = {
      prefix,
      metric,
      desired: null,
      installed: null,
      error: null,
      attempts: 0,
      retryAt: 0,
      generation: this.#generation,
      replacedByHand: false,
      waiters: null,
    };
    let entries = this.#entries.get(metric);
    if (entries === undefined) {
      entries = new Map();
      this.#entries.set(metric, entries);
    }
    entries.set(prefix.key, entry);
    this.#size++;
    return entry;
  }

  #setInstalled(entry: RouteState, installed: InstalledTarget | null): void {
    const wasInSync = entry.desired !== null && isInSync(entry);
    entry.installed = installed;
    if (isInSync(entry)) this.#finish(entry);
    else if (this.#dirty.has(entry) || this.#failed.has(entry)) {
      // A write is due already, now or at the retry.
    } else if (entry.desired === null && !this.#released) this.#stale.add(entry);
    else this.queue(entry);
    if (wasInSync && !isInSync(entry)) {
      this.losses++;
      this.#report({ prefix: entry.prefix, metric: entry.metric, what: 'lost' });
    }
  }

  /** Removes an entry that is in sync from the queues, and from the store if it is not desired. */
  #finish(entry: RouteState): void {
    clearFailure(entry);
    for (const set of [this.#urgent, this.#dirty, this.#failed, this.#stale]) set.delete(entry);
    if (entry.desired === null && this.find(entry.prefix, entry.metric) === entry) this.#remove(entry);
    settleWaiters(entry, null);
  }

  #remove(entry: RouteState): void {
    const entries = this.#entries.get(entry.metric);
    if (!entries?.delete(entry.prefix.key)) return;
    this.#size--;
    if (entries.size === 0) this.#entries.delete(entry.metric);
  }
}

function clearFailure(entry: RouteState): void {
  entry.error = null;
  entry.attempts = 0;
  entry.retryAt = 0;
}

function settleWaiters(entry: RouteState, error: Error | null): void {
  const waiters = entry.waiters;
  entry.waiters = null;
  for (const waiter of waiters ?? []) {
    if (error) waiter.reject(error);
    else waiter.resolve();
  }
}
