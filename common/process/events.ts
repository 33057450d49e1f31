/** The recent events of a daemon, for people: bounded, and in the log as well. */

import type { EventView } from '../http/api-documents.ts';
import type { Logger } from './log.ts';

/** A ring of the last events. */
export class EventLog {
  readonly #log: Logger;
  readonly #capacity: number;
  readonly #events: EventView[] = [];
  /** Where the next event goes once the ring is full. */
  #next = 0;

  /** Keeps at most `capacity` events. */
  constructor(log: Logger, capacity = 200) {
    this.#log = log;
    this.#capacity = capacity;
  }

  info(subject: string, text: string): void {
    this.#add('info', subject, text);
  }

  warn(subject: string, text: string): void {
    this.#add('warn', subject, text);
  }

  error(subject: string, text: string): void {
    this.#add('error', subject, text);
  }

  /** The last events, newest last. */
  recent(limit = this.#capacity): EventView[] {
    const ordered = [...this.#events.slice(this.#next), ...this.#events.slice(0, this.#next)];
    return limit <= 0 ? [] : ordered.slice(-limit);
  }

  #add(level: EventView['level'], subject: string, text: string): void {
    this.#log[level]({ subject }, text);
    this.#events[this.#next] = { time: new Date().toISOString(), level, subject, text };
    this.#next = (this.#next + 1) % this.#capacity;
  }
}
