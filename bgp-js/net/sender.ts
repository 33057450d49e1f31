/** What the speaker has for its connections is handed over in rounds, in each of which everybody has one turn. */

/** Octets handed over in one go. */
export const WRITE_SIZE = 32 * 1024;
/** What a write costs beside its octets, in octets; after every BATCH_SIZE of them the clock is looked at. */
const WRITE_COST = 128;
const BATCH_SIZE = WRITE_SIZE;
/**
 * The first writes to a connection are small. The kernel of a peer that has not received for a while acknowledges the
 * first 16 segments one by one: the table has it through with that, or else the first changes behind the table would
 * (docs/benchmarks.md has what this costs and saves). That many at least, at most, and in a round over all connections.
 */
const SMALL_WRITE_SIZE = 512;
const SMALL_WRITES = { least: 40, most: 64, ofAll: 12_800 };

/** How many of the first writes to each of so many connections are small. */
export function smallWrites(connections: number): number {
  const { least, most, ofAll } = SMALL_WRITES;
  return Math.max(least, Math.min(most, Math.floor(ofAll / connections)));
}

/** A connection as far as sending on it goes. */
export interface Outlet {
  /** The kernel's buffer is full: nothing is sent until that is over. */
  blocked: boolean;
  /** It has ended, or is no longer the speaker's. */
  closed: boolean;
  /** How often it was written to so far. */
  writes: number;
  /** Whether there is something to send. */
  hasOutput(): boolean;
  /** Takes whole messages to be sent, about `limit` octets. */
  takeOutput(limit: number): readonly Uint8Array[];
  /** Hands over parts, one after the other; false when no more goes in. */
  write(parts: readonly Uint8Array[]): boolean;
}

/** Gone through without an iterator, whose steps are a thousand little objects in every change. */
interface All<T> {
  forEach(visit: (outlet: T) => void): void;
}

export class Sender<T extends Outlet> {
  /** A connection takes no more for now. */
  private readonly onBlocked: (outlet: T) => void;
  /** Those whose turn is yet to come. */
  private readonly waiting = new Pile<T>();
  /** Those that have more when everybody has had a turn. */
  private readonly again = new Pile<T>();
  /** What is to be written, and where to. */
  private readonly outlets = new Pile<T>();
  private readonly parts = new Pile<readonly Uint8Array[]>();
  private smallWrites = 0;
  /** Somebody may have something whose turn in this round, if there is one, is over. */
  private isRoundDue = false;
  private readonly queue = (outlet: T): void => this.waiting.push(outlet);

  constructor(onBlocked: (outlet: T) => void) {
    this.onBlocked = onBlocked;
  }

  /** There may be something to send: all connections are to be asked, which with a thousand of them takes a while. */
  noteOutput(): void {
    this.isRoundDue = true;
  }

  /**
   * Hands every connection what it can take; true when there is more to be sent. Once the time is up it ends: whose
   * turn did not come is first in the next call. Nobody has a second turn before everybody had one, so that a peer that
   * takes a table as fast as it is sent keeps no other one waiting.
   */
  send(outlets: All<T>, isTimeUp: () => boolean): boolean {
    const { waiting, again } = this;
    if (waiting.size === 0 && this.isRoundDue) {
      this.isRoundDue = false;
      outlets.forEach(this.queue);
      this.smallWrites = smallWrites(waiting.size);
    }
    while (waiting.size > 0) {
      while (waiting.size > 0) {
        this.collect();
        this.flush();
        if (!isTimeUp()) continue;
        if (again.size > 0) this.isRoundDue = true;
        again.clear();
        return this.isRoundDue || waiting.size > 0;
      }
      for (let outlet = again.pop(); outlet !== null; outlet = again.pop()) waiting.push(outlet);
    }
    return this.isRoundDue;
  }

  /**
   * Takes some connections from the end of `waiting` and notes what is to be written to them; those that have more are
   * added to `again`, or, where that cannot be had now, a round is due for them.
   */
  private collect(): void {
    const { waiting, again, outlets, parts } = this;
    let octets = 0;
    for (let outlet = waiting.pop(); outlet !== null; outlet = waiting.pop()) {
      if (outlet.blocked || outlet.closed) continue;
      const size = outlet.writes < this.smallWrites ? SMALL_WRITE_SIZE : WRITE_SIZE;
      const taken = outlet.takeOutput(size);
      for (const part of taken) octets += part.length;
      octets += WRITE_COST;
      if (taken.length > 0) {
        outlet.writes++;
        outlets.push(outlet);
        parts.push(taken);
      }
      if (outlet.hasOutput()) {
        if (taken.length > 0) again.push(outlet);
        else this.isRoundDue = true;
      }
      if (octets >= BATCH_SIZE) break;
    }
  }

  /** Writes what is noted, one connection right after the other: a reader that is woken up for each costs twice. */
  private flush(): void {
    const { outlets, parts } = this;
    for (let outlet = outlets.pop(); outlet !== null; outlet = outlets.pop()) {
      outlet.blocked = !outlet.write(parts.pop() ?? []);
      if (outlet.blocked) this.onBlocked(outlet);
    }
  }
}

/** A stack that keeps its room: arrays give it back when they are emptied, and a change would fill them anew. */
class Pile<T> {
  private readonly items: (T | null)[] = [];
  size = 0;

  push(item: T): void {
    this.items[this.size++] = item;
  }

  /** Null when it is empty. */
  pop(): T | null {
    if (this.size === 0) return null;
    const item = this.items[--this.size];
    this.items[this.size] = null;
    return item;
  }

  clear(): void {
    while (this.pop() !== null);
  }
}
