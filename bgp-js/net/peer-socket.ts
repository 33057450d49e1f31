import type net from 'node:net';
import type { TransportConfig } from '../session/peer-config.ts';
import { hasOutput, takeOutput } from '../speaker/output.ts';
import type { PeerConnection } from '../speaker/sessions.ts';
import { enqueue, sendNow } from './send.ts';
import type { Outlet } from './sender.ts';
import { descriptorIfOpen, isOpen } from './transport.ts';

/**
 * A TCP connection of the speaker's. Octets are handed to the kernel itself, and what that does not take to the socket's
 * own queue: a stream's write costs several times what the kernel takes for it, and one change is written to a thousand
 * peers. For the same reason it looks at few objects: they and the kernel's own have to come from a cold memory.
 */
export class PeerSocket implements Outlet {
  readonly id: number;
  readonly socket: net.Socket;
  /** The options that the socket has. */
  transport: TransportConfig;
  blocked = false;
  closed = false;
  writes = 0;
  /** Where the messages come from; null: from nowhere. */
  private readonly link: PeerConnection | null;
  /** The socket's descriptor, which is its own while it is open; -1 before the first write. */
  private fd = -1;
  /** Something may wait in the socket's own queue. */
  private queued = true;

  constructor(id: number, socket: net.Socket, transport: TransportConfig, link: PeerConnection | null) {
    this.id = id;
    this.socket = socket;
    this.transport = transport;
    this.link = link;
  }

  hasOutput(): boolean {
    return this.link !== null && hasOutput(this.link);
  }

  takeOutput(limit: number): readonly Uint8Array[] {
    return this.link === null ? [] : takeOutput(this.link, limit);
  }

  /** Writes parts one after the other; false when the queue is full. */
  write(parts: readonly Uint8Array[]): boolean {
    let next = 0;
    let taken = 0;
    // Only behind an empty queue, so that the order stays.
    if (isOpen(this.socket) && (!this.queued || this.isQueueEmpty())) {
      for (; next < parts.length; next++) {
        taken = sendNow(this.fd, parts[next]);
        if (taken < parts[next].length) break;
        taken = 0;
      }
    }
    if (next === parts.length) return true;
    // No room, or the connection is gone: the socket finds that out for itself, and tells it.
    this.queued = true;
    return enqueue(this.socket, parts, next, taken);
  }

  private isQueueEmpty(): boolean {
    const { socket } = this;
    if (socket.connecting || socket.writableLength > 0) return false;
    this.fd = descriptorIfOpen(socket);
    this.queued = this.fd < 0;
    return !this.queued;
  }
}
