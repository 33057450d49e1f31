/** Requests about routes: one at a time, the dump of a table, and what the kernel would do with a packet. */
import type { IPAddress, IPVersion } from 'bgp-js/ip';
import { FLAG, MESSAGE, ROUTE_ATTRIBUTE, ROUTE_FLAG, TABLE } from './constants.ts';
import { KernelError } from './error.ts';
import { ERRNO } from './libc.ts';
import type { Netlink, RequestFiller } from './netlink.ts';
import {
  encodeTarget,
  familyOf,
  formatRoute,
  hasTypeOfService,
  type KernelRoute,
  parseRoute,
  ROUTE_LENGTH,
  type RouteEntry,
  type RouteOwner,
  writeNewRoute,
} from './route.ts';

/** The kernel's answer for one address. */
export interface RouteLookup {
  address: IPAddress;
  /** The entry of the routing table that matched; null when packets to the address are not forwarded. */
  route: RouteEntry | null;
  /** Why there is no entry; empty when there is one. */
  reason: string;
  /** The source address of packets that this node would send to it; null when there is no route. */
  source: IPAddress | null;
}

/** What the kernel answers instead of a route (fib_props in net/ipv4/fib_semantics.c). */
const REFUSALS: Readonly<Record<number, string>> = {
  [ERRNO.EINVAL]: 'a blackhole route drops its packets',
  [ERRNO.EHOSTUNREACH]: 'an unreachable route rejects it',
  [ERRNO.EACCES]: 'a prohibit route rejects it',
  [ERRNO.ENETUNREACH]: 'no route',
};

/** Fills in a dump of `owner`'s routes of one family, which the kernel filters (NETLINK_GET_STRICT_CHK). */
function fillRouteDump(owner: RouteOwner, version: IPVersion): RequestFiller {
  return (builder, fixed) => {
    builder.buffer[fixed] = familyOf(version);
    builder.buffer[fixed + 5] = owner.protocol;
    builder.uint32(ROUTE_ATTRIBUTE.TABLE, owner.table);
  };
}

/** The routes of `owner`, read synchronously: for small tables such as a pod's. @throws KernelError */
export function listRoutes(
  netlink: Netlink,
  owner: RouteOwner = { table: TABLE.MAIN, protocol: 0 },
  version: IPVersion = 4,
): RouteEntry[] {
  const entries: RouteEntry[] = [];
  netlink.dump(
    'list routes',
    MESSAGE.GETROUTE,
    ROUTE_LENGTH,
    fillRouteDump(owner, version),
    (type, buffer, start, end) => {
      const entry = type === MESSAGE.NEWROUTE ? parseRoute(buffer, start, end) : null;
      if (entry) entries.push(entry);
    },
  );
  return entries;
}

/**
 * Calls `visit` for every IPv4 route of `owner`'s, in slices of time: the fixed part starts at `start`.
 * @throws KernelError
 */
export async function dumpRoutes(
  netlink: Netlink,
  owner: RouteOwner,
  visit: (buffer: Buffer, start: number, end: number) => void,
): Promise<void> {
  try {
    await netlink.dumpSliced(
      `list the routes of table ${owner.table}`,
      MESSAGE.GETROUTE,
      ROUTE_LENGTH,
      fillRouteDump(owner, 4),
      (type, buffer, start, end) => {
        if (type !== MESSAGE.NEWROUTE || end - start < ROUTE_LENGTH || hasTypeOfService(buffer, start))
          return;
        visit(buffer, start, end);
      },
    );
  } catch (error) {
    // The kernel creates a table with its first route.
    if (!(error instanceof KernelError && error.errno === ERRNO.ENOENT)) throw error;
  }
}

/**
 * Adds one route now, outside of any `RouteSync`: for the routes inside a pod.
 * @throws KernelError (EEXIST: there is one with this prefix and metric)
 */
export function addRoute(netlink: Netlink, owner: RouteOwner, route: KernelRoute): void {
  const encoded = encodeTarget(route, route.prefix.version);
  const flags = FLAG.CREATE | FLAG.EXCLUSIVE;
  netlink.request(
    `add route ${formatRoute(route)}`,
    MESSAGE.NEWROUTE,
    flags,
    ROUTE_LENGTH,
    (builder, fixed) => writeNewRoute(builder, fixed, owner, route.prefix, route.metric, encoded),
  );
}

/**
 * What the kernel would do with a packet from this node to `address`, with the source address it would use. Without
 * `withSource` it takes one request of 5 µs instead of two. @throws KernelError
 */
export function lookupRoute(netlink: Netlink, address: IPAddress, withSource = true): RouteLookup {
  const lookup: RouteLookup = { address, route: null, reason: '', source: null };
  try {
    lookup.route = requestRoute(netlink, address, ROUTE_FLAG.FIB_MATCH);
    if (withSource) lookup.source = requestRoute(netlink, address, 0)?.source ?? null;
  } catch (error) {
    const reason = error instanceof KernelError ? REFUSALS[error.errno] : undefined;
    if (reason === undefined) throw error;
    lookup.route = null;
    lookup.reason = reason;
  }
  return lookup;
}

/** RTM_GETROUTE without DUMP. */
function requestRoute(netlink: Netlink, address: IPAddress, flags: number): RouteEntry | null {
  let route: RouteEntry | null = null;
  netlink.request(
    `look up the route to ${address}`,
    MESSAGE.GETROUTE,
    0,
    ROUTE_LENGTH,
    (builder, fixed) => {
      builder.buffer[fixed] = familyOf(address.version);
      builder.buffer[fixed + 1] = address.bits;
      builder.buffer.writeUInt32LE(flags, fixed + 8);
      builder.address(ROUTE_ATTRIBUTE.DESTINATION, address);
    },
    (type, buffer, start, end) => {
      if (type === MESSAGE.NEWROUTE) route = parseRoute(buffer, start, end);
    },
  );
  return route;
}
