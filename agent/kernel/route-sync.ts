/**
 * The owner of what this daemon wants in the kernel's routing table: desired state in memory, batches to the
 * kernel, and whatever it takes to keep the two equal. Only routes of our protocol in our table are touched.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { AF_INET, FLAG, MESSAGE, PROTOCOL } from './constants.ts';
import { type Link, listLinks } from './link.ts';
import { MessageBuilder } from './message.ts';
import { Monitor } from './monitor.ts';
import { type MessageVisitor, Netlink, type NetlinkOptions } from './netlink.ts';
import { withNetns } from './netns.ts';
import {
  type EncodedTarget,
  encodeTarget,
  parseRoute,
  ROUTE_LENGTH,
  type RouteOwner,
  type RouteTarget,
} from './route.ts';
import { dumpRoutes, packWrite, sendWrites, type Write } from './route-batch.ts';
import { isInSync } from './route-entry.ts';
import { lookupRoute, type RouteLookup } from './route-lookup.ts';
import { type RouteEvent, RouteStore } from './route-store.ts';
import { Schedule } from './schedule.ts';

const BATCH_MESSAGES = 512;
const BATCH_BYTES = 65536;
const ROOM_FOR_ONE = 4096;
const SLICE_MS = 2;
const RECEIVE_BYTES = 4 << 20;
/** Events come in flocks: wait this long before a dump or a retry that they ask for. */
const GATHER_MS = 50;
/** Dumps that events ask for take at most a twentieth of the time. */
const DUMP_SHARE = 20;
const RECOVERY_MS = 1000;
/** Retries that events ask for: at most 100,000 routes a second. */
const KICK_MS_A_ROUTE = 0.01;

/** How a RouteSync is set up. Callbacks must not throw. */
export interface RouteSyncOptions {
  /** Routing table of everything it installs, e.g. 254 (main). */
  table: number;
  /** Route protocol that marks its routes, 179 by default. */
  protocol?: number;
  /** Milliseconds between full dump-and-compare runs; 0: only when events ask for one. */
  reconcileMs?: number;
  /** Path of the network namespace to work in; by default the process's own. */
  netns?: string;
  onRoute?(event: RouteEvent): void;
  /** Trouble that is no route's fault; the work goes on by itself. */
  onError?(error: Error): void;
}

/** Numbers for status and metrics. A route is either installed, pending, failed or stale. */
export interface RouteSyncCounts {
  routes: number;
  installed: number;
  pending: number;
  failed: number;
  /** Found at start and claimed by nobody yet. */
  stale: number;
  /** Messages written, those of them that were refused, dumps, overruns of the monitor. */
  writes: number;
  refusals: number;
  dumps: number;
  overruns: number;
  /** How often a route of ours was found missing or changed. */
  losses: number;
}

/** See the head of this file. Call `start` once; `set` and `delete` may come before it. */
export class RouteSync {
  readonly owner: RouteOwner;
  readonly #options: RouteSyncOptions;
  readonly #netlink: Netlink;
  readonly #lookups: Netlink;
  readonly #monitor: Monitor;
  readonly #store: RouteStore;
  readonly #builder = new MessageBuilder(BATCH_BYTES);
  readonly #encoded = new WeakMap<RouteTarget, EncodedTarget>();
  readonly #linkIsUp = new Map<number, boolean>();
  readonly #schedule = new Schedule();
  readonly #topology = new Set<() => void>();
  readonly #idle: (() => void)[] = [];
  readonly #totals = { writes: 0, refusals: 0, dumps: 0, overruns: 0 };
  #inFlight: Write[] = [];
  /** The earliest time for a dump that events ask for. */
  #nextDump = 0;
  #dumpWanted = false;
  #started = false;
  #running = false;
  #closed = false;

  /** @throws KernelError */
  constructor(options: RouteSyncOptions) {
    this.#options = options;
    this.owner = { table: options.table, protocol: options.protocol ?? PROTOCOL.FLATROUTE };
    this.#store = new RouteStore((event) => options.onRoute?.(event));
    this.#netlink = this.open({ receiveBytes: RECEIVE_BYTES });
    this.#lookups = this.open();
    const events = {
      link: (link: Link, gone: boolean) => this.#onLink(link, gone),
      address: (gone: boolean) => this.#onChange(gone),
      route: this.#onRoute,
      overrun: () => this.#onOverrun(),
      error: (error: Error) => options.onError?.(error),
    };
    this.#monitor = this.#inside(() => new Monitor(events, this.#netlink.port));
  }

