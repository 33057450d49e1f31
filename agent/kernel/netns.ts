/** Network namespaces, setns(2). */
import { access, closeSync, openSync } from 'node:fs';
import { KernelError } from './error.ts';
import { lastErrno, setNamespace } from './libc.ts';

const CLONE_NEWNET = 0x40000000;

let home = -1;
let inside: string | null = null;

/**
 * Runs `fn` with this thread inside the network namespace at `path` (/run/netns/NAME, /proc/PID/ns/net, …) and
 * returns what it returns. Sockets opened and /proc/sys/net paths used in `fn` belong to that namespace, sockets
 * for as long as they live.
 *
 * `fn` must be synchronous and start nothing asynchronous: a continuation would run in the wrong namespace.
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
      // Without the way back everything this process does from now on would hit the wrong namespace.
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
 * Threads inherit the namespace of the thread that creates them. libuv creates its pool at the first use: have
 * that happen here, at home, lest a file operation inside a namespace put the whole pool there for good.
 */
function prepare(): void {
  if (home >= 0) return;
  access('/', () => {});
  home = openSync('/proc/thread-self/ns/net', 'r');
}
