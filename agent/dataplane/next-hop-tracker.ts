/**
 * Next hop tracking: resolves the BGP next hops of routes to kernel next hops (RFC 4271 §9.1.2.1).
 *
 * Thousands of routes share a few sets of next hops. `acquire` returns one `NextHopGroup` for each set. Its `target` is
 * ready to be installed: `Encapsulation.target` maps each resolved next hop to kernel next hops. `resolve` asks the
 * kernel where it sends packets to an address. The answer is not used if it is a route learned over BGP: the next hop
 * of that route may itself resolve through this address, so the answer would depend on its own effect. Instead,
 * `resolveWithoutBgp` reads the main table and picks the best route of other programs.
 *
 * When links, addresses or routes of other programs change, all next hops are resolved again (`#refresh`), and
 * `onChange` is called for each group whose target differs.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { IPAddress } from 'bgp-js/ip';
import { TABLE } from '../kernel/constants.ts';
import { KernelError } from '../kernel/error.ts';
import { ERRNO } from '../kernel/libc.ts';
import {
  formatNextHop,
  type KernelNextHop,
  parseRoute,
  protocolName,
  type RouteEntry,
  type RouteTarget,
} from '../kernel/route.ts';
import { dumpRoutes } from '../kernel/route-request.ts';
import type { RouteSync } from '../kernel/route-sync.ts';
import { Schedule } from '../kernel/schedule.ts';

/** Delay from the first event of a burst until next hops are resolved again. */
const GATHER_MS = 50;
/** The pause after an error of the kernel. */
const RECOVERY_MS = 1000;
const SLICE_MS = 2;
/** Errors of a kernel that does not know the address family. */
const UNSUPPORTED_FAMILY: ReadonlySet<number> = new Set([ERRNO.EOPNOTSUPP, ERRNO.EAFNOSUPPORT]);

/** Where the kernel sends packets for a BGP next hop. */
export interface Resolution {
  /** The kernel's next hops; empty when the BGP next hop is unreachable. */
  hops: readonly KernelNextHop[];
  /** Why it is unreachable, e.g. `no route`; empty when it is reachable. */
  reason: string;
}

/** A way to carry packets to next hops. With a tunnel the kernel's next hops are on the tunnel device. */
export interface Encapsulation {
  /**
   * The kernel's next hops for routes via the BGP next hop `nextHop`, which resolves to `resolution`. Empty when the
   * next hop cannot be used.
   */
  target(nextHop: IPAddress, resolution: Resolution): readonly KernelNextHop[];
}

/** No encapsulation: packets leave unchanged, over the link or the route that leads to the next hop. */
export const direct: Encapsulation = {
  target: (_nextHop, { hops }) => hops,
};

/** A set of BGP next hops that share the load, and the kernel target they resolve to. */
export interface NextHopGroup {
  /** In ascending order, without duplicates. */
  readonly nextHops: readonly IPAddress[];
  /** Null while a next hop is being resolved for the first time, and when all are unreachable. */
  target: RouteTarget | null;
  /** Equal for equal targets; null until every next hop has been resolved once. */
  targetKey: string | null;
  /** How many calls of `acquire` have not been released. */
  users: number;
}

/** A next hop that is unreachable. */
export interface UnresolvedNextHop {
  address: IPAddress;
  reason: string;
  /** How many prefixes have this next hop. */
  prefixes: number;
}

/** The state of one next hop; `resolution` is null until the first answer. */
interface TrackedNextHop {
  readonly address: IPAddress;
  resolution: Resolution | null;
  readonly groups: Set<NextHopGroup>;
}

/** The part of RouteSync that next hop tracking needs. */
export type LookupRoutes = Pick<RouteSync, 'findLink' | 'get' | 'open' | 'owner' | 'watchTopology'>;

/** Options of a NextHopTracker. */
export interface NextHopTrackerOptions {
  /** Answers lookups. Its own routes with a gateway are not used to resolve next hops. */
  routes: LookupRoutes;
  encapsulation: Encapsulation;
  /** Called when the target of a group has changed. The next group waits for the promise. */
  onChange(group: NextHopGroup): Promise<void>;
  /** Called when resolving has failed. It is retried. */
  onError(error: Error): void;
}

/** See the head of this file. */
export class NextHopTracker {
  readonly #options: NextHopTrackerOptions;
  readonly #groups = new Map<number | string, NextHopGroup>();
  readonly #nextHops = new Map<number | string, TrackedNextHop>();
  readonly #schedule = new Schedule();
  readonly #unwatch: () => void;
  #refreshing: Promise<void> | null = null;
  #refreshAgain = false;
  #closed = false;

  constructor(options: NextHopTrackerOptions) {
    this.#options = options;
    this.#unwatch = options.routes.watchTopology(() => this.#refreshSoon(GATHER_MS));
  }

