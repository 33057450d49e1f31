/** From best routes to the kernel's routing table. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { IPAddress, IPPrefix } from 'bgp-js/ip';
import { ROUTE_METRIC } from '../kernel/route-metrics.ts';
import type { RouteSync } from '../kernel/route-sync.ts';
import {
  type Encapsulation,
  type NextHopGroup,
  NextHopTracker,
  type UnresolvedNextHop,
} from './next-hop-tracker.ts';

const SLICE_MS = 2;

/** A best route: a prefix and the BGP next hops that share its traffic. */
export interface DataplaneEntry {
  prefix: IPPrefix;
  /** One or more; their order does not matter. */
  nextHops: readonly IPAddress[];
}

/** Carries packets to the next hops of routes. */
export interface Dataplane {
  /** Installs this entry, or replaces the one for the same prefix. @throws TypeError when it has no next hop */
  set(entry: DataplaneEntry): void;
  /** Removes the entry for `prefix`. */
  delete(prefix: IPPrefix): void;
  /** `installed`, `pending`, or why the kernel does not have it; null when there is no such entry. */
  state(prefix: IPPrefix): string | null;
  /** The next hops that are unreachable now. */
  unresolved(): UnresolvedNextHop[];
  /** Resolves when every entry set so far has been resolved and written, or refused. */
  settled(): Promise<void>;
  /** Stops following changes. The kernel keeps its routes. */
  close(): void;
}

/** Options of a RouteDataplane. */
export interface RouteDataplaneOptions {
  routes: RouteSync;
  encapsulation: Encapsulation;
  /** Metric of its routes. */
  metric?: number;
  /** Resolving next hops failed; it is retried. */
  onError?(error: Error): void;
}

/** A dataplane of kernel routes, one for each entry. */
export class RouteDataplane implements Dataplane {
  readonly #routes: RouteSync;
  readonly #metric: number;
  readonly #tracker: NextHopTracker;
  /** By prefix key. */
  readonly #groupOf = new Map<number | string, NextHopGroup>();
  readonly #prefixes = new Map<NextHopGroup, Map<number | string, IPPrefix>>();
  #closed = false;

  constructor({ routes, encapsulation, metric, onError }: RouteDataplaneOptions) {
    this.#routes = routes;
    this.#metric = metric ?? ROUTE_METRIC.BGP;
    this.#tracker = new NextHopTracker({
      routes,
      encapsulation,
      onChange: (group) => this.#applyAll(group),
      onError: onError ?? (() => {}),
    });
  }

  set({ prefix, nextHops }: DataplaneEntry): void {
    const { key } = prefix;
    const group = this.#tracker.acquire(nextHops);
    const previous = this.#groupOf.get(key);
    if (previous === group) {
      this.#tracker.release(group);
      return;
    }
    // Until the new next hops are resolved, the previous route stays.
    if (group.targetKey !== null) this.#apply(prefix, group);
    const prefixes = this.#prefixes.get(group);
    if (prefixes) prefixes.set(key, prefix);
    else this.#prefixes.set(group, new Map([[key, prefix]]));
    this.#groupOf.set(key, group);
    if (previous) this.#remove(prefix, previous);
  }

  delete(prefix: IPPrefix): void {
    const group = this.#groupOf.get(prefix.key);
    if (group === undefined) return;
    this.#groupOf.delete(prefix.key);
    this.#routes.delete(prefix, this.#metric);
    this.#remove(prefix, group);
  }

  state(prefix: IPPrefix): string | null {
    const group = this.#groupOf.get(prefix.key);
    if (group === undefined) return null;
    if (group.targetKey === null) return 'pending';
    if (group.target !== null) return this.#routes.state(prefix, this.#metric);
    return `not installed: ${this.#tracker.unreachableReasons(group).join('; ')}`;
  }

  unresolved(): UnresolvedNextHop[] {
    return this.#tracker.unresolved();
  }

  async settled(): Promise<void> {
    await this.#tracker.settled();
    await this.#routes.settled();
  }

  close(): void {
    this.#closed = true;
    this.#tracker.close();
  }

  #apply(prefix: IPPrefix, group: NextHopGroup): void {
    if (group.target !== null) this.#routes.set(prefix, this.#metric, group.target);
    else this.#routes.delete(prefix, this.#metric);
  }

  /** Applies a changed target to all prefixes of the group, in slices of time. */
  async #applyAll(group: NextHopGroup): Promise<void> {
    let sliceStart = performance.now();
    for (const prefix of this.#prefixes.get(group)?.values() ?? []) {
      this.#apply(prefix, group);
      if (performance.now() - sliceStart < SLICE_MS) continue;
      await nextTurn();
      if (this.#closed) return;
      sliceStart = performance.now();
    }
  }

  #remove(prefix: IPPrefix, group: NextHopGroup): void {
    const prefixes = this.#prefixes.get(group);
    prefixes?.delete(prefix.key);
    if (prefixes?.size === 0) this.#prefixes.delete(group);
    this.#tracker.release(group);
  }
}
