/** What the speaker has for its connections is handed over in rounds, in each of which everybody has one turn. */

/** Octets handed over in one go. */
export const WRITE_SIZE = 32 * 1024;
/** What a write costs beside its octets, in octets; after every BATCH_SIZE of them the clock is looked at. */
const WRITE_COST = 128;
const BATCH_SIZE = WRITE_SIZE;

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
  /** What is to be written, and where to. */
  private readonly outlets: T[] = [];
  private readonly parts: (readonly Uint8Array[])[] = [];

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
    while (round.length > 0) {
      const again: T[] = [];
      while (round.length > 0) {
        if (this.collect(round, again)) more = true;
        this.flush();
        if (isTimeUp()) return more || round.length > 0 || again.length > 0;
      }
      round = again.reverse();
    }
    return more;
  }

  /**
   * Takes some connections from the end of `round` and notes what is to be written to them; those that have more are
   * added to `again`. True when one has more that cannot be had now.
   */
  private collect(round: T[], again: T[]): boolean {
    const { messages, outlets, parts } = this;
    let more = false;
    let octets = 0;
    for (let outlet = round.pop(); outlet !== undefined; outlet = round.pop()) {
      if (outlet.blocked || outlet.closed) continue;
      const taken = messages.transmit(outlet.id, WRITE_SIZE);
      for (const part of taken) octets += part.length;
      octets += WRITE_COST;
      if (taken.length > 0) {
        outlets.push(outlet);
        parts.push(taken);
      }
      if (messages.wantsToSend(outlet.id)) {
        if (taken.length > 0) again.push(outlet);
        else more = true;
      }
      if (octets >= BATCH_SIZE) break;
    }
    return more;
  }

  /** Writes what is noted, one connection right after the other: a reader that is woken up for each costs twice. */
  private flush(): void {
    const { outlets, parts } = this;
    for (let i = 0; i < outlets.length; i++) this.write(outlets[i], parts[i]);
    outlets.length = 0;
    parts.length = 0;
  }
}