  /** Returns the group of these next hops, for use by one more prefix. @throws TypeError when there are none */
  acquire(addresses: readonly IPAddress[]): NextHopGroup {
    if (addresses.length === 0) throw new TypeError('an entry needs at least one next hop');
    const nextHops = distinct(addresses);
    const key = groupKey(nextHops);
    let group = this.#groups.get(key);
    if (group === undefined) {
      group = { nextHops, target: null, targetKey: null, users: 0 };
      for (const address of nextHops) this.#track(address).groups.add(group);
      this.#updateTarget(group);
      this.#groups.set(key, group);
    }
    group.users++;
    return group;
  }

  /** Ends the use of the group by one prefix. Next hops without a group are no longer tracked. */
  release(group: NextHopGroup): void {
    if (--group.users > 0) return;
    this.#groups.delete(groupKey(group.nextHops));
    for (const { key } of group.nextHops) {
      const nextHop = this.#nextHops.get(key);
      nextHop?.groups.delete(group);
      if (nextHop?.groups.size === 0) this.#nextHops.delete(key);
    }
  }

  /** Why the next hops of the group are unreachable: one reason for each. */
  unreachableReasons(group: NextHopGroup): string[] {
    return group.nextHops.map((address) => {
      return `next hop ${address} is unreachable: ${this.#nextHops.get(address.key)?.resolution?.reason}`;
    });
  }

  /** The next hops that are unreachable now. */
  unresolved(): UnresolvedNextHop[] {
    const list: UnresolvedNextHop[] = [];
    for (const { address, resolution, groups } of this.#nextHops.values()) {
      if (!resolution || resolution.hops.length > 0) continue;
      let prefixes = 0;
      for (const group of groups) prefixes += group.users;
      list.push({ address, reason: resolution.reason, prefixes });
    }
    return list;
  }

  /** Resolves when every next hop acquired so far has been resolved and `onChange` has been called for it. */
  async settled(): Promise<void> {
    while (this.#refreshing) await this.#refreshing;
  }

  /** Stops following changes. */
  close(): void {
    this.#closed = true;
    this.#unwatch();
    this.#schedule.close();
  }

  #track(address: IPAddress): TrackedNextHop {
    let nextHop = this.#nextHops.get(address.key);
    if (nextHop === undefined) {
      nextHop = { address, resolution: this.#firstResolution(address), groups: new Set() };
      this.#nextHops.set(address.key, nextHop);
    }
    return nextHop;
  }

  /**
   * Resolves a new next hop; null if the next refresh must resolve it. Errors are reported, not thrown, because the
   * caller is installing best routes.
   */
  #firstResolution(address: IPAddress): Resolution | null {
    try {
      const resolution = resolve(this.#options.routes, address);
      if (resolution === null) this.#refresh();
      return resolution;
    } catch (error) {
      this.#onError(error);
      return null;
    }
  }

  #onError(error: unknown): void {
    this.#options.onError(error instanceof Error ? error : new Error(String(error)));
    this.#refreshSoon(RECOVERY_MS);
  }

