import type net from 'node:net';

/** How long a closing socket may take to deliver its farewell. */
const FAREWELL_MS = 2000;
/** Sockets that may do so at once; who comes above that gets none. */
const FAREWELL_LIMIT = 1024;

/** Sockets that are being closed and still deliver their farewell. */
export class LingeringSockets {
  private readonly closing = new Set<net.Socket>();

  /** Closes a socket, after `farewell` has been sent on it. */
  close(socket: net.Socket, lastBytes: Uint8Array | null): void {
    if (!lastBytes || socket.destroyed || socket.connecting || this.closing.size >= FAREWELL_LIMIT) {
      socket.destroy();
      return;
    }
    this.closing.add(socket);
    socket.once('close', () => this.closing.delete(socket));
    socket.end(lastBytes);
    // Input that nobody reads would turn the close into a reset, and the farewell would be lost.
    socket.resume();
    setTimeout(() => socket.destroy(), FAREWELL_MS).unref();
  }

  /** Resolves when all are closed. */
  async over(): Promise<void> {
    const closed = (socket: net.Socket) =>
      new Promise<void>((resolve) => socket.once('close', () => resolve()));
    await Promise.all([...this.closing].map(closed));
  }
}
