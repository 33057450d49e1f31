/**
 * The libc calls that Node.js has no API for, through koffi: socket options, raw ICMPv6 sockets, fcntl(2). koffi is
 * loaded at the first use: a speaker whose peers have no such options runs without it.
 */
import { createRequire } from 'node:module';
import { getSystemErrorMap } from 'node:util';
import type Koffi from 'koffi';

/** Watches a descriptor until `close`. An error on the descriptor ends the watch until `start` is called again. */
export interface Poll {
  start(callback: () => void): void;
  close(): void;
}

export interface Libc {
  setsockopt(fd: number, level: number, option: number, value: Buffer, length: number): number;
  getsockopt(fd: number, level: number, option: number, value: Buffer, length: Buffer): number;
  socket(domain: number, type: number, protocol: number): number;
  sendto(fd: number, data: Buffer, size: number, flags: number, to: Buffer, length: number): number | bigint;
  recvfrom(
    fd: number,
    data: Buffer,
    size: number,
    flags: number,
    from: Buffer,
    length: Buffer,
  ): number | bigint;
  close(fd: number): number;
  /** fcntl(2) with an integer argument, as F_DUPFD takes. */
  fcntl(fd: number, command: number, argument: number): number;
  /** ioctl(2) with a structure that it fills. */
  ioctl(fd: number, request: number, argument: Buffer): number;
  if_nametoindex(name: string): number;
  /** The error of the last call, as an errno. */
  errno(): number;
  /** The address of a buffer's memory, valid as long as the buffer. */
  address(buffer: Buffer): bigint;
  /** Calls back when the descriptor is readable. */
  poll(fd: number, callback: () => void): Poll;
}

let loaded: Libc | null = null;

/** The libc of this process. Throws an Error when koffi is not installed or does not run on this platform. */
export function libc(): Libc {
  loaded ??= load();
  return loaded;
}

function load(): Libc {
  const koffi = requireKoffi();
  const library = koffi.load(null);
  const f = (signature: string) => library.func(signature);
  return {
    setsockopt: f('int setsockopt(int fd, int level, int option, const void *value, uint32_t length)'),
    getsockopt: f('int getsockopt(int fd, int level, int option, void *value, void *length)'),
    socket: f('int socket(int domain, int type, int protocol)'),
    sendto: f(
      'int64 sendto(int fd, const void *data, size_t size, int flags, const void *to, uint32_t length)',
    ),
    recvfrom: f('int64 recvfrom(int fd, void *data, size_t size, int flags, void *from, void *length)'),
    close: f('int close(int fd)'),
    fcntl: f('int fcntl(int fd, int command, int argument)'),
    ioctl: f('int ioctl(int fd, unsigned long request, void *argument)'),
    if_nametoindex: f('uint32_t if_nametoindex(const char *name)'),
    errno: () => koffi.errno(),
    address: (buffer) => BigInt(koffi.address(buffer)),
    poll: (fd, callback) => koffi.node.poll(fd, callback),
  };
}

function requireKoffi(): typeof Koffi {
  try {
    return createRequire(import.meta.url)('koffi') as typeof Koffi;
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
    throw new Error(`socket options need the package koffi, which cannot be loaded: ${reason}`);
  }
}

/** A failed system call: `attempt` says what was tried; the reason is the system's text for `errno`. */
export class SocketError extends Error {
  constructor(attempt: string, errno: number) {
    super(`cannot ${attempt}: ${systemErrorText(errno)}`);
  }
}

/** The system's text for an errno of either sign, such as "permission denied". */
export function systemErrorText(errno: number): string {
  return getSystemErrorMap().get(-Math.abs(errno))?.[1] ?? `error ${Math.abs(errno)}`;
}
