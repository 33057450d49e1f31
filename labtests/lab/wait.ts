import { setTimeout as sleep } from 'node:timers/promises';

/** Limits of `until`: how long to try, how often, and what may cut it short. Times in milliseconds. */
export interface WaitOptions {
  timeoutMs?: number;
  intervalMs?: number;
  signal?: AbortSignal;
}

/**
 * Repeats `attempt` until it returns something other than undefined or false, and returns that. An attempt that
 * throws counts as "not yet". When time is up, throws an Error that names `what` and the last reason.
 */
export async function until<T>(
  what: string,
  attempt: () => Promise<T | undefined | false> | T | undefined | false,
  { timeoutMs = 30_000, intervalMs = 50, signal }: WaitOptions = {},
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  let reason = 'not yet so';
  for (;;) {
    signal?.throwIfAborted();
    try {
      const value = await attempt();
      if (value !== undefined && value !== false) return value;
    } catch (error) {
      reason = (error as Error).message;
    }
    if (performance.now() > deadline) {
      throw new Error(`waited ${timeoutMs / 1000} s in vain for: ${what} (${reason})`);
    }
    await sleep(intervalMs, undefined, { signal });
  }
}

/** Runs `work` over all items, at most `limit` at a time; results are in the order of the items. */
export async function mapLimit<T, R>(items: T[], limit: number, work: (item: T) => Promise<R>): Promise<R[]> {
  const results = new Array<R>(items.length);
  let next = 0;
  const worker = async () => {
    while (next < items.length) {
      const index = next++;
      results[index] = await work(items[index]);
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
  return results;
}
