/** Room for the descriptors of connections, made before they come. */
import { libc } from './libc.ts';

/** fcntl(2): a copy, with the lowest free number from a given one on. */
const F_DUPFD = 0;
/** Connections and whatever else is open; 8 octets each in the kernel. */
const DESCRIPTORS = 8192;
/** What every process has room for. */
const LEAST = 64;

let reserved = false;

/**
 * Has the kernel make the process's table of descriptors large at once, as far as its limit of open files goes. Else it
 * is doubled whenever it is full, and in a process with threads the kernel waits for all processors then (an RCU grace
 * period): accept(2) took 12 and 23 ms while a thousand clients connected, and the event loop stood still. Without
 * foreign functions nothing is done.
 */
export function reserveDescriptors(): void {
  if (reserved) return;
  reserved = true;
  for (let size = DESCRIPTORS; size > LEAST; size /= 2) {
    if (reach(size - 1)) return;
  }
}

/** Opens a descriptor with that number or the next one that is free, and closes it; false when there can be none. */
function reach(number: number): boolean {
  try {
    const { fcntl, close } = libc();
    const fd = fcntl(0, F_DUPFD, number);
    return fd >= 0 && close(fd) === 0;
  } catch {
    return true;
  }
}