  /** Computes a group's target; true when it changed. */
  #updateTarget(group: NextHopGroup): boolean {
    const hops = new Map<string, KernelNextHop>();
    for (const address of group.nextHops) {
      const resolution = this.#nextHops.get(address.key)?.resolution;
      if (!resolution) return false;
      for (const hop of this.#options.encapsulation.target(address, resolution)) {
        hops.set(formatNextHop(hop), hop);
      }
    }
    const nextHops = [...hops.values()].sort(compareHops);
    const key = nextHops.map(formatNextHop).join(', ');
    if (key === group.targetKey) return false;
    group.targetKey = key;
    group.target = nextHops.length > 0 ? { type: 'unicast', nextHops } : null;
    return true;
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
    const { routes, onChange } = this.#options;
    try {
      while (this.#refreshAgain && !this.#closed) {
        this.#refreshAgain = false;
        await nextTurn();
        const changed = new Set<NextHopGroup>();
        const addresses = Array.from(this.#nextHops.values(), ({ address }) => address);
        for (const [key, resolution] of await resolveAll(routes, addresses)) {
          const nextHop = this.#nextHops.get(key);
          if (nextHop === undefined) continue;
          nextHop.resolution = resolution;
          for (const group of nextHop.groups) changed.add(group);
        }
        let sliceStart = performance.now();
        for (const group of changed) {
          if (this.#updateTarget(group)) await onChange(group);
          if (performance.now() - sliceStart < SLICE_MS) continue;
          await nextTurn();
          if (this.#closed) return;
          sliceStart = performance.now();
        }
      }
    } catch (error) {
      if (this.#closed) return;
      this.#onError(error);
    }
  }
}

function distinct(addresses: readonly IPAddress[]): readonly IPAddress[] {
  if (addresses.length === 1) return addresses;
  const byKey = new Map(addresses.map((address) => [address.key, address]));
  return [...byKey.values()].sort((a, b) => a.compare(b));
}

function groupKey(nextHops: readonly IPAddress[]): number | string {
  return nextHops.length === 1 ? nextHops[0].key : nextHops.join(' ');
}

/** The order of next hops in a kernel route: by gateway, then by interface; those without a gateway first. */
function compareHops(a: KernelNextHop, b: KernelNextHop): number {
  const byInterface = (a.interface ?? 0) - (b.interface ?? 0);
  if (!a.gateway || !b.gateway) return Number(!!a.gateway) - Number(!!b.gateway) || byInterface;
  return a.gateway.compare(b.gateway) || byInterface;
}

/** By address key. */
type Resolutions = Map<number | string, Resolution>;

/** Resolves every address, in slices of time. @throws KernelError */
async function resolveAll(routes: LookupRoutes, addresses: readonly IPAddress[]): Promise<Resolutions> {
  const resolutions: Resolutions = new Map();
  const learned: IPAddress[] = [];
  let sliceStart = performance.now();
  for (const address of addresses) {
    const resolution = resolve(routes, address);
    if (resolution) resolutions.set(address.key, resolution);
    else learned.push(address);
    if (performance.now() - sliceStart < SLICE_MS) continue;
    await nextTurn();
    sliceStart = performance.now();
  }
  if (learned.length === 0) return resolutions;
  for (const [key, resolution] of await resolveWithoutBgp(routes, learned)) resolutions.set(key, resolution);
  return resolutions;
}

/**
 * Asks the kernel for the route to an address. Returns null if the answer is a route learned over BGP; then
 * `resolveWithoutBgp` is needed. @throws KernelError
 */
function resolve(routes: LookupRoutes, address: IPAddress): Resolution | null {
  if (address.version === 6 && address.isLinkLocal) return resolveLinkLocal(routes, address);
  try {
    const { route, reason } = routes.get(address, false);
    if (route === null) return { hops: [], reason };
    return isLearnedOverBgp(routes, route) ? null : resolveVia(route, address);
  } catch (error) {
    // A retry on a kernel without IPv6 fails again, and the other next hops must not wait for it.
    if (!(error instanceof KernelError) || !UNSUPPORTED_FAMILY.has(error.errno)) throw error;
    return { hops: [], reason: `this kernel has no IPv${address.version}` };
  }
}

/** A link-local address may exist on every link, so its zone names the interface, not a route (RFC 4007 §6). */
function resolveLinkLocal(routes: LookupRoutes, address: IPAddress): Resolution {
  if (address.zone === '') return { hops: [], reason: 'it is link-local and its interface is unknown' };
  const link = routes.findLink(address.zone);
  if (link === null) return { hops: [], reason: `there is no interface ${address.zone}` };
  return { hops: [{ gateway: address.inZone(''), interface: link.index }], reason: '' };
}

/** Resolves addresses through the routes of other programs only. Reads the whole main table. @throws KernelError */
async function resolveWithoutBgp(
  routes: LookupRoutes,
  addresses: readonly IPAddress[],
): Promise<Resolutions> {
  const best = new Map<IPAddress, RouteEntry>();
  const netlink = routes.open();
  try {
    await dumpRoutes(netlink, { table: TABLE.MAIN, protocol: 0 }, (buffer, start, end) => {
      const route = parseRoute(buffer, start, end);
      if (route === null || isLearnedOverBgp(routes, route)) return;
      for (const address of addresses) {
        if (route.prefix.contains(address) && isBetter(route, best.get(address))) best.set(address, route);
      }
    });
  } finally {
    netlink.close();
  }
  const resolutions: Resolutions = new Map();
  for (const address of addresses) {
    const route = best.get(address);
    const none = { hops: [], reason: 'only routes learned over BGP cover it' };
    resolutions.set(address.key, route ? resolveVia(route, address) : none);
  }
  return resolutions;
}

/** Whether the kernel would prefer `route`: the longer prefix, then the lower metric. */
function isBetter(route: RouteEntry, other: RouteEntry | undefined): boolean {
  if (other === undefined) return true;
  const byLength = route.prefix.length - other.prefix.length;
  return byLength > 0 || (byLength === 0 && route.metric < other.metric);
}

/** Whether a route was learned over BGP: it is ours and has a gateway. Host routes of pods are ours without one. */
function isLearnedOverBgp(routes: LookupRoutes, route: RouteEntry): boolean {
  const { table, protocol } = routes.owner;
  const isOurs = route.protocol === protocol && route.table === table;
  return isOurs && route.nextHops.some((hop) => hop.gateway !== undefined);
}

/** The kernel next hops of `route`, for packets to `address`. */
function resolveVia(route: RouteEntry, address: IPAddress): Resolution {
  const refuse = (reason: string) => ({ hops: [], reason });
  if (route.type === 'local') return refuse('it is an address of this node');
  if (route.type !== 'unicast') {
    return refuse(`the ${route.type} route ${route.prefix} (${protocolName(route.protocol)}) covers it`);
  }
  const hops = route.nextHops.map((hop) => ({ ...hop, gateway: hop.gateway ?? address }));
  if (hops.length === 0) return refuse(`the route ${route.prefix} has no next hop`);
  return { hops, reason: '' };
}
