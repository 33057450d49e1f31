import { writeSync } from 'node:fs';
import type net from 'node:net';
import { type Libc, libc } from './libc.ts';
import { descriptorOf } from './transport.ts';

/** MSG_DONTWAIT and MSG_NOSIGNAL: send(2) neither waits nor raises SIGPIPE. */
const FLAGS = 0x40 | 0x4000;

/** Hands octets to the kernel and returns how many it took; it may throw when there are none. */
type Send = (fd: number, octets: Uint8Array) => number;
let send: Send | null = null;

/**
 * Writes to one socket: to the kernel itself, and what that does not take to the socket's own queue. A stream's write
 * costs several times what the kernel takes for it, and one change is written to a thousand peers.
 */
export class SocketWriter {
  private readonly socket: net.Socket;
  /** The socket's descriptor, which is its own until it is destroyed; -1 before the first write. */
  private fd = -1;

  constructor(socket: net.Socket) {
    this.socket = socket;
  }

  /** Writes parts one after the other; false when the queue is full. */
  write(parts: readonly Uint8Array[]): boolean {
    const { socket } = this;
    let next = 0;
    let taken = 0;
    // Only behind an empty queue, so that the order stays.
    if (socket.writableLength === 0 && !socket.connecting && !socket.destroyed) {
      try {
        if (this.fd < 0) this.fd = descriptorOf(socket);
        send ??= chooseSend();
        for (; next < parts.length; next++) {
          taken = send(this.fd, parts[next]);
          if (taken < parts[next].length) break;
          taken = 0;
        }
      } catch {
        // No room, or the connection is gone: the socket finds that out for itself, and tells it.
      }
    }
    return next === parts.length || enqueue(socket, parts, next, taken);
  }
}

/** Gives the socket the parts from the one with number `next` on, of that without the first `taken` octets. */
function enqueue(socket: net.Socket, parts: readonly Uint8Array[], next: number, taken: number): boolean {
  socket.cork();
  let room = socket.write(parts[next].subarray(taken));
  for (let i = next + 1; i < parts.length; i++) room = socket.write(parts[i]);
  socket.uncork();
  return room;
}

/** send(2) costs half of what Node.js adds to a write; without it that one does. */
function chooseSend(): Send {
  let native: Libc['send'];
  try {
    native = libc().send;
  } catch {
    return writeSync;
  }
  return (fd, octets) => Math.max(0, Number(native(fd, octets, octets.length, FLAGS)));
}
