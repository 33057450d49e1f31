/** What happens in the kernel, as it happens: links, addresses and routes by multicast (rtnetlink(7)). */
import { GROUP, MESSAGE } from './constants.ts';
import { KernelError } from './error.ts';
import { ERRNO, type Watch, watchReadable } from './libc.ts';
import { type Link, parseLink } from './link.ts';
import { type MessageVisitor, Netlink } from './netlink.ts';

/** Notifications wait in 8 MiB: about ten thousand of them. */
const QUEUE_BYTES = 8 << 20;
const SLICE_MS = 2;
const RETRY_MS = 1000;

/** Who hears what. */
export interface MonitorEvents {
  /** An interface appeared, changed or (`gone`) went away. */
  link(link: Link, gone: boolean): void;
  /** An IPv4 address was added, or (`gone`) removed. */
  address(gone: boolean): void;
  /** An IPv4 route message, not decoded: there may be a great many. */
  route: MessageVisitor;
  /** Notifications were lost: everything known may be out of date. */
  overrun(): void;
  /** The monitor has a problem; it goes on trying. */
  error(error: Error): void;
}

/**
 * Hears the namespace in which it is made, until closed. It does not keep the process alive: the socket is
 * watched by the event loop's poll, not by a blocking read that would hold a thread of the pool.
 */
export class Monitor {
  readonly #netlink: Netlink;
  readonly #watch: Watch;
  readonly #events: MonitorEvents;
  #closed = false;

  /** Hears everything but the route changes of the socket with port `ignorePort`. @throws KernelError */
  constructor(events: MonitorEvents, ignorePort?: number, queueBytes = QUEUE_BYTES) {
    this.#events = events;
    const groups = [GROUP.LINK, GROUP.IPV4_ADDRESS, GROUP.IPV4_ROUTE];
    this.#netlink = new Netlink({ groups, receiveBytes: queueBytes, ignorePort });
    this.#watch = watchReadable(this.#netlink.fd, () => this.#drain());
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#watch.close();
    this.#netlink.close();
  }

  /** Reads for one slice; what is left wakes the watch again. */
  #drain(): void {
    if (this.#closed) return;
    const began = performance.now();
    try {
      while (performance.now() - began < SLICE_MS && !this.#closed) {
        if (!this.#netlink.read('hear the kernel', this.#dispatch, true)) return;
      }
    } catch (error) {
      // An error ends the watch (it reads as POLLERR): start it again.
      if (error instanceof KernelError && error.errno === ERRNO.ENOBUFS) {
        this.#watch.again();
        this.#events.overrun();
      } else {
        this.#events.error(error instanceof Error ? error : new Error(String(error)));
        setTimeout(() => this.#closed || this.#watch.again(), RETRY_MS).unref();
      }
    }
  }

  readonly #dispatch: MessageVisitor = (type, buffer, start, end, flags) => {
    if (type === MESSAGE.NEWROUTE || type === MESSAGE.DELROUTE) {
      this.#events.route(type, buffer, start, end, flags);
    } else if (type === MESSAGE.NEWLINK || type === MESSAGE.DELLINK) {
      if (end - start >= 16) this.#events.link(parseLink(buffer, start, end), type === MESSAGE.DELLINK);
    } else if (type === MESSAGE.NEWADDR || type === MESSAGE.DELADDR) {
      this.#events.address(type === MESSAGE.DELADDR);
    }
  };
}
