import { Fifo } from '../util/fifo.ts';
import { readU16 } from '../wire/cursor.ts';
import type { SessionMessages } from './session-messages.ts';
import type { PeerConnection } from './sessions.ts';

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
export class InputScheduler {
  private readonly links: ReadonlyMap<number, PeerConnection>;
  private readonly messages: SessionMessages;
  /** Connections with whole messages to be processed, in turn; those that are gone meanwhile are passed over. */
  private readonly ready = new Fifo<PeerConnection>();
  /** The same of those that are not established. */
  private readonly handshaking = new Fifo<PeerConnection>();

  constructor(links: ReadonlyMap<number, PeerConnection>, messages: SessionMessages) {
    this.links = links;
    this.messages = messages;
  }

  /** Whether messages are to be processed. */
  get waiting(): boolean {
    return this.handshaking.size > 0 || this.ready.size > 0;
  }

  /** Something was received on a connection; the buffer is given away. */
  received(id: number, bytes: Uint8Array): void {
    const link = this.links.get(id);
    if (!link) return;
    link.connection.input.push(bytes);
    this.enqueue(link);
  }

  /** Processes some messages, of one connection after the other; takes about a millisecond. */
  work(now: number): void {
    let left = OCTETS_PER_PIECE;
    while (left > 0) {
      const link = this.handshaking.take() ?? this.ready.take();
      if (!link) break;
      link.queued = false;
      if (this.isThere(link)) left = this.process(link, left, now);
    }
  }

  /** Processes all whole messages of a connection. */
  drain(id: number, now: number): void {
    const link = this.links.get(id);
    // It keeps its turn meanwhile, and is not lined up once more for each piece.
    while (link?.queued && link.connection.input.ready && this.isThere(link)) {
      this.process(link, OCTETS_PER_PIECE, now);
    }
  }

  private isThere(link: PeerConnection): boolean {
    return this.links.get(link.connection.id) === link;
  }

  private enqueue(link: PeerConnection): void {
    if (link.queued || !link.connection.input.ready) return;
    link.queued = true;
    (isHandshaking(link) ? this.handshaking : this.ready).push(link);
  }

  /** Processes messages of a connection until `left` octets are used up, or it is established; returns what is left. */
  private process(link: PeerConnection, left: number, now: number): number {
    const { input } = link.connection;
    const wasYoung = isHandshaking(link);
    let rest = left;
    while (rest > 0 && isHandshaking(link) === wasYoung) {
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
    this.enqueue(link);
    return rest;
  }
}

const isHandshaking = ({ ribSession }: PeerConnection): boolean => ribSession === null;
