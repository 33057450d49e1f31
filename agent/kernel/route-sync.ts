/**
 * The owner of what this daemon wants in the kernel's routing table: desired state in memory, batches to the
 * kernel, and whatever it takes to keep the two equal. Only routes of our protocol in our table are touched.
 */
import { AF_INET, FLAG, MESSAGE, PROTOCOL } from './constants.ts';
import { type Link, listLinks } from './link.ts';
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
import { isInSync } from './route-entry.ts';
import { lookupRoute, type RouteLookup } from './route-lookup.ts';
import { type RouteEvent, RouteStore } from './route-store.ts';
import { RouteWriter } from './route-writer.ts';

const RECEIVE_BYTES = 4 << 20;
const TYPE_OF_SERVICE = 3; // rtm_tos

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
  readonly #lookups: Netlink;
  readonly #monitor: Monitor;
  readonly #store: RouteStore;
  readonly #writer: RouteWriter;
  readonly #encoded = new WeakMap<RouteTarget, EncodedTarget>();
  readonly #linkIsUp = new Map<number, boolean>();
  readonly #topology = new Set<() => void>();
  #overruns = 0;
  #closed = false;

  /** @throws KernelError */
  constructor(options: RouteSyncOptions) {
    this.#options = options;
    this.owner = { table: options.table, protocol: options.protocol ?? PROTOCOL.FLATROUTE };
    this.#store = new RouteStore((event) => options.onRoute?.(event));
    const onError = (error: Error) => options.onError?.(error);
    const netlink = this.open({ receiveBytes: RECEIVE_BYTES });
    this.#writer = new RouteWriter({ store: this.#store, owner: this.owner, netlink, onError });
    this.#lookups = this.open();
    const events = {
      link: (link: Link, gone: boolean) => this.#onLink(link, gone),
      address: (gone: boolean) => this.#onChange(gone),
      route: this.#onRoute,
      overrun: () => this.#onOverrun(),
      error: onError,
    };
    this.#monitor = this.#inside(() => new Monitor(events, netlink.port));
  }

  /**
   * Compares with what the kernel has and begins to write. Routes of ours that nobody has claimed stay until
   * `releaseStale`, so that a restart does not interrupt forwarding. Resolves once the kernel has been read.
   * @throws KernelError
   */
  async start(): Promise<void> {
    for (const { index, up } of listLinks(this.#lookups)) this.#linkIsUp.set(index, up);
    await this.#writer.start(this.#options.reconcileMs ?? 0);
  }

  /** Changes the time between full dump-and-compare runs, in ms; 0: only when events ask for one. */
  setReconcile(periodMs: number): void {
    this.#writer.setPeriod(periodMs);
  }

  /**
   * Wants a route, in place of the one with this prefix and metric; written in the next turn of the event loop.
   * Routes that share one `target` object, which must not be changed, share its encoding. A metric of 1 or more
   * lets the kernel tell it from the prefix's other routes when it is deleted.
   * @throws TypeError when prefix, metric or target is malformed
   */
  set(prefix: string, metric: number, target: RouteTarget): void {
    if (this.#store.want(prefix, metric, this.#encode(target))) this.#writer.wake();
  }

  /** Wants no route with this prefix and metric any more. */
  delete(prefix: string, metric: number): void {
    if (this.#store.unwant(prefix, metric)) this.#writer.wake();
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
    this.#writer.dumpNow();
    return this.settled();
  }

  /** Resolves when nothing waits to be written; failed routes wait for their retry and do not count. */
  settled(): Promise<void> {
    return this.#writer.settled();
  }

  /** Deletes the routes found at start that nobody has claimed, and returns how many there are. */
  releaseStale(): number {
    const count = this.#store.releaseStale();
    this.#writer.wake();
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
    const pending = Math.min(dirty + this.#writer.inFlight, routes - failed - stale);
    return {
      routes,
      installed: routes - pending - failed - stale,
      pending,
      failed,
      stale,
      ...this.#writer.totals,
      overruns: this.#overruns,
      losses,
    };
  }

  /** Stops. The kernel keeps its routes; what was not written yet is not. */
  close(): void {
    this.#closed = true;
    this.#monitor.close();
    this.#writer.close();
    this.#lookups.close();
    this.#store.abandon(new Error(STOPPING));
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

  readonly #onRoute: MessageVisitor = (type, buffer, start, end, flags) => {
    if (end - start < ROUTE_LENGTH || buffer[start] !== AF_INET) return;
    const protocol = buffer[start + 5];
    const byHand = type === MESSAGE.NEWROUTE && protocol === PROTOCOL.BOOT && (flags & FLAG.REPLACE) !== 0;
    const mayConcernUs =
      (protocol === this.owner.protocol || byHand) && buffer[start + TYPE_OF_SERVICE] === 0;
    const route = mayConcernUs ? parseRoute(buffer, start, end) : null;
    if (route?.table === this.owner.table) {
      const { prefix, metric } = route;
      // Whether a batch under way came before or after this, only a dump can tell.
      if (this.#writer.isWriting(prefix, metric)) this.#writer.dumpSoon();
      if (byHand) this.#store.observeReplaced(prefix, metric);
      else if (type === MESSAGE.DELROUTE) this.#store.observeGone(prefix, metric);
      else this.#store.observe(buffer, start, end);
      this.#writer.wake();
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
    if (removed) this.#writer.dumpSoon();
    this.#writer.retrySoon();
    for (const listener of this.#topology) listener();
  }

  #onOverrun(): void {
    this.#overruns++;
    this.#onChange(true);
  }
}

const STOPPING = 'routes are not looked after any more: the daemon is stopping';
