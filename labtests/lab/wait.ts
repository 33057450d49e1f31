import { setTimeout as sleep } from 'node:timers/promises';

/** Limits of `until`: how long, how often, and a signal to abort it. Times in milliseconds. */
export interface WaitOptions {
  timeoutMs?: number;
  intervalMs?: number;
  signal?: AbortSignal;
}

/**
 * Repeats `attempt` until it returns something other than undefined or false, and returns that. An exception counts
 * as "not yet". After the time limit it throws an Error with `what` and the last reason.
 */
export async function until<T>(
  what: string,
  attempt: () => Promise<T | undefined | false> | T | undefined | false,
  { timeoutMs = 30_000, intervalMs = 50, signal }: WaitOptions = {},
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  let reason = 'the condition is false';
  for (;;) {
    signal?.throwIfAborted();
    try {
      const value = await attempt();
      if (value !== undefined && value !== false) return value;
    } catch (error) {
      reason = (error as Error).message;
    }
    if (performance.now() > deadline) {
      throw new Error(`timed out after ${timeoutMs / 1000} s waiting for ${what} (${reason})`);
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
