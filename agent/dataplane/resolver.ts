/** From a BGP next hop to the kernel's next hops: on the link, or over the routes of others (RFC 4271 §9.1.2.1). */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { TABLE } from '../kernel/constants.ts';
import { addressNumber, prefixCovers } from '../kernel/ip.ts';
import { type KernelNextHop, parseRoute, protocolName, type RouteEntry } from '../kernel/route.ts';
import { dumpRoutes } from '../kernel/route-batch.ts';
import type { RouteSync } from '../kernel/route-sync.ts';

const SLICE_MS = 2;

/** The kernel's next hops for one BGP next hop; none of them, and a reason, when it leads nowhere. */
export interface Resolution {
  hops: KernelNextHop[];
  reason: string;
}

/**
 * Looks `address` up. Null: a route we learned ourselves covers it, so that the kernel's answer does not count;
 * `resolveAround` finds what is below.
 * @throws KernelError
 */
export function resolve(routes: RouteSync, address: string): Resolution | null {
  const { route, reason } = routes.get(address, false);
  if (route === null) return { hops: [], reason };
  return isLearned(routes, route) ? null : follow(route, address);
}

/**
 * Resolves addresses through the routes of others only. A route of our own never counts: its next hop may be
 * resolved through the very address in question, and the answer would change with what it causes.
 * Reads the whole main table, in slices. @throws KernelError
 */
export async function resolveAround(
  routes: RouteSync,
  addresses: readonly string[],
): Promise<Map<string, Resolution>> {
  const best = new Map<string, { route: RouteEntry; length: number }>();
  const netlink = routes.open();
  try {
    await dumpRoutes(netlink, { table: TABLE.MAIN, protocol: 0 }, (buffer, start, end) => {
      const route = parseRoute(buffer, start, end);
      if (route === null || isLearned(routes, route)) return;
      const length = Number(route.prefix.slice(route.prefix.indexOf('/') + 1));
      for (const address of addresses) {
        const other = best.get(address);
        if (other && other.length > length) continue;
        if (other?.length === length && other.route.metric <= route.metric) continue;
        if (prefixCovers(route.prefix, address)) best.set(address, { route, length });
      }
    });
  } finally {
    netlink.close();
  }
  const none = { hops: [], reason: 'only routes learned over BGP cover it' };
  const resolutions = addresses.map((address): [string, Resolution] => {
    const found = best.get(address);
    return [address, found ? follow(found.route, address) : none];
  });
  return new Map(resolutions);
}

/** Resolves every address, in slices. @throws KernelError */
export async function resolveAll(
  routes: RouteSync,
  addresses: Iterable<string>,
): Promise<Map<string, Resolution>> {
  const resolutions = new Map<string, Resolution>();
  const covered: string[] = [];
  let began = performance.now();
  for (const address of addresses) {
    const resolution = resolve(routes, address);
    if (resolution) resolutions.set(address, resolution);
    else covered.push(address);
    if (performance.now() - began < SLICE_MS) continue;
    await nextTurn();
    began = performance.now();
  }
  if (covered.length === 0) return resolutions;
  for (const [address, resolution] of await resolveAround(routes, covered))
    resolutions.set(address, resolution);
  return resolutions;
}

/** The order in which next hops go into a kernel route: by gateway, then by interface. */
export function compareHops(a: KernelNextHop, b: KernelNextHop): number {
  const gateway = (hop: KernelNextHop) => (hop.gateway === undefined ? -1 : addressNumber(hop.gateway));
  return gateway(a) - gateway(b) || (a.interface ?? 0) - (b.interface ?? 0);
}

/** Ours and with a gateway: it came from BGP. Host routes of pods are ours too, and as good as connected. */
function isLearned(routes: RouteSync, route: RouteEntry): boolean {
  const { table, protocol } = routes.owner;
  const isOurs = route.protocol === protocol && route.table === table;
  return isOurs && route.nextHops.some((hop) => hop.gateway !== undefined);
}

/** The next hops behind `route`, for packets to `address`. */
function follow(route: RouteEntry, address: string): Resolution {
  const refuse = (reason: string) => ({ hops: [], reason });
  if (route.type === 'local') return refuse('it is an address of this node');
  if (route.type !== 'unicast') {
    return refuse(`the ${route.type} route ${route.prefix} (${protocolName(route.protocol)}) covers it`);
  }
  const hops = route.nextHops.map((hop) => ({ ...hop, gateway: hop.gateway ?? address }));
  if (hops.length === 0) return refuse(`the route ${route.prefix} has no IPv4 next hop`);
  return { hops, reason: '' };
}
