/** What the speaker has for its connections is handed over in rounds, in each of which everybody has one turn. */

/** Octets handed over in one go. */
export const WRITE_SIZE = 32 * 1024;
/** What a write costs beside its octets, in octets: after every WRITE_SIZE of them the clock is looked at. */
const WRITE_COST = 4 * 1024;

/** A connection as far as sending on it goes. */
export interface Outlet {
  /** The connection's number in the speaker. */
  readonly id: number;
  /** The kernel's buffer is full: nothing is sent until that is over. */
  blocked: boolean;
  /** It is no longer the speaker's. */
  closed: boolean;
}

/** Where messages come from: the speaker. */
export interface Messages {
  wantsToSend(id: number): boolean;
  transmit(id: number, limit: number): readonly Uint8Array[];
}

export class Sender<T extends Outlet> {
  private readonly messages: Messages;
  private readonly write: (outlet: T, parts: readonly Uint8Array[]) => void;
  /** Those whose turn is yet to come, the next one last. */
  private waiting: T[] = [];

  /** @param write hands parts to a connection, and sets its `blocked` when no more goes in. */
  constructor(messages: Messages, write: (outlet: T, parts: readonly Uint8Array[]) => void) {
    this.messages = messages;
    this.write = write;
  }

  /**
   * Hands every connection what it can take; true when there is more to be sent. Once the time is up it ends: whose
   * turn did not come is first in the next call. Nobody has a second turn before everybody had one, so that a peer that
   * takes a table as fast as it is sent keeps no other one waiting.
   */
  send(outlets: Iterable<T>, isTimeUp: () => boolean): boolean {
    let more = this.waiting.length > 0;
    if (!more) this.waiting = [...outlets];
    let round = this.waiting;
    let octets = 0;
    while (round.length > 0) {
      const again: T[] = [];
      for (let outlet = round.pop(); outlet !== undefined; outlet = round.pop()) {
        if (outlet.blocked || outlet.closed) continue;
        const parts = this.messages.transmit(outlet.id, WRITE_SIZE);
        for (const part of parts) octets += part.length;
        octets += WRITE_COST;
        if (parts.length > 0) this.write(outlet, parts);
        if (!outlet.blocked && this.messages.wantsToSend(outlet.id)) {
          if (parts.length > 0) again.push(outlet);
          else more = true;
        }
        if (octets < WRITE_SIZE) continue;
        octets = 0;
        if (isTimeUp()) return more || round.length > 0 || again.length > 0;
      }
      round = again.reverse();
    }
    return more;
  }
}
