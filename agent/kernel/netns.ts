/** Network namespaces, setns(2). */
import { access, closeSync, openSync } from 'node:fs';
import { KernelError } from './error.ts';
import { lastErrno, setNamespace } from './libc.ts';

const CLONE_NEWNET = 0x40000000;

let home = -1;
let inside: string | null = null;

/**
 * Runs `fn` with this thread inside the network namespace at `path` (/run/netns/NAME, /proc/PID/ns/net, …) and
 * returns its result. Sockets that `fn` opens stay in that namespace, and the paths below /proc/sys/net are those of
 * that namespace.
 *
 * `fn` must be synchronous and must not start asynchronous work, whose continuation would run in the wrong namespace.
 * Calls do not nest.
 * @throws KernelError when the namespace cannot be opened or entered (errno ENOENT: it is gone)
 */
export function withNetns<T>(path: string, fn: () => T): T {
  if (inside !== null) throw new Error(`withNetns does not nest: already inside ${inside}`);
  prepare();
  const target = openNetns(path);
  try {
    if (setNamespace(target, CLONE_NEWNET) !== 0) {
      throw new KernelError(`enter the network namespace ${path}`, lastErrno());
    }
    inside = path;
    let result: T;
    try {
      result = fn();
    } finally {
      // If the thread cannot return, everything this process does from now on would change the wrong namespace.
      if (setNamespace(home, CLONE_NEWNET) !== 0) process.abort();
      inside = null;
    }
    if (result instanceof Promise) throw new TypeError('the function given to withNetns must be synchronous');
    return result;
  } finally {
    closeSync(target);
  }
}

/**
 * A descriptor of the namespace at `path`, for IFLA_NET_NS_FD; close it with fs.closeSync.
 * @throws KernelError when it cannot be opened
 */
export function openNetns(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    const errno = (error as NodeJS.ErrnoException).errno;
    if (errno === undefined) throw error;
    throw new KernelError(`open the network namespace ${path}`, -errno);
  }
}

/**
 * Threads inherit the namespace of the thread that creates them, and libuv creates its thread pool at the first use. The
 * first use must be here, in the process's own namespace: otherwise a file operation inside another namespace would put
 * the whole pool there for good.
 */
function prepare(): void {
  if (home >= 0) return;
  access('/', () => {});
  home = openSync('/proc/thread-self/ns/net', 'r');
}
