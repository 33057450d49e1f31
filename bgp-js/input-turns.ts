import { Fifo } from './fifo.ts';
import type { SessionMessages } from './session-messages.ts';
import type { Link } from './sessions.ts';
import { readU16 } from './wire/cursor.ts';

/**
 * Octets of messages in one piece of work, of all connections together: 4 KiB may hold a thousand prefixes, and the
 * shell looks at its clock between pieces. A message counts for so many more than it has.
 */
const OCTETS_PER_PIECE = 8 * 1024;
const OCTETS_OF_A_MESSAGE = 100;

/**
 * Has the connections that received something take turns to have it processed. Those that are not established yet come
 * first: who joins before the others' routes are announced shares their encoding with all, who joins behind them has
 * the table encoded for itself. A few messages make a session, so that nobody waits long for that.
 */
export class InputTurns {
  private readonly links: ReadonlyMap<number, Link>;
  private readonly messages: SessionMessages;
  /** Connections with whole messages to be processed, in turn; those that are gone meanwhile are passed over. */
  private readonly ready = new Fifo<Link>();
  /** The same of those that are not established. */
  private readonly young = new Fifo<Link>();

  constructor(links: ReadonlyMap<number, Link>, messages: SessionMessages) {
    this.links = links;
    this.messages = messages;
  }

  /** Whether messages are to be processed. */
  get waiting(): boolean {
    return this.young.size > 0 || this.ready.size > 0;
  }

  /** Something was received on a connection; the buffer is given away. */
  received(id: number, bytes: Uint8Array): void {
    const link = this.links.get(id);
    if (!link) return;
    link.connection.input.push(bytes);
    this.lineUp(link);
  }

  /** Processes some messages, of one connection after the other; takes about a millisecond. */
  work(now: number): void {
    let left = OCTETS_PER_PIECE;
    while (left > 0) {
      const link = this.young.take() ?? this.ready.take();
      if (!link) break;
      link.hasTurn = false;
      if (this.isThere(link)) left = this.process(link, left, now);
    }
  }

  /** Processes all whole messages of a connection. */
  drain(id: number, now: number): void {
    const link = this.links.get(id);
    // It keeps its turn meanwhile, and is not lined up once more for each piece.
    while (link?.hasTurn && link.connection.input.ready && this.isThere(link)) {
      this.process(link, OCTETS_PER_PIECE, now);
    }
  }

  private isThere(link: Link): boolean {
    return this.links.get(link.connection.id) === link;
  }

  private lineUp(link: Link): void {
    if (link.hasTurn || !link.connection.input.ready) return;
    link.hasTurn = true;
    (isYoung(link) ? this.young : this.ready).push(link);
  }

  /** Processes messages of a connection until `left` octets are used up, or it is established; returns what is left. */
  private process(link: Link, left: number, now: number): number {
    const { input } = link.connection;
    const wasYoung = isYoung(link);
    let rest = left;
    while (rest > 0 && isYoung(link) === wasYoung) {
      const at = input.next();
      if (at === -1) return rest;
      rest -= OCTETS_OF_A_MESSAGE;
      if (typeof at !== 'number') {
        this.messages.malformed(link, at, input.rest, now);
        return rest;
      }
      rest -= readU16(input.bytes, at + 16);
      this.messages.message(link, input.bytes, at, now);
      if (link.connection.state === 'Closed') return rest;
    }
    this.lineUp(link);
    return rest;
  }
}

const isYoung = ({ attachment }: Link): boolean => attachment === null;
