/** The recent events of a daemon, as `flatroute status` and the page show them. Every event is logged as well. */
import type { EventView } from '../http/api-documents.ts';
import type { Logger } from './log.ts';

/** Keeps a bounded number of events, the latest ones. */
export class EventLog {
  readonly #log: Logger;
  readonly #capacity: number;
  readonly #events: EventView[] = [];

  /** Keeps at most `capacity` events. */
  constructor(log: Logger, capacity = 200) {
    this.#log = log;
    this.#capacity = capacity;
  }

  /** Something normal; `subject` is what it is about: a peer's name, a pod, `config`, `kernel`. */
  info(subject: string, text: string): void {
    this.#add('info', subject, text);
  }

  /** Something that an operator should know. */
  warn(subject: string, text: string): void {
    this.#add('warn', subject, text);
  }

  /** Something that needs an operator. */
  error(subject: string, text: string): void {
    this.#add('error', subject, text);
  }

  /** At most `limit` of the latest events, newest last. */
  recent(limit = this.#capacity): EventView[] {
    return limit <= 0 ? [] : this.#events.slice(-limit);
  }

  #add(level: EventView['level'], subject: string, text: string): void {
    this.#log[level]({ subject }, text);
    this.#events.push({ time: new Date().toISOString(), level, subject, text });
    if (this.#events.length > this.#capacity) this.#events.shift();
  }
}
