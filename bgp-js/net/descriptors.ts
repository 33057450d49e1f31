/** Reserves room for the descriptors of many connections before they arrive. */
import { libc } from './libc.ts';

/** fcntl(2): duplicates a descriptor, with the lowest free number from a given one on. */
const F_DUPFD = 0;
/** Room for connections and everything else that is open; 8 octets each in the kernel. */
const RESERVED = 8192;
/** Every process has room for this many. */
const MINIMUM = 64;

let isReserved = false;

/**
 * Makes the kernel grow the process's table of descriptors once, up to RESERVED or the limit of open files. Otherwise
 * the kernel doubles the table whenever it is full, and in a process with threads each time waits for an RCU grace
 * period: while a thousand clients connected, accept(2) took 12 and 23 ms, and the event loop stood still. Without koffi
 * nothing is reserved.
 */
export function reserveDescriptors(): void {
  if (isReserved) return;
  isReserved = true;
  for (let size = RESERVED; size > MINIMUM; size /= 2) {
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
    // No koffi: smaller sizes would fail too.
    return true;
  }
}
