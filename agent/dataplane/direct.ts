/** Packets to a next hop leave as they are: over its link, or over the route the kernel has to it. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { addressNumber, writePrefix } from '../kernel/ip.ts';
import { formatNextHop, type KernelNextHop, type RouteTarget } from '../kernel/route.ts';
import type { RouteSync } from '../kernel/route-sync.ts';
import { Schedule } from '../kernel/schedule.ts';
import { type Dataplane, type DataplaneEntry, ROUTE_METRIC, type UnresolvedNextHop } from './dataplane.ts';
import { compareHops, type Resolution, resolve, resolveAll } from './resolver.ts';

/** Changes come in flocks: wait this long before next hops are resolved again. */
const GATHER_MS = 50;
const RECOVERY_MS = 1000;
const SLICE_MS = 2;
const SCRATCH = Buffer.alloc(4);

/** The entries that share one set of next hops, and so one kernel target. */
interface Group {
  nextHops: string[];
  prefixes: Set<string>;
  /** Null: none of the next hops leads anywhere. */
  target: RouteTarget | null;
  /** Equal for equal targets; null until every next hop has been looked up. */
  targetKey: string | null;
}

/** A next hop and where it leads; `resolution` is null until the first answer. */
interface NextHop {
  resolution: Resolution | null;
  groups: Set<Group>;
}

/** How a DirectDataplane is set up. */
export interface DirectDataplaneOptions {
  routes: RouteSync;
  /** Metric of its routes. */
  metric?: number;
  /** Trouble in resolving next hops; it is tried again. */
  onError?(error: Error): void;
}

/** See the head of this file. */
export class DirectDataplane implements Dataplane {
  readonly #routes: RouteSync;
  readonly #metric: number;
  readonly #onError: (error: Error) => void;
  readonly #groups = new Map<string, Group>();
  readonly #groupOf = new Map<string, Group>();
  readonly #nextHops = new Map<string, NextHop>();
  readonly #schedule = new Schedule();
  readonly #unwatch: () => void;
  #refreshing: Promise<void> | null = null;
  #refreshAgain = false;
  #closed = false;

  constructor(options: DirectDataplaneOptions) {
    this.#routes = options.routes;
    this.#metric = options.metric ?? ROUTE_METRIC.BGP;
    this.#onError = options.onError ?? (() => {});
    this.#unwatch = options.routes.watchTopology(() => this.#refreshSoon(GATHER_MS));
  }

  set({ prefix, nextHops }: DataplaneEntry): void {
    writePrefix(prefix, SCRATCH, 0);
    const group = this.#group(nextHops);
    const former = this.#groupOf.get(prefix);
    if (former === group) return;
    // While the new next hops are being looked up, what is there for the prefix stays.
    if (group.targetKey !== null) this.#apply(prefix, group);
    group.prefixes.add(prefix);
    this.#groupOf.set(prefix, group);
    if (former) this.#leave(former, prefix);
  }

  delete(prefix: string): void {
    const group = this.#groupOf.get(prefix);
    if (group === undefined) return;
    this.#groupOf.delete(prefix);
    this.#routes.delete(prefix, this.#metric);
    this.#leave(group, prefix);
  }

  state(prefix: string): string | null {
    const group = this.#groupOf.get(prefix);
    if (group === undefined) return null;
    if (group.targetKey === null) return 'pending';
    if (group.target !== null) return this.#routes.state(prefix, this.#metric);
    const reasons = group.nextHops.map((address) => {
      return `next hop ${address} is unreachable: ${this.#nextHops.get(address)?.resolution?.reason}`;
    });
    return `not installed: ${reasons.join('; ')}`;
  }

  unresolved(): UnresolvedNextHop[] {
    const list: UnresolvedNextHop[] = [];
    for (const [address, { resolution, groups }] of this.#nextHops) {
      if (!resolution || resolution.hops.length > 0) continue;
      let prefixes = 0;
      for (const group of groups) prefixes += group.prefixes.size;
      list.push({ address, reason: resolution.reason, prefixes });
    }
    return list;
  }

