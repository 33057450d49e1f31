/** Reserves room for the descriptors of many connections before they arrive. */
import { libc } from './libc.ts';

/** fcntl(2): duplicates a descriptor, with the lowest free number from a given one on. */
const F_DUPFD = 0;
/** The largest table that is reserved; 8 octets an entry in the kernel. */
const MAXIMUM = 8192;
/** Every process has room for this many. */
const MINIMUM = 64;

let isReserved = false;

/**
 * Makes the kernel grow the process's table of descriptors at once, to 8192 entries or the limit of open files.
 *
 * Without this the kernel doubles the table each time it is full. In a process with threads, and Node always has some,
 * each time waits for an RCU grace period: while a thousand clients connected, accept(2) took 12 and 23 ms several
 * times, and the event loop stood still. Without koffi nothing is reserved.
 *
 * Only the first call does anything. It comes with the first connection rather than at the start: an idle process does
 * without koffi, which takes 2 MB.
 */
export function reserveDescriptors(): void {
  if (isReserved) return;
  isReserved = true;
  for (let size = MAXIMUM; size > MINIMUM; size /= 2) {
    if (openAndClose(size - 1)) return;
  }
}

/** Opens the descriptor `number`, or the next free one, and closes it; false when the limit is lower. */
function openAndClose(number: number): boolean {
  try {
    const { fcntl, close } = libc();
    const fd = fcntl(0, F_DUPFD, number);
    return fd >= 0 && close(fd) === 0;
  } catch {
    // Without koffi smaller sizes would fail too.
    return true;
  }
}