  /**
   * Compares with what the kernel has and begins to write. Routes of ours that nobody has claimed stay until
   * `releaseStale`, so that a restart does not interrupt forwarding. Resolves once the kernel has been read.
   * @throws KernelError
   */
  async start(): Promise<void> {
    this.#running = true;
    try {
      for (const { index, up } of listLinks(this.#lookups)) this.#linkIsUp.set(index, up);
      await this.#dump();
      this.#started = true;
    } finally {
      this.#running = false;
      if (this.#store.dirty > 0) this.#wake();
      if (!this.#running) this.#becomeIdle();
    }
    this.#schedulePeriodic();
  }

  /**
   * Wants a route, in place of the one with this prefix and metric; written in the next turn of the event loop.
   * Routes that share one `target` object, which must not be changed, share its encoding. A metric of 1 or more
   * lets the kernel tell it from the prefix's other routes when it is deleted.
   * @throws TypeError when prefix, metric or target is malformed
   */
  set(prefix: string, metric: number, target: RouteTarget): void {
    if (this.#store.want(prefix, metric, this.#encode(target))) this.#wake();
  }

  /** Wants no route with this prefix and metric any more. */
  delete(prefix: string, metric: number): void {
    if (this.#store.unwant(prefix, metric)) this.#wake();
  }

  /**
   * `installed`, `pending`, `stale`, or why it is not in the kernel; null when there is no such route. Without a
   * metric it is the wanted route of the lowest one, found by a search through all.
   */
  state(prefix: string, metric?: number): string | null {
    const store = this.#store;
    const entry = metric === undefined ? store.lowest(prefix) : store.find(prefix, metric);
    if (entry === undefined) return null;
    if (store.isStale(entry)) return 'stale';
    if (entry.error !== null) return entry.error.message;
    return entry.desired !== null && isInSync(entry) ? 'installed' : 'pending';
  }

  /**
   * Resolves when the kernel has the route, which overtakes others that wait to be written.
   * @throws KernelError when the kernel refuses it; Error when it is not wanted (any more) or we are stopping
   */
  whenInstalled(prefix: string, metric: number): Promise<void> {
    if (this.#closed) return Promise.reject(new Error(STOPPING));
    return this.#store.whenInstalled(prefix, metric);
  }

  /** Reads the kernel's routes, writes what differs, and resolves when that is done. */
  reconcile(): Promise<void> {
    this.#dumpWanted = true;
    this.#wake();
    return this.settled();
  }

  /** Resolves when nothing waits to be written; failed routes wait for their retry and do not count. */
  settled(): Promise<void> {
    if (this.#closed || (this.#started && !this.#running)) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Deletes the routes found at start that nobody has claimed, and returns how many there are. */
  releaseStale(): number {
    const count = this.#store.releaseStale();
    this.#wake();
    return count;
  }

  /** What the kernel would do with a packet to `address`, see `lookupRoute`. @throws KernelError */
  get(address: string, withSource = true): RouteLookup {
    return lookupRoute(this.#lookups, address, withSource);
  }

  /**
   * Calls `listener` whenever links, addresses or routes of others changed, so that next hops may resolve
   * differently. Calls come in flocks. Returns a function that ends it.
   */
  watchTopology(listener: () => void): () => void {
    this.#topology.add(listener);
    return () => this.#topology.delete(listener);
  }

  counts(): RouteSyncCounts {
    const { size: routes, dirty, failed, stale, losses } = this.#store;
    const pending = Math.min(dirty + this.#inFlight.length, routes - failed - stale);
    return {
      routes,
      installed: routes - pending - failed - stale,
      pending,
      failed,
      stale,
      ...this.#totals,
      losses,
    };
  }

  /** Stops. The kernel keeps its routes; what was not written yet is not. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#schedule.close();
    this.#monitor.close();
    this.#lookups.close();
    this.#netlink.close();
    this.#store.abandon(new Error(STOPPING));
    if (this.#running) await new Promise<void>((resolve) => this.#idle.push(resolve));
    else this.#becomeIdle();
  }

  /** A socket in the same namespace, for its caller to close. @throws KernelError */
  open(options?: NetlinkOptions): Netlink {
    return this.#inside(() => new Netlink(options));
  }

  #inside<T>(work: () => T): T {
    return this.#options.netns === undefined ? work() : withNetns(this.#options.netns, work);
  }

  #encode(target: RouteTarget): EncodedTarget {
    let encoded = this.#encoded.get(target);
    if (encoded === undefined) {
      encoded = encodeTarget(target);
      this.#encoded.set(target, encoded);
    }
    return encoded;
  }

  #wake(): void {
    if (!this.#started || this.#running || this.#closed) return;
    this.#running = true;
    setImmediate(() => this.#run());
  }

  /** Dumps and writes, one after the other, until nothing is left to do. Never rejects. */
  async #run(): Promise<void> {
    try {
      while (!this.#closed && (this.#dumpWanted || this.#store.dirty > 0)) {
        if (this.#dumpWanted) await this.#dump();
        else await this.#writeBatch();
      }
    } catch (error) {
      if (!this.#closed) this.#options.onError?.(error instanceof Error ? error : new Error(String(error)));
      this.#schedule.after('dump', RECOVERY_MS, () => this.#dumpNow());
    }
    this.#running = false;
    this.#scheduleRetry();
    this.#becomeIdle();
  }

  #becomeIdle(): void {
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  async #writeBatch(): Promise<void> {
    const builder = this.#builder;
    const writes: Write[] = [];
    builder.reset();
    const began = performance.now();
    while (
      writes.length < BATCH_MESSAGES &&
      builder.room > ROOM_FOR_ONE &&
      performance.now() - began < SLICE_MS
    ) {
      const entry = this.#store.take();
      if (entry === undefined) break;
      writes.push(packWrite(builder, this.owner, entry, writes.length));
    }
    this.#inFlight = writes;
    try {
      await sendWrites(this.#netlink, builder, writes);
    } catch (error) {
      for (const { entry } of writes) this.#store.queue(entry); // the dump that follows tells what came of them
      throw error;
    } finally {
      this.#inFlight = [];
    }
    const now = performance.now();
    this.#totals.writes += writes.length;
    for (const { entry, target, error } of writes) {
      if (error === null) this.#store.succeeded(entry, target);
      else {
        this.#totals.refusals++;
        this.#store.refused(entry, target, error, now);
      }
    }
  }

  async #dump(): Promise<void> {
    this.#dumpWanted = false;
    const began = performance.now();
    this.#store.beginDump();
    await dumpRoutes(this.#netlink, this.owner, this.#store.observe);
    for (const _pause of this.#store.sweep()) await nextTurn();
    this.#totals.dumps++;
    const now = performance.now();
    this.#nextDump = now + (now - began) * DUMP_SHARE;
  }

  #dumpNow(): void {
    this.#dumpWanted = true;
    this.#wake();
  }

  #schedulePeriodic(): void {
    const period = this.#options.reconcileMs ?? 0;
    if (period <= 0) return;
    this.#schedule.after('periodic', period, () => {
      this.#dumpNow();
      this.#schedulePeriodic();
    });
  }

  #scheduleRetry(): void {
    const next = this.#store.nextRetry();
    if (next === Number.POSITIVE_INFINITY) return;
    const delay = Math.max(GATHER_MS, next - performance.now());
    this.#schedule.after('retry', delay, () => this.#retry(performance.now()));
  }

  #retry(now: number): void {
    this.#store.retry(now);
    if (this.#store.dirty > 0) this.#wake();
    else this.#scheduleRetry();
  }

  readonly #onRoute: MessageVisitor = (type, buffer, start, end, flags) => {
    if (end - start < ROUTE_LENGTH || buffer[start] !== AF_INET) return;
    const protocol = buffer[start + 5];
    const byHand = type === MESSAGE.NEWROUTE && protocol === PROTOCOL.BOOT && (flags & FLAG.REPLACE) !== 0;
    const route = protocol === this.owner.protocol || byHand ? parseRoute(buffer, start, end) : null;
    if (route?.table === this.owner.table) {
      const { prefix, metric } = route;
      // Whether a batch under way came before or after this, only a dump can tell.
      if (this.#inFlight.some(({ entry }) => entry.prefix === prefix && entry.metric === metric))
        this.#requestDump();
      if (byHand) this.#store.observeReplaced(prefix, metric);
      else if (type === MESSAGE.DELROUTE) this.#store.observeGone(prefix, metric);
      else this.#store.observe(buffer, start, end);
      this.#wake();
      if (!byHand) return;
    }
    this.#onChange(false);
  };

  #onLink(link: Link, gone: boolean): void {
    const wentDown = !link.up && this.#linkIsUp.get(link.index) === true;
    if (gone) this.#linkIsUp.delete(link.index);
    else this.#linkIsUp.set(link.index, link.up);
    this.#onChange(gone || wentDown);
  }

  /** `removed`: routes may have gone with it, of which IPv4 says nothing. */
  #onChange(removed: boolean): void {
    if (removed) this.#requestDump();
    if (this.#store.failed > 0) {
      const delay = Math.max(GATHER_MS, this.#store.failed * KICK_MS_A_ROUTE);
      this.#schedule.after('kick', delay, () => this.#retry(Number.POSITIVE_INFINITY));
    }
    for (const listener of this.#topology) listener();
  }

  #onOverrun(): void {
    this.#totals.overruns++;
    this.#onChange(true);
  }

  #requestDump(): void {
    const delay = Math.max(GATHER_MS, this.#nextDump - performance.now());
    this.#schedule.after('dump', delay, () => this.#dumpNow());
  }
}

const STOPPING = 'routes are not looked after any more: the daemon is stopping';
