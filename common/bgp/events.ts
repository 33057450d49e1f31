/** The events of a BGP speaker in the daemon's event log: an outage is reported once, repeated events are counted. */
import type { SpeakerEvent } from 'bgp-js';
import type { EventLog } from '../process/events.ts';

/** How many peers have their defects counted at a time; a range has a peer for every address. */
const COUNTED_PEERS = 1024;

/** Reports the events of one speaker. */
export class BgpEvents {
  readonly #events: EventLog;
  /** By peer: the last reason why it is unreachable, so that each is reported once. */
  readonly #unreachable = new Map<string, string>();
  readonly #defects = new Map<string, number>();

  constructor(events: EventLog) {
    this.#events = events;
  }

  report(event: SpeakerEvent): void {
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
          const times = event.count === 1 ? '' : ` (${event.count} so far)`;
          this.#events.warn(event.address, `connection refused: ${event.reason}${times}`);
        }
        return;
      case 'transport':
      case 'limit':
        this.#events.warn(event.peer, event.text);
        return;
      case 'defect':
        this.#defect(event.peer, `${event.text}; ${event.handling}; message ${event.hex}`);
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
    if (isRound(count)) this.#events.warn(peer, count === 1 ? text : `${text} (${count} so far)`);
  }
}

/** 1, 10, 100 and so on: the occurrences of a repeated event that are reported. */
function isRound(count: number): boolean {
  return Number.isInteger(Math.log10(count));
}
