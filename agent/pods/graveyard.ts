/**
 * Deletion of links in the background. Deleting one takes the kernel 20 ms, and so does deleting fifty by their
 * group: DEL only buries (down, into the group), and the group is deleted a moment later, off the event loop.
 */

import { KernelError } from '../kernel/error.ts';
import { ERRNO } from '../kernel/libc.ts';
import { buryLink, type Link, reapGraveyard } from '../kernel/link.ts';
import { Netlink } from '../kernel/netlink.ts';
import type { SerialQueue } from './concurrency.ts';

/** Burials within this time share one deletion. */
const GATHER_MS = 100;
const RETRY_MS = 1000;

export class Graveyard {
  readonly #netlink: Netlink;
  /** A socket of its own: it is busy for as long as a deletion takes. */
  readonly #reaper = new Netlink();
  readonly #turns: SerialQueue;
  readonly #warn: (text: string) => void;
  /** Names of buried links, and what is to be done once each is deleted. */
  readonly #buried = new Map<string, (() => void)[]>();
  #waiting: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;
  #reaping: Promise<void> | undefined;

  constructor(netlink: Netlink, turns: SerialQueue, warn: (text: string) => void) {
    this.#netlink = netlink;
    this.#turns = turns;
    this.#warn = warn;
  }

  /** Takes a link out of service now; it is deleted soon. To be called in a turn of the kernel. */
  bury(link: Pick<Link, 'index' | 'name'>): void {
    try {
      buryLink(this.#netlink, link.index);
    } catch (error) {
      // Gone with its pod's namespace.
      if (error instanceof KernelError && error.errno === ERRNO.ENODEV) return;
      throw error;
    }
    this.note(link.name);
  }

  /** Notes a link that lies in the graveyard already, as after a restart. */
  note(name: string): void {
    if (!this.#buried.has(name)) this.#buried.set(name, []);
    this.#timer ??= setTimeout(() => this.#reapSoon(), GATHER_MS);
  }

  /** Fulfils when no buried link has this name; deletes now where one has. */
  async gone(name: string): Promise<void> {
    while (this.#buried.has(name)) {
      this.#reapSoon();
      await this.#nextReap();
    }
  }

  /** Does something as soon as no buried link has this name, without any hurry. */
  afterwards(name: string, action: () => void): void {
    const actions = this.#buried.get(name);
    if (actions) actions.push(action);
    else action();
  }

  /** Deletes now what is buried, if anything, and fulfils when that was tried. */
  async flush(): Promise<void> {
    if (this.#buried.size === 0) return;
    this.#reapSoon();
    await this.#reaping;
  }

  /** Deletes what is buried, and closes. */
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
      // In a turn, as the kernel's lock is held meanwhile and a request would block the event loop.
      await this.#turns.run(async () => {
        await reapGraveyard(this.#reaper);
        const actions = [...this.#buried.values()].flat();
        this.#buried.clear();
        for (const action of actions) action();
      });
    } catch (error) {
      this.#warn(`links of removed pods stay for now: ${(error as Error).message}`);
      this.#timer ??= setTimeout(() => this.#reapSoon(), RETRY_MS);
      return;
    }
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}
