/**
 * Shares sending time among connections. Output is handed over in rounds: every connection has one turn of about
 * WRITE_SIZE octets before any has a second one, so a peer that reads a whole table as fast as it is sent delays no
 * keepalive of another. A call of `send` ends when its time is up; connections whose turn is still to come are served
 * first by the next call.
 */

/** Octets handed over in one turn. */
export const WRITE_SIZE = 32 * 1024;
/** The cost of a write beside its octets, expressed in octets; the clock is read after every BATCH_SIZE of cost. */
const WRITE_COST = 128;
const BATCH_SIZE = WRITE_SIZE;

/** A connection as the sender sees it. */
export interface Outlet {
  /** The socket's buffer is full: nothing is sent until it drains. */
  blocked: boolean;
  /** The connection has ended, or the speaker has released it. */
  readonly closed: boolean;
  /** Whether anything is to be sent. */
  hasOutput(): boolean;
  /** Takes whole messages to send, about `limit` octets. */
  takeOutput(limit: number): readonly Uint8Array[];
  /** Writes parts in order; false when the socket's buffer is full. */
  write(parts: readonly Uint8Array[]): boolean;
}

export class Sender<T extends Outlet> {
  private readonly onBlocked: (outlet: T) => void;
  /** Connections whose turn in the current round is still to come, the next one last. */
  private waiting: T[] = [];
  /** Set when a connection that already had its turn may have output; starts another round. */
  private isRoundDue = false;

  /** @param onBlocked called when a connection's buffer is full. */
  constructor(onBlocked: (outlet: T) => void) {
    this.onBlocked = onBlocked;
  }

  /** Call when any connection may have new output: the next `send` starts a round over all of them. */
  noteOutput(): void {
    this.isRoundDue = true;
  }

  /** Sends until nothing is left or `isTimeUp`. Returns whether there is more to send. */
  send(outlets: Iterable<T>, isTimeUp: () => boolean): boolean {
    if (this.waiting.length === 0 && this.isRoundDue) {
      this.isRoundDue = false;
      this.waiting = [...outlets].reverse();
    }
    let cost = 0;
    while (this.waiting.length > 0) {
      const unfinished: T[] = [];
      for (let outlet = this.waiting.pop(); outlet; outlet = this.waiting.pop()) {
        const sent = this.serve(outlet);
        if (sent > 0 && outlet.hasOutput()) unfinished.push(outlet);
        cost += sent + WRITE_COST;
        if (cost < BATCH_SIZE) continue;
        cost = 0;
        if (!isTimeUp()) continue;
        if (unfinished.length > 0) this.isRoundDue = true;
        return this.isRoundDue || this.waiting.length > 0;
      }
      this.waiting = unfinished.reverse();
    }
    return this.isRoundDue;
  }

  /** One turn of a connection; returns the octets sent. */
  private serve(outlet: T): number {
    if (outlet.blocked || outlet.closed) return 0;
    const parts = outlet.takeOutput(WRITE_SIZE);
    if (parts.length === 0) {
      // An update group may need another round before it has messages to give.
      if (outlet.hasOutput()) this.isRoundDue = true;
      return 0;
    }
    let octets = 0;
    for (const part of parts) octets += part.length;
    if (!outlet.write(parts)) {
      outlet.blocked = true;
      this.onBlocked(outlet);
    }
    return octets;
  }
}
