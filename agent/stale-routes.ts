/**
 * The routes of the previous run after a restart (RFC 4724 §4.1). They stay in the kernel and carry packets until every
 * peer has sent its whole table again, which ends with an End-of-RIB marker. Then those that no peer sent are removed.
 * Peers that do not come back are waited for only `staleSeconds`.
 */

import type { EventLog } from '@flatroute/common/process/events.ts';
import type { SpeakerEvent } from 'bgp-js';

const LATE = 'not all peers came back in time';

/** Options of StaleRoutes. */
export interface StaleRoutesOptions {
  /** The longest wait for the peers. */
  staleSeconds: number;
  events: EventLog;
  /** Installs the routes learned so far, removes the routes of the previous run that are not among them, returns their number. */
  release(): Promise<number>;
  /** A monotonic clock, ms; by default performance.now. */
  now?: () => number;
}

/** See the head of this file. */
export class StaleRoutes {
  readonly #options: StaleRoutesOptions;
  /** Names of peers that have not sent their whole table yet. */
  readonly #awaitedPeers = new Set<string>();
  #timer: NodeJS.Timeout | null = null;
  #isOver = false;
  #startedAt = 0;
  readonly #now: () => number;

  constructor(options: StaleRoutesOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Changes the longest wait, in seconds since the start. Without effect once the wait is over. */
  setLimit(staleSeconds: number): void {
    if (this.#isOver || !this.#timer) return;
    clearTimeout(this.#timer);
    const left = this.#startedAt + staleSeconds * 1000 - this.#now();
    this.#timer = setTimeout(() => void this.#release(LATE), Math.max(0, left));
  }

  /** Starts to wait for these peers. A range is not waited for, because its peers are unknown until they connect. */
  start(peers: readonly { name: string; range?: unknown }[]): void {
    for (const { name, range } of peers) if (range === undefined) this.#awaitedPeers.add(name);
    this.#startedAt = this.#now();
    this.#timer = setTimeout(() => void this.#release(LATE), this.#options.staleSeconds * 1000);
    this.#check();
  }

  /** Ends the wait without removing anything. */
  stop(): void {
    this.#isOver = true;
    if (this.#timer) clearTimeout(this.#timer);
  }

  /** Receives every event of the speaker; the End-of-RIB markers count. */
  onEvent(event: SpeakerEvent): void {
    if (this.#isOver || event.type !== 'end-of-rib') return;
    this.#awaitedPeers.delete(event.peer);
    this.#check();
  }

  #check(): void {
    if (!this.#isOver && this.#awaitedPeers.size === 0)
      void this.#release('all peers have sent their routes');
  }

  async #release(why: string): Promise<void> {
    if (this.#isOver) return;
    this.stop();
    const { events, release } = this.#options;
    try {
      const count = await release();
      if (count > 0) events.info('kernel', `removed ${count} routes of the previous run: ${why}`);
    } catch (error) {
      events.error(
        'kernel',
        `cannot remove the routes of the previous run: ${error instanceof Error ? error.message : error}`,
      );
    }
  }
}
