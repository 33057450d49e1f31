/**
 * After a restart: routes that the former run left in the kernel keep carrying packets until the peers have told theirs
 * again, and go then. Peers that do not come back are waited for only so long.
 */

import type { EventLog } from '@flatroute/common/process/events.ts';
import type { SpeakerEvent } from 'bgp-js';

const LATE = 'not all peers came back in time';

export interface StaleRoutesOptions {
  /** How long to wait for peers at the most. */
  staleSeconds: number;
  events: EventLog;
  /** Brings what was learned so far into the kernel, and removes the routes that nobody claimed; tells how many. */
  release(): Promise<number>;
  /** A monotonic clock, ms; by default performance.now. */
  now?: () => number;
}

export class StaleRoutes {
  readonly #options: StaleRoutesOptions;
  /** Names of peers that have not sent their whole table yet. */
  readonly #awaited = new Set<string>();
  #timer: NodeJS.Timeout | null = null;
  #over = false;
  #begun = 0;
  readonly #now: () => number;

  constructor(options: StaleRoutesOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Changes how long to wait for peers, in seconds from the start on; it counts only while that goes on. */
  setLimit(staleSeconds: number): void {
    if (this.#over || !this.#timer) return;
    clearTimeout(this.#timer);
    const left = this.#begun + staleSeconds * 1000 - this.#now();
    this.#timer = setTimeout(() => void this.#release(LATE), Math.max(0, left));
  }

  /** Whether routes of a former run may still be in the kernel. */
  get isOver(): boolean {
    return this.#over;
  }

  /** Begins to wait for these peers; those of a range are not known by name and not waited for. */
  begin(peers: readonly { name: string; range?: unknown }[]): void {
    for (const { name, range } of peers) if (range === undefined) this.#awaited.add(name);
    this.#begun = this.#now();
    this.#timer = setTimeout(() => void this.#release(LATE), this.#options.staleSeconds * 1000);
    this.#check();
  }

  /** Stops to wait; nothing is released. */
  end(): void {
    this.#over = true;
    if (this.#timer) clearTimeout(this.#timer);
  }

  onEvent(event: SpeakerEvent): void {
    if (this.#over || event.type !== 'end-of-rib') return;
    this.#awaited.delete(event.peer);
    this.#check();
  }

  #check(): void {
    if (!this.#over && this.#awaited.size === 0) void this.#release('all peers have told their routes');
  }

  async #release(why: string): Promise<void> {
    if (this.#over) return;
    this.end();
    const { events, release } = this.#options;
    try {
      const count = await release();
      if (count > 0) events.info('kernel', `removed ${count} routes of the former run: ${why}`);
    } catch (error) {
      events.error(
        'kernel',
        `routes of the former run stay: ${error instanceof Error ? error.message : error}`,
      );
    }
  }
}
