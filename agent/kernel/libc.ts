/**
 * The system calls that netlink, network namespaces and file locks need and Node does not offer, through koffi. No other
 * file of the agent calls foreign functions.
 */
import koffi from 'koffi';

const library = koffi.load(null);

const socketCall = library.func('int socket(int domain, int type, int protocol)');
const bindCall = library.func('int bind(int fd, const void *address, uint32_t length)');
const socketNameCall = library.func('int getsockname(int fd, void *address, void *length)');
const setOptionCall = library.func(
  'int setsockopt(int fd, int level, int option, const void *value, uint32_t length)',
);
const sendCall = library.func('int64 send(int fd, const void *data, size_t length, int flags)');
const receiveCall = library.func('int64 recv(int fd, void *data, size_t length, int flags)');
const setNamespaceCall = library.func('int setns(int fd, int type)');
const closeCall = library.func('int close(int fd)');
const lockCall = library.func('int flock(int fd, int operation)');

const names = new Map(Object.entries(koffi.os.errno).map(([name, number]) => [number, name]));

/** The numbers of the errors that the agent handles (errno(3)). */
export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  ESRCH: 3,
  EINTR: 4,
  EIO: 5,
  EAGAIN: 11,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  ENODEV: 19,
  EINVAL: 22,
  EOPNOTSUPP: 95,
  EAFNOSUPPORT: 97,
  EADDRNOTAVAIL: 99,
  ENETDOWN: 100,
  ENETUNREACH: 101,
  ENOBUFS: 105,
  EHOSTUNREACH: 113,
} as const;

/** The symbolic name of an errno, e.g. `ENODEV`; `errno 4711` when it has none. */
export function errnoName(errno: number): string {
  return names.get(errno) ?? `errno ${errno}`;
}

/** The errno of the last call of this file on this thread. */
export function lastErrno(): number {
  return koffi.errno();
}

/** socket(2). Returns the descriptor, or -1 with the error in `lastErrno()`, like every function here. */
export function openSocket(domain: number, type: number, protocol: number): number {
  return socketCall(domain, type, protocol);
}

/** bind(2) to a raw socket address. */
export function bindSocket(fd: number, address: Buffer): number {
  return bindCall(fd, address, address.length);
}

/** getsockname(2) into `address`; false when it fails or the name has another length. */
export function socketName(fd: number, address: Buffer): boolean {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(address.length);
  return socketNameCall(fd, address, length) === 0 && length.readUInt32LE() === address.length;
}

/** setsockopt(2) with raw bytes. */
export function setSocketOption(fd: number, level: number, option: number, value: Buffer): number {
  return setOptionCall(fd, level, option, value, value.length);
}

/**
 * Attaches a classic BPF program, eight bytes for each instruction, that selects the messages that a socket queues
 * (SO_ATTACH_FILTER of socket(7)).
 */
export function attachFilter(fd: number, program: Buffer): number {
  const SOL_SOCKET = 1;
  const SO_ATTACH_FILTER = 26;
  const descriptor = Buffer.alloc(16); // struct sock_fprog
  descriptor.writeUInt16LE(program.length / 8, 0);
  descriptor.writeBigUInt64LE(BigInt(koffi.address(program)), 8);
  return setOptionCall(fd, SOL_SOCKET, SO_ATTACH_FILTER, descriptor, descriptor.length);
}

/** send(2) of the first `length` bytes of `data`, which must lie within it. */
export function send(fd: number, data: Buffer, length: number): number {
  return Number(sendCall(fd, data, Math.min(length, data.length), 0));
}

/**
 * send(2) on a thread of the pool, for requests that keep the kernel busy for long. `data` must not change until the
 * promise settles. Resolves to the number of bytes, or to -1 with the errno unknown.
 */
export function sendOffLoop(fd: number, data: Buffer, length: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, sent: number | bigint) =>
      error ? reject(error) : resolve(Number(sent));
    sendCall.async(fd, data, Math.min(length, data.length), 0, done);
  });
}

/** recv(2) into `data`. With the flag MSG_TRUNC the result can exceed `data.length`. */
export function receive(fd: number, data: Buffer, flags: number): number {
  return Number(receiveCall(fd, data, data.length, flags));
}

/** setns(2): moves the calling thread, and no other, into the namespace of `fd`. */
export function setNamespace(fd: number, type: number): number {
  return setNamespaceCall(fd, type);
}

/** flock(2) with LOCK_EX | LOCK_NB. False with EAGAIN in `lastErrno()` if another open file holds the lock. */
export function tryLock(fd: number): boolean {
  const LOCK_EX = 2;
  const LOCK_NB = 4;
  return lockCall(fd, LOCK_EX | LOCK_NB) === 0;
}

/** close(2). */
export function closeDescriptor(fd: number): void {
  closeCall(fd);
}

/** A watch on a descriptor. Keep a reference to it: a watch that is garbage-collected ends. */
export interface Watch {
  /** Starts the watch again after the descriptor reported an error, which ends it. */
  again(): void;
  close(): void;
}

/**
 * Calls `onReadable` in a separate turn of the event loop whenever `fd` is readable or has an error. Does not keep the
 * process alive. Close the watch before the descriptor.
 */
export function watchReadable(fd: number, onReadable: () => void): Watch {
  let queued = false;
  // The poll callback runs outside of Node's callback scope. Leave it at once, so that promises and errors in
  // `onReadable` work as usual.
  const wake = () => {
    if (queued) return;
    queued = true;
    setImmediate(() => {
      queued = false;
      onReadable();
    });
  };
  const handle = koffi.node.poll(fd, wake);
  handle.unref();
  return { again: () => handle.start(wake), close: () => handle.close() };
}
