/**
 * Route reconciliation: keeps the kernel's routing table equal to the routes that the agent wants.
 *
 * The problem. BGP and pods may change several hundred thousand routes at any time. The kernel answers each write, but
 * the answers to a batch can get lost. Other programs remove and replace our routes. Routes disappear silently when a
 * link or an address is removed. A restarted agent finds the routes of its previous run. The obvious solution is to
 * write each change once and to trust the answer. It diverges from the kernel at the first of these events and never
 * recovers.
 *
 * The solution is a loop of dump, diff, apply and prune over a desired state:
 *
 *  1. `set` and `delete` only change the desired state: `RouteStore.setDesired` and `clearDesired` put the entry into
 *     the dirty queue, and `RouteWriter.wake` starts the writer in the next turn of the event loop.
 *  2. Apply: `RouteWriter.#writeBatch` takes up to 512 entries (`RouteStore.takeNext`), packs them into one buffer
 *     (`packWrite`) and sends it in one system call on a thread of the pool (`Netlink.batch`). Each answer goes to
 *     `RouteStore.onWritten` or `onRefused`; a refused route is retried after 0.5 s, then 1 s, up to 30 s, and sooner
 *     when links, addresses or routes change (`retrySoon`).
 *  3. Unknown outcomes: when `batch` throws, it is unknown which messages the kernel has carried out. All entries go
 *     back into the queue and a dump follows before the next write, because deleting or replacing a route requires
 *     knowing what is installed.
 *  4. Dump and diff: `RouteWriter.#dump` reads all routes of our protocol and table. `RouteStore.observe` compares each
 *     one with the desired state, mostly without decoding it (`RouteCursor.hasShape`), and `sweep` finds the desired
 *     routes that the dump did not contain. Every difference goes into the dirty queue. A dump runs at `start`, every
 *     `reconcileMs`, and soon after events that may have removed routes silently (`#onChange`).
 *  5. Events: `Monitor` reports changes by other programs as they happen (`#onRoute`). When a batch with the same
 *     route is in flight, the order of the two is unknown, so a dump follows (`dumpSoon`). The monitor's socket does
 *     not receive our own changes; when it loses events, a dump replaces them (`#onOverrun`).
 *  6. Prune: routes of ours that are not wanted are stale. Those found at start stay until `releaseStale`, so that
 *     forwarding continues while BGP learns the routes again; later ones are deleted immediately.
 *
 * Ownership. A route is ours when it has our protocol (179) and our table; nothing else is ever changed. `packWrite`
 * replaces only where our route is known to exist and deletes by prefix, metric and target, because the kernel's own
 * matching would take another program's route. The one exception is a route that was added by hand in place of ours
 * (protocol boot with NLM_F_REPLACE): it is replaced again (`observeReplaced`).
 */
import type { IPAddress, IPPrefix } from 'bgp-js/ip';
import { AF_INET, FLAG, MESSAGE, PROTOCOL } from './constants.ts';
import { findLink, type Link, listLinks } from './link.ts';
import { Monitor } from './monitor.ts';
import { type MessageVisitor, Netlink, type NetlinkOptions } from './netlink.ts';
import { withNetns } from './netns.ts';
import {
  type EncodedTarget,
  encodeTarget,
  hasTypeOfService,
  parseRoute,
  ROUTE_LENGTH,
  type RouteOwner,
  type RouteTarget,
} from './route.ts';
import { lookupRoute, type RouteLookup } from './route-request.ts';
import { isInSync, type RouteEvent, RouteStore } from './route-store.ts';
import { RouteWriter } from './route-writer.ts';

const RECEIVE_BYTES = 4 << 20;

/** Options of a RouteSync. Callbacks must not throw. */
export interface RouteSyncOptions {
  /** Routing table of all its routes, e.g. 254 (main). */
  table: number;
  /** Route protocol that marks its routes, 179 by default. */
  protocol?: number;
  /** Milliseconds between periodic dumps; 0: only when events ask for one. */
  reconcileMs?: number;
  /** Path of the network namespace to work in; by default the process's own. */
  netns?: string;
  onRoute?(event: RouteEvent): void;
  /** An error that is not about a single route. Synchronization continues. */
  onError?(error: Error): void;
}

/** Counts for status and metrics. A route is either installed, pending, failed or stale. */
export interface RouteSyncCounts {
  routes: number;
  installed: number;
  pending: number;
  failed: number;
  /** Found at start and not wanted yet. */
  stale: number;
  /** Messages written, messages refused, dumps, overruns of the monitor. */
  writes: number;
  refusals: number;
  dumps: number;
  overruns: number;
  /** How many times a route of ours was found missing or changed. */
  losses: number;
}

