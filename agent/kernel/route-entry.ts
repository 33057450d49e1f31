/** One route that `RouteSync` looks after: what is wanted, what the kernel has, and what stands between them. */
import type { KernelError } from './error.ts';
import type { EncodedTarget, InstalledTarget } from './route.ts';

const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 30_000;

/** A route's state; exactly one for each prefix and metric. */
export interface Entry {
  readonly prefix: string;
  readonly metric: number;
  /** What the kernel should have; null: nothing. */
  desired: EncodedTarget | null;
  /** What the kernel has, of ours, as far as known; null: nothing. */
  installed: InstalledTarget | null;
  error: KernelError | null;
  /** Failures in a row. */
  attempts: number;
  /** When to try again, by performance.now(). */
  retryAt: number;
  /** The last dump in which the route was seen. */
  generation: number;
  /** A route typed by hand stands in the place of ours: replace it. */
  takeBack: boolean;
  waiters: Waiter[] | null;
}

/** Somebody who waits for a route to be installed. */
export interface Waiter {
  resolve(): void;
  reject(error: Error): void;
}

/** The key of an entry among all. */
export function entryKey(prefix: string, metric: number): string {
  return `${prefix} ${metric}`;
}

/** A fresh entry that wants nothing and knows of nothing. */
export function createEntry(prefix: string, metric: number): Entry {
  return {
    prefix,
    metric,
    desired: null,
    installed: null,
    error: null,
    attempts: 0,
    retryAt: 0,
    generation: 0,
    takeBack: false,
    waiters: null,
  };
}

/** The kernel has what is wanted. */
export function isInSync(entry: Entry): boolean {
  return entry.desired?.key === entry.installed?.key;
}

/** Resolves or rejects everybody who waits for the entry. */
export function settle(entry: Entry, error: Error | null): void {
  const waiters = entry.waiters;
  entry.waiters = null;
  for (const waiter of waiters ?? []) {
    if (error) waiter.reject(error);
    else waiter.resolve();
  }
}

/** Notes a failure and when to try again: after half a second, then twice as long each time, up to 30 s. */
export function noteFailure(entry: Entry, error: KernelError, now: number): void {
  entry.error = error;
  entry.retryAt = now + Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** entry.attempts);
  entry.attempts++;
}

/** Forgets former failures. */
export function clearFailure(entry: Entry): void {
  entry.error = null;
  entry.attempts = 0;
  entry.retryAt = 0;
}
