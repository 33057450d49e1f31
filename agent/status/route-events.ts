/** Reports failed and lost kernel routes in the event log; a burst becomes one line. */
import type { EventLog } from '@flatroute/common/process/events.ts';
import type { RouteEvent } from '../kernel/route-store.ts';

/** Events of one kind within this time become one line, in ms. */
const GATHER_MS = 500;

/** Events of one kind that wait to be reported. */
interface Batch {
  count: number;
  first: RouteEvent;
}

/** Collects route events and writes them to the log. */
export class RouteEvents {
  readonly #events: EventLog;
  readonly #batches = new Map<RouteEvent['what'], Batch>();
  #timer: NodeJS.Timeout | null = null;

  constructor(events: EventLog) {
    this.#events = events;
  }

  /** Adds an event; installed and removed routes are not reported. */
  add(event: RouteEvent): void {
    if (event.what !== 'failed' && event.what !== 'lost') return;
    const batch = this.#batches.get(event.what);
    if (batch) batch.count++;
    else this.#batches.set(event.what, { count: 1, first: event });
    this.#timer ??= setTimeout(() => this.#flush(), GATHER_MS).unref();
  }

  #flush(): void {
    this.#timer = null;
    for (const [what, { count, first }] of this.#batches) {
      const others = count === 1 ? '' : ` and ${count - 1} others`;
      const text =
        what === 'lost'
          ? 'removed or changed by another program; restored'
          : `not in the kernel: ${first.error?.message ?? 'refused'}`;
      this.#events.warn('kernel', `${first.prefix}${others}: ${text}`);
    }
    this.#batches.clear();
  }
}