  async settled(): Promise<void> {
    while (this.#refreshing) await this.#refreshing;
    await this.#routes.settled();
  }

  close(): void {
    this.#closed = true;
    this.#unwatch();
    this.#schedule.close();
  }

  /** The group of these next hops, made when there is none. @throws TypeError when one is no address */
  #group(addresses: readonly string[]): Group {
    if (addresses.length === 0) throw new TypeError('an entry needs at least one next hop');
    const nextHops = [...new Set(addresses)].sort((a, b) => addressNumber(a) - addressNumber(b));
    if (nextHops.length === 1) addressNumber(nextHops[0]); // sort looked at nothing
    const key = nextHops.join(' ');
    let group = this.#groups.get(key);
    if (group === undefined) {
      group = { nextHops, prefixes: new Set(), target: null, targetKey: null };
      for (const address of nextHops) this.#nextHop(address).groups.add(group);
      this.#retarget(group);
      this.#groups.set(key, group);
    }
    return group;
  }

  #nextHop(address: string): NextHop {
    let nextHop = this.#nextHops.get(address);
    if (nextHop === undefined) {
      const resolution = resolve(this.#routes, address);
      nextHop = { resolution, groups: new Set() };
      this.#nextHops.set(address, nextHop);
      if (resolution === null) this.#refresh();
    }
    return nextHop;
  }

  /** Recomputes a group's target; true when it changed. */
  #retarget(group: Group): boolean {
    const hops = new Map<string, KernelNextHop>();
    for (const address of group.nextHops) {
      const resolution = this.#nextHops.get(address)?.resolution;
      if (!resolution) return false;
      for (const hop of resolution.hops) hops.set(formatNextHop(hop), hop);
    }
    const nextHops = [...hops.values()].sort(compareHops);
    const key = nextHops.map(formatNextHop).join(', ');
    if (key === group.targetKey) return false;
    group.targetKey = key;
    group.target = nextHops.length > 0 ? { type: 'unicast', nextHops } : null;
    return true;
  }

  #apply(prefix: string, group: Group): void {
    if (group.target !== null) this.#routes.set(prefix, this.#metric, group.target);
    else this.#routes.delete(prefix, this.#metric);
  }

  /** Takes a prefix out of a group, and forgets what nobody uses any more. */
  #leave(group: Group, prefix: string): void {
    group.prefixes.delete(prefix);
    if (group.prefixes.size > 0) return;
    this.#groups.delete(group.nextHops.join(' '));
    for (const address of group.nextHops) {
      const nextHop = this.#nextHops.get(address);
      nextHop?.groups.delete(group);
      if (nextHop?.groups.size === 0) this.#nextHops.delete(address);
    }
  }

  #refreshSoon(delayMs: number): void {
    this.#schedule.after('refresh', delayMs, () => this.#refresh());
  }

  /** Resolves every next hop again, one run at a time. */
  #refresh(): void {
    this.#refreshAgain = true;
    if (this.#refreshing || this.#closed) return;
    this.#refreshing = this.#runRefresh().finally(() => {
      this.#refreshing = null;
    });
  }

  async #runRefresh(): Promise<void> {
    try {
      while (this.#refreshAgain && !this.#closed) {
        this.#refreshAgain = false;
        await nextTurn();
        const changed = new Set<Group>();
        for (const [address, resolution] of await resolveAll(this.#routes, [...this.#nextHops.keys()])) {
          const nextHop = this.#nextHops.get(address);
          if (nextHop === undefined) continue;
          nextHop.resolution = resolution;
          for (const group of nextHop.groups) changed.add(group);
        }
        await this.#applyGroups(changed);
      }
    } catch (error) {
      if (this.#closed) return;
      this.#onError(error instanceof Error ? error : new Error(String(error)));
      this.#refreshSoon(RECOVERY_MS);
    }
  }

  async #applyGroups(groups: Iterable<Group>): Promise<void> {
    let began = performance.now();
    for (const group of groups) {
      if (!this.#retarget(group)) continue;
      for (const prefix of group.prefixes) {
        this.#apply(prefix, group);
        if (performance.now() - began < SLICE_MS) continue;
        await nextTurn();
        if (this.#closed) return;
        began = performance.now();
      }
    }
  }
}
