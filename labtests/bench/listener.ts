import { Framer, MessageType } from 'bgp-js/wire';
import { type RouteSpace, type RouteVisitor, readU16, readUpdate } from './routes.ts';

/** Length of an empty UPDATE: the End-of-RIB of IPv4 unicast (RFC 4724 §2). */
const END_OF_RIB_LENGTH = 23;

export class RouteListener implements RouteVisitor {
  /** The version of each route; 0 when it was not received or was withdrawn. */
  readonly table: Uint32Array;
  /** How many routes it holds. */
  present = 0;
  /** Counters of received messages. */
  readonly counts = {
    messages: 0,
    updates: 0,
    octets: 0,
    announced: 0,
    withdrawn: 0,
    foreign: 0,
    endOfRib: 0,
  };
  /** Called for every message other than UPDATE, with its type and bytes. */
  onMessage: ((type: number, bytes: Uint8Array) => void) | null = null;
  /** Called for every announcement. */
  onAnnounced: ((index: number, version: number) => void) | null = null;
  private readonly space: RouteSpace;
  private framer = new Framer();

  constructor(space: RouteSpace) {
    this.space = space;
    this.table = new Uint32Array(space.count);
  }

  /** Reads received bytes, which then belong to the listener. Throws an Error when they are not BGP. */
  take(bytes: Uint8Array): void {
    this.counts.octets += bytes.length;
    this.framer.push(bytes);
    for (;;) {
      const at = this.framer.next();
      if (at === -1) return;
      if (typeof at !== 'number') throw new Error(`what was received is not BGP: ${at.text}`);
      this.message(this.framer.bytes, at);
    }
  }

  private message(bytes: Uint8Array, at: number): void {
    this.counts.messages++;
    const type = bytes[at + 18];
    const length = readU16(bytes, at + 16);
    if (type !== MessageType.update) {
      this.onMessage?.(type, bytes.slice(at, at + length));
      return;
    }
    this.counts.updates++;
    if (length === END_OF_RIB_LENGTH) this.counts.endOfRib++;
    else this.counts.foreign += readUpdate(bytes, at, this.space, this);
  }

  announced(index: number, version: number): void {
    this.counts.announced++;
    if (this.table[index] === 0) this.present++;
    this.table[index] = version;
    this.onAnnounced?.(index, version);
  }

  withdrawn(index: number): void {
    this.counts.withdrawn++;
    if (this.table[index] !== 0) this.present--;
    this.table[index] = 0;
  }

  /** Resets the table for a new session. */
  reset(): void {
    this.framer = new Framer();
    this.table.fill(0);
    this.present = 0;
  }

  /** How many routes differ from the truth. The client's own, `ownFrom` to before `ownTo`, do not count. */
  differences(truth: Uint32Array, ownFrom = 0, ownTo = 0): number {
    let count = 0;
    for (let i = 0; i < truth.length; i++) {
      const wanted = i >= ownFrom && i < ownTo ? 0 : truth[i];
      if (this.table[i] !== wanted) count++;
    }
    return count;
  }
}
