/** Long work of the status endpoint, done in short turns, so that BGP never waits for somebody who looks. */
import { setImmediate } from 'node:timers/promises';

/** Milliseconds of such work in one turn of the event loop. */
const TURN_MS = 2;

export class TimeSlicing {
  #last: Promise<unknown> = Promise.resolve();

  /** Does work that yields often, after all work that came before it: so many turns at once would be one long turn. */
  run<T>(work: () => Generator<void, T>): Promise<T> {
    const result = this.#last.then(() => inTurns(work()));
    this.#last = result.catch(() => {});
    return result;
  }
}

async function inTurns<T>(work: Generator<void, T>): Promise<T> {
  for (;;) {
    const end = performance.now() + TURN_MS;
    do {
      const { done, value } = work.next();
      if (done) return value;
    } while (performance.now() < end);
    await setImmediate();
  }
}
