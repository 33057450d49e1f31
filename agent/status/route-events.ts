/** What becomes of kernel routes, as events for people: a flood becomes one line. */
import type { EventLog } from '@flatroute/common/process/events.ts';
import type { RouteEvent } from '../kernel/route-store.ts';

/** Events of one kind within this time are told together; ms. */
const GATHER_MS = 500;

/** The events of one kind that are waiting to be told. */
interface Batch {
  count: number;
  first: RouteEvent;
}

export class RouteEvents {
  readonly #events: EventLog;
  readonly #batches = new Map<RouteEvent['what'], Batch>();
  #timer: NodeJS.Timeout | null = null;

  constructor(events: EventLog) {
    this.#events = events;
  }

  tell(event: RouteEvent): void {
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
          ? 'removed or changed by somebody else; put back'
          : `not in the kernel: ${first.error?.message ?? 'refused'}`;
      this.#events.warn('kernel', `${first.prefix}${others}: ${text}`);
    }
    this.#batches.clear();
  }
}
