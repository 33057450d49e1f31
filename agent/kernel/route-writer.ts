/** The one who reads and writes the kernel's routes: dumps and batches, one after the other, and retries. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { MessageBuilder } from './message.ts';
import type { Netlink } from './netlink.ts';
import type { RouteOwner } from './route.ts';
import { dumpRoutes, packWrite, sendWrites, type Write } from './route-batch.ts';
import type { RouteStore } from './route-store.ts';
import { Schedule } from './schedule.ts';

const BATCH_MESSAGES = 512;
const BATCH_BYTES = 65536;
const ROOM_FOR_ONE = 4096;
const SLICE_MS = 2;
/** Events come in flocks: wait this long before a dump or a retry that they ask for. */
const GATHER_MS = 50;
/** Dumps that events ask for take at most a twentieth of the time. */
const DUMP_SHARE = 20;
/** Retries that events ask for: at most 100,000 routes a second. */
const RETRY_MS_A_ROUTE = 0.01;
/** The pause after trouble with the socket itself. */
const RECOVERY_MS = 1000;

/** How a RouteWriter is set up. */
export interface RouteWriterOptions {
  store: RouteStore;
  owner: RouteOwner;
  /** A socket for the writer alone, which closes it. */
  netlink: Netlink;
  onError(error: Error): void;
}

/** Brings the kernel to what `store` wants. It rests until `start`. */
export class RouteWriter {
  readonly totals = { writes: 0, refusals: 0, dumps: 0 };
  readonly #options: RouteWriterOptions;
  readonly #builder = new MessageBuilder(BATCH_BYTES);
  readonly #schedule = new Schedule();
  readonly #idle: (() => void)[] = [];
  #inFlight: Write[] = [];
  /** The earliest time for a dump that events ask for. */
  #nextDump = 0;
  #dumpWanted = false;
  #state: 'new' | 'resting' | 'running' | 'paused' | 'closed' = 'new';

  constructor(options: RouteWriterOptions) {
    this.#options = options;
  }

  /** How many messages are being written. */
  get inFlight(): number {
    return this.#inFlight.length;
  }

  /** Whether a message for this route is being written. */
  isWriting(prefix: string, metric: number): boolean {
    return this.#inFlight.some(({ entry }) => entry.prefix === prefix && entry.metric === metric);
  }

  /**
   * Reads the kernel's routes and begins to write; then reads them every `periodMs` again, unless that is 0.
   * @throws KernelError
   */
  async start(periodMs: number): Promise<void> {
    await this.#dump();
    if (this.#isClosed()) return;
    this.#state = 'resting';
    this.setPeriod(periodMs);
    this.wake();
    if (this.#state === 'resting') this.#becomeIdle();
  }

  /** There is something to do. */
  wake(): void {
    if (this.#state !== 'resting' || !(this.#dumpWanted || this.#options.store.dirty > 0)) return;
    this.#state = 'running';
    setImmediate(() => this.#run());
  }

  /** Dumps as soon as the writer is free. */
  dumpNow(): void {
    this.#dumpWanted = true;
    this.wake();
  }

  /** Dumps before long: something may have changed unseen. */
  dumpSoon(): void {
    const delay = Math.max(GATHER_MS, this.#nextDump - performance.now());
    this.#schedule.after('dump', delay, () => this.dumpNow());
  }

  /** Tries all failed routes again before long: what they lacked may be there now. */
  retrySoon(): void {
    const { failed } = this.#options.store;
    if (failed === 0) return;
    const delay = Math.max(GATHER_MS, failed * RETRY_MS_A_ROUTE);
    this.#schedule.after('retry all', delay, () => this.#retry(Number.POSITIVE_INFINITY));
  }

  /** Resolves when there is nothing left to do; failed routes wait for their retry and do not count. */
  settled(): Promise<void> {
    if (this.#state === 'resting' || this.#state === 'closed') return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Stops after what is under way. */
  close(): void {
    this.#state = 'closed';
    this.#schedule.close();
    this.#options.netlink.close();
    this.#becomeIdle();
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    try {
      while (this.#state === 'running' && (this.#dumpWanted || this.#options.store.dirty > 0)) {
        if (this.#dumpWanted) await this.#dump();
        else await this.#writeBatch();
      }
      if (this.#isClosed()) return;
      this.#state = 'resting';
      this.#scheduleRetry();
      this.#becomeIdle();
    } catch (error) {
      if (this.#isClosed()) return;
      // What came of the last batch is unknown: only a dump can tell.
      this.#state = 'paused';
      this.#schedule.after('recover', RECOVERY_MS, () => {
        this.#state = 'resting';
        this.dumpNow();
      });
      this.#options.onError(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #isClosed(): boolean {
    return this.#state === 'closed';
  }

  #becomeIdle(): void {
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  async #writeBatch(): Promise<void> {
    const { store, netlink } = this.#options;
    const writes = this.#packBatch();
    this.#inFlight = writes;
    try {
      await sendWrites(netlink, this.#builder, writes);
    } catch (error) {
      for (const { entry } of writes) store.queue(entry);
      throw error;
    } finally {
      this.#inFlight = [];
    }
    const now = performance.now();
    this.totals.writes += writes.length;
    for (const { entry, target, error } of writes) {
      if (error === null) store.succeeded(entry, target);
      else {
        this.totals.refusals++;
        store.refused(entry, target, error, now);
      }
    }
  }

  #packBatch(): Write[] {
    const { store, owner } = this.#options;
    const builder = this.#builder;
    const writes: Write[] = [];
    const deadline = performance.now() + SLICE_MS;
    builder.reset();
    while (writes.length < BATCH_MESSAGES && builder.room > ROOM_FOR_ONE && performance.now() < deadline) {
      const entry = store.take();
      if (entry === undefined) break;
      writes.push(packWrite(builder, owner, entry, writes.length));
    }
    return writes;
  }

  async #dump(): Promise<void> {
    const { store, owner, netlink } = this.#options;
    this.#dumpWanted = false;
    const began = performance.now();
    try {
      store.beginDump();
      await dumpRoutes(netlink, owner, store.observe);
      for (const _pause of store.sweep()) await nextTurn();
    } catch (error) {
      this.#dumpWanted = true;
      throw error;
    }
    this.totals.dumps++;
    const now = performance.now();
    this.#nextDump = now + (now - began) * DUMP_SHARE;
  }

  /** Reads the kernel's routes every `periodMs` from now on, or, when that is 0, only when events ask for it. */
  setPeriod(periodMs: number): void {
    this.#schedule.cancel('periodic');
    if (periodMs <= 0) return;
    this.#schedule.after('periodic', periodMs, () => {
      this.dumpNow();
      this.setPeriod(periodMs);
    });
  }

  #scheduleRetry(): void {
    const next = this.#options.store.nextRetry();
    if (next === Number.POSITIVE_INFINITY) return;
    const delay = Math.max(GATHER_MS, next - performance.now());
    this.#schedule.after('retry', delay, () => this.#retry(performance.now()));
  }

  #retry(now: number): void {
    this.#options.store.retry(now);
    this.wake();
    if (this.#state === 'resting') this.#scheduleRetry();
  }
}
