/**
 * Reads and writes the kernel's routes: dumps and batches, one after the other, and retries. The head of route-sync.ts
 * explains the whole.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { IPPrefix } from 'bgp-js/ip';
import { FLAG } from './constants.ts';
import { KernelError } from './error.ts';
import { ERRNO } from './libc.ts';
import { MessageBuilder, type Netlink } from './netlink.ts';
import { type EncodedTarget, formatRoute, packDeleteRoute, packNewRoute, type RouteOwner } from './route.ts';
import { dumpRoutes } from './route-request.ts';
import type { RouteState, RouteStore } from './route-store.ts';
import { Schedule } from './schedule.ts';

const BATCH_MESSAGES = 512;
const BATCH_BYTES = 65536;
const ROOM_FOR_ONE = 4096;
const SLICE_MS = 2;
/** Events come in bursts: a dump or retry that they ask for waits this long. */
const GATHER_MS = 50;
/** Dumps that events ask for take at most one twentieth of the time. */
const DUMP_SHARE = 20;
/** Retries that events ask for: at most 100,000 routes a second. */
const RETRY_MS_A_ROUTE = 0.01;
/** The pause after trouble with the socket itself. */
const RECOVERY_MS = 1000;

const NO_TARGET = { type: 'unicast', attributes: Buffer.alloc(0) } as const;

/** One message of a batch and its outcome. */
interface Write {
  entry: RouteState;
  /** What to install; null: delete the route. */
  target: EncodedTarget | null;
  error: KernelError | null;
}

/** Options of a RouteWriter. */
export interface RouteWriterOptions {
  store: RouteStore;
  owner: RouteOwner;
  /** A socket for the writer alone, which closes it. */
  netlink: Netlink;
  onError(error: Error): void;
}

/** Brings the kernel to the desired state of `store`, from `start` on. */
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

  /** How many messages of the current batch are unanswered. */
  get inFlight(): number {
    return this.#inFlight.length;
  }

  /** Whether the current batch contains this route. */
  isWriting(prefix: IPPrefix, metric: number): boolean {
    return this.#inFlight.some(({ entry }) => entry.metric === metric && entry.prefix.equals(prefix));
  }

  /**
   * Reads the kernel's routes and starts to write; then reads them again every `periodMs`, unless that is 0.
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

  /** Starts to work when there is a dump to do or an entry to write. */
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

  /** Dumps soon: something may have changed without an event. */
  dumpSoon(): void {
    const delay = Math.max(GATHER_MS, this.#nextDump - performance.now());
    this.#schedule.after('dump', delay, () => this.dumpNow());
  }

  /** Retries all failed routes soon: what they depend on may exist now. */
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

  /** Stops after the current batch or dump. */
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
      // The outcome of the last batch is unknown: only a dump can tell.
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
    const { store } = this.#options;
    const writes = this.#packBatch();
    this.#inFlight = writes;
    try {
      await this.#send(writes);
    } catch (error) {
      for (const { entry } of writes) store.queue(entry);
      throw error;
    } finally {
      this.#inFlight = [];
    }
    const now = performance.now();
    this.totals.writes += writes.length;
    for (const { entry, target, error } of writes) {
      if (error === null) store.onWritten(entry, target);
      else {
        this.totals.refusals++;
        store.onRefused(entry, target, error, now);
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
      const entry = store.takeNext();
      if (entry === undefined) break;
      packWrite(builder, owner, entry, writes.length);
      writes.push({ entry, target: entry.desired, error: null });
    }
    return writes;
  }

  /** Sends the packed batch and fills in the errors. @throws KernelError when the outcome is unknown */
  async #send(writes: Write[]): Promise<void> {
    const { netlink } = this.#options;
    for (const { index, errno, detail } of await netlink.batch(
      'write routes',
      this.#builder,
      writes.length,
    )) {
      const write = writes[index];
      if (write !== undefined) write.error = errorOf(write, errno, detail);
    }
  }

  async #dump(): Promise<void> {
    const { store, owner, netlink } = this.#options;
    this.#dumpWanted = false;
    const began = performance.now();
    try {
      store.startDump();
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

  /** From now on, reads the kernel's routes every `periodMs`; 0: only when events ask for it. */
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

/**
 * Packs the message that brings the kernel to `entry.desired`.
 *
 * A route is replaced only where ours is known to exist: the kernel's REPLACE takes any route with the prefix and the
 * metric, whoever installed it.
 */
function packWrite(builder: MessageBuilder, owner: RouteOwner, entry: RouteState, sequence: number): void {
  const { prefix, metric, desired, installed } = entry;
  if (desired !== null) {
    const mayReplace = installed !== null || entry.replacedByHand;
    const flags = FLAG.CREATE | (mayReplace ? FLAG.REPLACE : FLAG.EXCLUSIVE);
    packNewRoute(builder, flags, owner, prefix, metric, desired);
  } else {
    packDeleteRoute(builder, owner, prefix, metric, installed ?? NO_TARGET);
  }
  builder.end(sequence);
}

/** The error of a refused write; null when it was a deletion and the route is gone. */
function errorOf({ entry, target }: Write, errno: number, detail: string): KernelError | null {
  const { prefix, metric } = entry;
  if (target === null) {
    const isGone = errno === ERRNO.ESRCH || errno === ERRNO.ENODEV;
    return isGone ? null : new KernelError(`delete route ${prefix} metric ${metric}`, errno, detail);
  }
  const conflict =
    errno === ERRNO.EEXIST ? `another program's route has this prefix and metric ${metric}` : '';
  const action = `install route ${formatRoute({ ...target.target, prefix })}`;
  return new KernelError(action, errno, detail || conflict);
}
