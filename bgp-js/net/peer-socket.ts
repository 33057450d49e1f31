/** The TCP connection of a session once it exists: writing to it, and closing it after a last message. */
import type net from 'node:net';
import type { PeerConnection } from '../session/peer.ts';
import type { TransportConfig } from '../session/peer-config.ts';
import type { Outlet } from './sender.ts';

/** A TCP connection of the speaker. */
export class PeerSocket implements Outlet {
  /** The speaker's id of the connection. */
  readonly id: number;
  readonly socket: net.Socket;
  /** The socket options in force. */
  transport: TransportConfig;
  blocked = false;
  closed = false;
  private readonly connection: PeerConnection;

  constructor(id: number, socket: net.Socket, transport: TransportConfig, connection: PeerConnection) {
    this.id = id;
    this.socket = socket;
    this.transport = transport;
    this.connection = connection;
  }

  hasOutput(): boolean {
    return this.connection.hasOutput();
  }

  takeOutput(limit: number): readonly Uint8Array[] {
    return this.connection.takeOutput(limit);
  }

  write(parts: readonly Uint8Array[]): boolean {
    const { socket } = this;
    // Corked, several parts become one writev(2).
    if (parts.length > 1) socket.cork();
    for (const part of parts) socket.write(part);
    if (parts.length > 1) socket.uncork();
    return !socket.writableNeedDrain;
  }
}

/** How long a closing socket may take to deliver its last message. */
const LINGER_MS = 2000;
/** Sockets that may linger at the same time; above that they are closed without their message. */
const LINGER_LIMIT = 1024;

/** Sockets that are closing and still deliver a last message, such as a NOTIFICATION. */
export class LingeringSockets {
  private readonly sockets = new Set<net.Socket>();

  /** Closes a socket after `lastBytes` have been delivered; null closes it at once. */
  close(socket: net.Socket, lastBytes: Uint8Array | null): void {
    if (!lastBytes || socket.destroyed || socket.connecting || this.sockets.size >= LINGER_LIMIT) {
      socket.destroy();
      return;
    }
    this.sockets.add(socket);
    socket.once('close', () => this.sockets.delete(socket));
    socket.end(lastBytes);
    // Unread input would turn the close into a reset, and the message would be lost.
    socket.resume();
    setTimeout(() => socket.destroy(), LINGER_MS).unref();
  }

  /** Resolves when all of them are closed. */
  async closed(): Promise<void> {
    const closed = (socket: net.Socket) =>
      new Promise<void>((resolve) => socket.once('close', () => resolve()));
    await Promise.all([...this.sockets].map(closed));
  }
}
