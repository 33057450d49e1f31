import type { PeerConnection } from '../session/peer.ts';
import { Fifo } from '../util/fifo.ts';
import { readU16 } from '../wire/cursor.ts';
import type { Sessions } from './sessions.ts';

/**
 * Octets of messages in one piece of work, of all connections together, and what each message counts in addition. 4 KiB
 * may hold a thousand prefixes, and the shell reads its clock between pieces.
 */
const OCTETS_PER_PIECE = 8 * 1024;
const OCTETS_PER_MESSAGE = 100;

/**
 * Processes the input of all connections in turn. Connections that are not established come first: a peer that joins
 * before the others' routes arrive shares the encoding of its table with all, and one that joins later has the table
 * encoded for itself. A session needs only a few messages, so the others do not wait long.
 */
export class InputScheduler {
  private readonly sessions: Sessions;
  /** Established connections with whole messages, in turn. Connections that have ended meanwhile are skipped. */
  private readonly ready = new Fifo<PeerConnection>();
  /** The same for connections that are not established. */
  private readonly handshaking = new Fifo<PeerConnection>();

  constructor(sessions: Sessions) {
    this.sessions = sessions;
  }

  /** Whether messages wait to be processed. */
  get waiting(): boolean {
    return this.handshaking.size > 0 || this.ready.size > 0;
  }

  /** Adds received octets; the scheduler owns the buffer from now on. */
  received(id: number, bytes: Uint8Array): void {
    const connection = this.sessions.connections.get(id);
    if (!connection) return;
    connection.input.push(bytes);
    this.enqueue(connection);
  }

  /** Processes some messages, connection by connection; takes about a millisecond. */
  work(now: number): void {
    let left = OCTETS_PER_PIECE;
    while (left > 0) {
      const connection = this.handshaking.take() ?? this.ready.take();
      if (!connection) break;
      connection.queued = false;
      if (connection.state !== 'Closed') left = this.process(connection, left, now);
    }
  }

  /** Processes all whole messages of a connection. */
  drain(id: number, now: number): void {
    const connection = this.sessions.connections.get(id);
    // The connection stays queued meanwhile, so that `process` does not queue it again after each piece.
    while (connection?.queued && connection.input.ready && connection.state !== 'Closed') {
      this.process(connection, OCTETS_PER_PIECE, now);
    }
  }

  private enqueue(connection: PeerConnection): void {
    if (connection.queued || !connection.input.ready) return;
    connection.queued = true;
    (isHandshaking(connection) ? this.handshaking : this.ready).push(connection);
  }

  /** Processes messages until `left` octets are used up or the session is established; returns the octets left. */
  private process(connection: PeerConnection, left: number, now: number): number {
    const { input } = connection;
    const wasHandshaking = isHandshaking(connection);
    let rest = left;
    while (rest > 0 && isHandshaking(connection) === wasHandshaking) {
      const at = input.next();
      if (at === -1) return rest;
      rest -= OCTETS_PER_MESSAGE;
      if (typeof at !== 'number') {
        this.sessions.rejectMalformed(connection, at, input.rest, now);
        return rest;
      }
      rest -= readU16(input.bytes, at + 16);
      this.sessions.message(connection, input.bytes, at, now);
      if (connection.state === 'Closed') return rest;
    }
    this.enqueue(connection);
    return rest;
  }
}

const isHandshaking = ({ ribSession }: PeerConnection): boolean => ribSession === null;
