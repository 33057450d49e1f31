/** What a BGP speaker tells, as events for people: outages once, floods counted. */
import type { SpeakerEvent } from 'bgp-js';
import type { EventLog } from '../process/events.ts';

/** Peers whose defects are counted one by one: those of a range have a name for every address. */
const COUNTED_PEERS = 1024;

export class BgpEvents {
  readonly #events: EventLog;
  /** What was last said about a peer that cannot be reached, so that it is said once. */
  readonly #unreachable = new Map<string, string>();
  readonly #defects = new Map<string, number>();

  constructor(events: EventLog) {
    this.#events = events;
  }

  tell(event: SpeakerEvent): void {
    switch (event.type) {
      case 'established':
        this.#unreachable.delete(event.peer);
        this.#events.info(event.peer, `session established with ${event.address}, AS ${event.as}`);
        return;
      case 'down':
        this.#events.warn(event.peer, `session down: ${event.reason}`);
        return;
      case 'unreachable':
        this.#unreachableOnce(event.peer, event.reason);
        return;
      case 'refused':
        if (isRound(event.count)) {
          const times = event.count === 1 ? '' : ` (${event.count} times so far)`;
          this.#events.warn(event.address, `connection refused: ${event.reason}${times}`);
        }
        return;
      case 'transport':
      case 'limit':
        this.#events.warn(event.peer, event.text);
        return;
      case 'defect':
        this.#defect(event.peer, `${event.text}; ${event.handling}; the message: ${event.hex}`);
        return;
      case 'state':
      case 'end-of-rib':
        return;
    }
  }

  #unreachableOnce(peer: string, reason: string): void {
    if (this.#unreachable.get(peer) === reason) return;
    this.#unreachable.set(peer, reason);
    this.#events.warn(peer, `cannot connect: ${reason}; will keep retrying`);
  }

  #defect(peer: string, text: string): void {
    const count = (this.#defects.get(peer) ?? 0) + 1;
    if (count === 1 && this.#defects.size === COUNTED_PEERS) this.#defects.clear();
    this.#defects.set(peer, count);
    if (isRound(count)) this.#events.warn(peer, count === 1 ? text : `${text} (defect number ${count})`);
  }
}

/** 1, 10, 100 and so on: what is told of something that repeats. */
function isRound(count: number): boolean {
  return Number.isInteger(Math.log10(count));
}
