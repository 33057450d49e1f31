/**
 * Deletion of links in the background. Deleting one takes the kernel 20 ms, and so does deleting fifty by their
 * group: DEL only buries (down, into the group), and the group is deleted a moment later, off the event loop.
 */

import { KernelError } from '../kernel/error.ts';
import { ERRNO } from '../kernel/libc.ts';
import { buryLink, type Link, reapGraveyard } from '../kernel/link.ts';
import { Netlink } from '../kernel/netlink.ts';
import type { Turns } from './turns.ts';

/** Burials within this time share one deletion. */
const GATHER_MS = 100;
const RETRY_MS = 1000;

export class Graveyard {
  readonly #netlink: Netlink;
  /** A socket of its own: it is busy for as long as a deletion takes. */
  readonly #reaper = new Netlink();
  readonly #turns: Turns;
  readonly #warn: (text: string) => void;
  readonly #buried = new Set<string>();
  #waiting: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;
  #reaping: Promise<void> | undefined;

  constructor(netlink: Netlink, turns: Turns, warn: (text: string) => void) {
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
    this.#buried.add(name);
    this.#timer ??= setTimeout(() => this.#reapSoon(), GATHER_MS);
  }

  /** Whether a buried link is not deleted yet. */
  holds(name: string): boolean {
    return this.#buried.has(name);
  }

  /** Fulfils when no buried link has this name; deletes now where one has. */
  async gone(name: string): Promise<void> {
    if (this.#buried.has(name)) this.#reapSoon();
    while (this.#buried.has(name)) await this.#nextReap();
  }

  /** Fulfils when no buried link has this name, without any hurry. */
  async reaped(name: string): Promise<void> {
    while (this.#buried.has(name)) await this.#nextReap();
  }

  /** Deletes what is buried, and closes. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#reaping;
    if (this.#buried.size > 0) await this.#reap();
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
        this.#buried.clear();
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
