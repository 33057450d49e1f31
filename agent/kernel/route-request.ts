/** Single requests about routes, for small tables and outside of any `RouteSync`. */
import { AF_INET, FLAG, MESSAGE, ROUTE_ATTRIBUTE, TABLE } from './constants.ts';
import type { MessageBuilder } from './message.ts';
import type { Netlink } from './netlink.ts';
import {
  encodeTarget,
  formatRoute,
  type KernelRoute,
  parseRoute,
  ROUTE_LENGTH,
  type RouteEntry,
  type RouteOwner,
  writeNewRoute,
} from './route.ts';

/** Packs the fixed part of a dump of `owner`'s routes, which the kernel filters (NETLINK_GET_STRICT_CHK). */
export function fillRouteDump(owner: RouteOwner): (builder: MessageBuilder, fixed: number) => void {
  return (builder, fixed) => {
    builder.buffer[fixed] = AF_INET;
    builder.buffer[fixed + 5] = owner.protocol;
    builder.uint32(ROUTE_ATTRIBUTE.TABLE, owner.table);
  };
}

/** The routes of `owner`, read at once: for small tables such as a pod's. @throws KernelError */
export function listRoutes(
  netlink: Netlink,
  owner: RouteOwner = { table: TABLE.MAIN, protocol: 0 },
): RouteEntry[] {
  const entries: RouteEntry[] = [];
  netlink.dump(
    'list routes',
    MESSAGE.GETROUTE,
    ROUTE_LENGTH,
    fillRouteDump(owner),
    (type, buffer, start, end) => {
      const entry = type === MESSAGE.NEWROUTE ? parseRoute(buffer, start, end) : null;
      if (entry) entries.push(entry);
    },
  );
  return entries;
}

/**
 * Adds one route now, outside of any `RouteSync`: for what is wired inside a pod.
 * @throws KernelError (EEXIST: there is one with this prefix and metric)
 */
export function addRoute(netlink: Netlink, owner: RouteOwner, route: KernelRoute): void {
  const encoded = encodeTarget(route);
  const flags = FLAG.CREATE | FLAG.EXCLUSIVE;
  netlink.request(
    `add route ${formatRoute(route)}`,
    MESSAGE.NEWROUTE,
    flags,
    ROUTE_LENGTH,
    (builder, fixed) => writeNewRoute(builder, fixed, owner, route.prefix, route.metric, encoded),
  );
}
