/**
 * The queues of the pod service: operations on one container run in order (KeyedQueue), kernel work runs in one turn of
 * the event loop each (SerialQueue), and only so many requests run at once (Semaphore).
 */
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Runs jobs with the same key one after another, in the order of arrival, and jobs with different keys concurrently. */
export class KeyedQueue {
  readonly #tails = new Map<string, Promise<unknown>>();

  /** Number of keys with unfinished jobs. */
  get size(): number {
    return this.#tails.size;
  }

  /** Settles as the job does. */
  run<T>(key: string, job: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(key);
    const result = before ? before.then(job, job) : job();
    const tail = result
      .catch(() => {}) // the caller gets the error; here only the order matters
      .then(() => {
        if (this.#tails.get(key) === tail) this.#tails.delete(key);
      });
    this.#tails.set(key, tail);
    return result;
  }
}

/**
 * Runs jobs one after another, each in its own turn of the event loop. A hundred pods that start in the same moment need
 * about a millisecond of kernel work each; together they must not block the event loop for a tenth of a second.
 */
export class SerialQueue {
  #tail: Promise<unknown> = Promise.resolve();

  /** Settles as the job does. */
  run<T>(job: () => T | Promise<T>): Promise<T> {
    const result = this.#tail.then(() => nextTurn()).then(job);
    this.#tail = result.catch(() => {}); // the caller gets the error
    return result;
  }
}

/** Runs at most `limit` jobs at once; further ones wait in the order of arrival. */
export class Semaphore {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(limit: number) {
    this.#free = limit;
  }

  /** Settles as the job does. */
  async run<T>(job: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await job();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }
}
