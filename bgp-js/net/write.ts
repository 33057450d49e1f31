import { writeSync } from 'node:fs';
import type net from 'node:net';
import { descriptorOf } from './transport.ts';

/**
 * Hands octets to the kernel, and what it does not take to the socket's own queue; false when that is full. A stream's
 * write costs several times what the kernel takes for it, and one change is written to a thousand peers.
 */
export function writeParts(socket: net.Socket, parts: readonly Uint8Array[]): boolean {
  const rest = [...parts];
  // Only behind an empty queue, so that the order stays.
  if (socket.writableLength === 0 && !socket.connecting) writeAtOnce(socket, rest);
  if (rest.length === 0) return true;
  socket.cork();
  let room = true;
  for (const part of rest) room = socket.write(part);
  socket.uncork();
  return room;
}

/** Writes what the kernel takes and leaves the others in `parts`. */
function writeAtOnce(socket: net.Socket, parts: Uint8Array[]): void {
  try {
    const fd = descriptorOf(socket);
    while (parts.length > 0) {
      const written = writeSync(fd, parts[0]);
      if (written < parts[0].length) {
        parts[0] = parts[0].subarray(written);
        return;
      }
      parts.shift();
    }
  } catch {
    // No room (EAGAIN), or the connection is gone: the socket finds that out for itself, and tells it.
  }
}
