/** The two ways of octets to the kernel: at once, and through a socket's queue. */
import { writeSync } from 'node:fs';
import type net from 'node:net';
import { type Libc, libc } from './libc.ts';

/** MSG_DONTWAIT and MSG_NOSIGNAL: send(2) neither waits nor raises SIGPIPE. */
const FLAGS = 0x40 | 0x4000;

type Send = (fd: number, octets: Uint8Array) => number;
let send: Send | null = null;

/** Hands octets to the kernel and returns how many it took: not all when it has no room, none after an error. */
export function sendNow(fd: number, octets: Uint8Array): number {
  send ??= chooseSend();
  return send(fd, octets);
}

/** Gives the socket the parts from the one with number `next` on, of that without the first `taken` octets. */
export function enqueue(
  socket: net.Socket,
  parts: readonly Uint8Array[],
  next: number,
  taken: number,
): boolean {
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
    return writeOrNone;
  }
  return (fd, octets) => Math.max(0, Number(native(fd, octets, octets.length, FLAGS)));
}

function writeOrNone(fd: number, octets: Uint8Array): number {
  try {
    return writeSync(fd, octets);
  } catch {
    return 0;
  }
}
