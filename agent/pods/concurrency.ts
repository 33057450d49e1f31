/** Who waits for whom: one container's operations, the kernel's turns, and how many run at once. */
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Runs what has the same key one after another, in the order of arrival; different keys side by side. */
export class KeyedQueue {
  readonly #tails = new Map<string, Promise<unknown>>();

  run<T>(key: string, job: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(key);
    const result = before ? before.then(job, job) : job();
    const tail = result
      .catch(() => {}) // it is the caller's; here only the order matters
      .then(() => {
        if (this.#tails.get(key) === tail) this.#tails.delete(key);
      });
    this.#tails.set(key, tail);
    return result;
  }
}

/**
 * Runs jobs one after another, each in a turn of the event loop of its own: a hundred pods that become ready in the
 * same moment, at about a millisecond of kernel work each, must not add up to a pause.
 */
export class SerialQueue {
  #tail: Promise<unknown> = Promise.resolve();

  run<T>(job: () => T | Promise<T>): Promise<T> {
    const result = this.#tail.then(() => nextTurn()).then(job);
    this.#tail = result.catch(() => {}); // it is the caller's
    return result;
  }
}

/** Lets `limit` jobs run at once; further ones wait in line. */
export class Semaphore {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(limit: number) {
    this.#free = limit;
  }

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
