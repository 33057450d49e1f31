/** Events of the kernel: links, addresses and routes by multicast (rtnetlink(7)). */
import { GROUP, MESSAGE } from './constants.ts';
import { KernelError } from './error.ts';
import { ERRNO, type Watch, watchReadable } from './libc.ts';
import { type Link, parseLink } from './link.ts';
import { type MessageVisitor, Netlink } from './netlink.ts';

/** The queue of notifications: 8 MiB, about ten thousand of them. */
const QUEUE_BYTES = 8 << 20;
const SLICE_MS = 2;
const RETRY_MS = 1000;

/** The callbacks of a Monitor. */
export interface MonitorEvents {
  /** An interface appeared, changed or (`gone`) was deleted. */
  link(link: Link, gone: boolean): void;
  /** An IPv4 address was added, or (`gone`) removed. */
  address(gone: boolean): void;
  /** An IPv4 route message, not decoded, because there may be very many. */
  route: MessageVisitor;
  /** Notifications were lost: everything known may be out of date. */
  overrun(): void;
  /** Reading or decoding failed; the monitor continues. */
  error(error: Error): void;
}

/**
 * Receives the events of the namespace in which it is created, until closed. It does not keep the process alive: the
 * event loop polls the socket, and no thread of the pool is blocked in a read.
 */
export class Monitor {
  readonly #netlink: Netlink;
  readonly #watch: Watch;
  readonly #events: MonitorEvents;
  #closed = false;

  /** Skips the route changes of the socket with port `ignorePort`. @throws KernelError */
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

  /** Reads for one slice of time; the rest makes the socket readable again. */
  #drain(): void {
    if (this.#closed) return;
    const began = performance.now();
    try {
      while (performance.now() - began < SLICE_MS && !this.#closed) {
        if (!this.#netlink.read('receive kernel events', this.#dispatch, true)) return;
      }
    } catch (error) {
      // An error ends the watch (it reads as POLLERR): start it again.
      if (error instanceof KernelError && error.errno === ERRNO.ENOBUFS) {
        this.#watch.again();
        this.#events.overrun();
      } else {
        this.#events.error(asError(error));
        setTimeout(() => this.#closed || this.#watch.again(), RETRY_MS).unref();
      }
    }
  }

  readonly #dispatch: MessageVisitor = (type, buffer, start, end, flags) => {
    if (type === MESSAGE.NEWROUTE || type === MESSAGE.DELROUTE) {
      this.#events.route(type, buffer, start, end, flags);
    } else if (type === MESSAGE.NEWLINK || type === MESSAGE.DELLINK) {
      const link = this.#parseLink(buffer, start, end);
      if (link) this.#events.link(link, type === MESSAGE.DELLINK);
    } else if (type === MESSAGE.NEWADDR || type === MESSAGE.DELADDR) {
      this.#events.address(type === MESSAGE.DELADDR);
    }
  };

  /** One message that cannot be decoded must not cost the others: it is reported and treated as a lost one. */
  #parseLink(buffer: Buffer, start: number, end: number): Link | null {
    try {
      return parseLink(buffer, start, end);
    } catch (error) {
      this.#events.error(asError(error));
      this.#events.overrun();
      return null;
    }
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
