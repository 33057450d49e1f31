/**
 * Deletes the links of removed pods in the background. The kernel takes 20 ms to delete one link, and as long to delete
 * fifty by their interface group. So DEL only buries a link: takes it down and moves it into the graveyard, which is an
 * interface group. A moment later the whole group is deleted, off the event loop.
 */

import { KernelError } from '../kernel/error.ts';
import { ERRNO } from '../kernel/libc.ts';
import { deleteLinkGroup, type Link, setLink } from '../kernel/link.ts';
import { Netlink } from '../kernel/netlink.ts';
import type { SerialQueue } from './concurrency.ts';

/** Interface group of buried links: "fr" and the route protocol, unlikely to be in use. */
export const GRAVEYARD_GROUP = 0x66720179;

/** Links buried within this time are deleted together, in milliseconds. */
const GATHER_MS = 100;
/** Time after a failed deletion until the next one. */
const RETRY_MS = 1000;

/** The links that wait to be deleted. */
export class Graveyard {
  readonly #netlink: Netlink;
  /** A second socket, because it is busy for as long as a deletion takes. */
  readonly #reaper = new Netlink();
  readonly #kernelQueue: SerialQueue;
  readonly #onDelay: (error: Error) => void;
  /** By the name of a buried link: the actions to run once it is deleted. */
  readonly #buried = new Map<string, (() => void)[]>();
  #waiting: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;
  #reaping: Promise<void> | undefined;

  /** `onDelay` is called when a deletion failed; it is retried after a second. */
  constructor(netlink: Netlink, kernelQueue: SerialQueue, onDelay: (error: Error) => void) {
    this.#netlink = netlink;
    this.#kernelQueue = kernelQueue;
    this.#onDelay = onDelay;
  }

  /** Takes a link out of service; it is deleted soon. To be called in the kernel queue. Throws a KernelError. */
  bury(link: Pick<Link, 'index' | 'name'>): void {
    try {
      setLink(this.#netlink, link.index, { up: false, group: GRAVEYARD_GROUP });
    } catch (error) {
      // Deleted with its pod's namespace.
      if (error instanceof KernelError && error.errno === ERRNO.ENODEV) return;
      throw error;
    }
    this.note(link.name);
  }

  /** Registers a link that is in the graveyard already, as after a restart. */
  note(name: string): void {
    if (!this.#buried.has(name)) this.#buried.set(name, []);
    this.#timer ??= setTimeout(() => this.#reapSoon(), GATHER_MS);
  }

  /** Fulfils when no buried link has this name. Deletes at once if one has. */
  async gone(name: string): Promise<void> {
    while (this.#buried.has(name)) {
      this.#reapSoon();
      await this.#nextReap();
    }
  }

  /** Runs `action` once no buried link has this name. Does not hasten the deletion. */
  afterwards(name: string, action: () => void): void {
    const actions = this.#buried.get(name);
    if (actions) actions.push(action);
    else action();
  }

  /** Deletes the buried links now. Fulfils when the deletion succeeded or failed. */
  async flush(): Promise<void> {
    if (this.#buried.size === 0) return;
    this.#reapSoon();
    await this.#reaping;
  }

  /** Deletes the buried links and closes the sockets. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#reaping;
    await this.flush();
    clearTimeout(this.#timer);
    this.#reaper.close();
  }

  #nextReap(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #reapSoon(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#reaping ??= this.#reap().finally(() => {
      this.#reaping = undefined;
    });
  }

  async #reap(): Promise<void> {
    try {
      // In the queue: the kernel holds its routing lock meanwhile, and a request would block the event loop.
      await this.#kernelQueue.run(async () => {
        await deleteLinkGroup(this.#reaper, GRAVEYARD_GROUP);
        const actions = [...this.#buried.values()].flat();
        this.#buried.clear();
        for (const action of actions) action();
      });
    } catch (error) {
      this.#onDelay(error as Error);
      this.#timer ??= setTimeout(() => this.#reapSoon(), RETRY_MS);
      return;
    }
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}
