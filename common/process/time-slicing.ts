/** Long work for the status endpoint in short slices, so that BGP never waits for an answer to a viewer. */
import { setImmediate } from 'node:timers/promises';

/** Milliseconds of such work in one turn of the event loop. */
const SLICE_MS = 2;

/** Runs long jobs one after the other: many at a time would make one long slice. */
export class TimeSlicing {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs a job that yields at least once a millisecond, after all jobs before it; resolves with what it returns. */
  run<T>(work: () => Generator<void, T>): Promise<T> {
    const result = this.#last.then(() => inSlices(work()));
    this.#last = result.catch(() => {});
    return result;
  }
}

async function inSlices<T>(work: Generator<void, T>): Promise<T> {
  for (;;) {
    const end = performance.now() + SLICE_MS;
    do {
      const { done, value } = work.next();
      if (done) return value;
    } while (performance.now() < end);
    await setImmediate();
  }
}