/** See the head of this file. Call `start` once; `set` and `delete` may be called before. */
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
    this.#monitor = this.#inNetns(() => new Monitor(events, netlink.port));
  }

  /**
   * Compares the desired state with the kernel's and starts to write. Routes of ours that are not wanted yet stay until
   * `releaseStale`, so that a restart does not interrupt forwarding. Resolves once the kernel's routes have been read.
   * @throws KernelError
   */
  async start(): Promise<void> {
    for (const { index, up } of listLinks(this.#lookups)) this.#linkIsUp.set(index, up);
    await this.#writer.start(this.#options.reconcileMs ?? 0);
  }

  /** Changes the time between periodic dumps, in ms; 0: only when events ask for one. */
  setReconcile(periodMs: number): void {
    this.#writer.setPeriod(periodMs);
  }

  /**
   * Installs a route, or replaces the one with this prefix and metric; written in the next turn of the event loop. Do
   * not modify `target`: routes with the same object share its encoding. A metric of 1 or more lets the kernel
   * distinguish the route from others to the prefix at deletion.
   * @throws TypeError for an IPv6 prefix (not supported yet) and when metric or target is malformed
   */
  set(prefix: IPPrefix, metric: number, target: RouteTarget): void {
    // Dumps and events cover IPv4 only, so an IPv6 route would seem to be lost.
    if (prefix.version !== 4) throw new TypeError(`${prefix}: IPv6 routes cannot be installed yet`);
    if (this.#store.setDesired(prefix, metric, this.#encode(target))) this.#writer.wake();
  }

  /** Removes the route with this prefix and metric. */
  delete(prefix: IPPrefix, metric: number): void {
    if (this.#store.clearDesired(prefix, metric)) this.#writer.wake();
  }

  /**
   * The state of a route: `installed`, `pending`, `stale`, or the kernel's error; null if there is no such route.
   * Without a metric, of the route with the lowest metric.
   */
  state(prefix: IPPrefix, metric?: number): string | null {
    const store = this.#store;
    const entry = metric === undefined ? store.lowest(prefix) : store.find(prefix, metric);
    if (entry === undefined) return null;
    if (store.isStale(entry)) return 'stale';
    if (entry.error !== null) return entry.error.message;
    return entry.desired !== null && isInSync(entry) ? 'installed' : 'pending';
  }

  /**
   * Resolves when the kernel has the route. The route is written before others.
   * @throws KernelError when the kernel refuses it; Error when the route is not wanted, is removed, or we are stopping
   */
  whenInstalled(prefix: IPPrefix, metric: number): Promise<void> {
    if (this.#closed) return Promise.reject(new Error(STOPPING));
    return this.#store.whenInstalled(prefix, metric);
  }

  /** Dumps the kernel's routes, writes the differences, and resolves when that is done. */
  reconcile(): Promise<void> {
    this.#writer.dumpNow();
    return this.settled();
  }

  /** Resolves when nothing is left to write; failed routes wait for their retry and do not count. */
  settled(): Promise<void> {
    return this.#writer.settled();
  }

  /** Deletes the routes found at start that are not wanted, and returns their number. */
  releaseStale(): number {
    const count = this.#store.releaseStale();
    this.#writer.wake();
    return count;
  }

  /** What the kernel would do with a packet to `address`, see `lookupRoute`. @throws KernelError */
  get(address: IPAddress, withSource = true): RouteLookup {
    return lookupRoute(this.#lookups, address, withSource);
  }

  /** The interface of that name or index, or null when there is none. @throws KernelError */
  findLink(nameOrIndex: string | number): Link | null {
    return findLink(this.#lookups, nameOrIndex);
  }

  /**
   * Calls `listener` whenever links, addresses or routes of other programs changed, so that next hops may resolve
   * differently. Calls come in bursts. Returns a function that removes the listener.
   */
  watchTopology(listener: () => void): () => void {
    this.#topology.add(listener);
    return () => this.#topology.delete(listener);
  }

  /** The current counts. */
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

  /** Stops. The kernel keeps its routes; pending changes are not written. */
  close(): void {
    this.#closed = true;
    this.#monitor.close();
    this.#writer.close();
    this.#lookups.close();
    this.#store.rejectWaiters(new Error(STOPPING));
  }

  /** Opens a socket in the same namespace; the caller closes it. @throws KernelError */
  open(options?: NetlinkOptions): Netlink {
    return this.#inNetns(() => new Netlink(options));
  }

  #inNetns<T>(work: () => T): T {
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
    const mayConcernUs = (protocol === this.owner.protocol || byHand) && !hasTypeOfService(buffer, start);
    const route = mayConcernUs ? parseRoute(buffer, start, end) : null;
    if (route?.table === this.owner.table) {
      const { prefix, metric } = route;
      // Only a dump can tell whether the batch in flight was applied before or after this event.
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

  /** `removed`: a link or an address was removed. The kernel removes its IPv4 routes without reporting them. */
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

const STOPPING = 'the agent is stopping and writes no more routes';
