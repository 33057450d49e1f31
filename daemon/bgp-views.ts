/** From a BGP speaker's state to the documents of the status endpoint. */
import {
  formatAsPath,
  formatCommunity,
  listRoutes,
  longestMatch,
  type PathInfo,
  type PeerStatus,
  peerStatuses,
  type RouteInfo,
  routeTo,
  type Speaker,
} from 'bgp-js';
import type { RoutesPage, RoutesQuery } from './status-source.ts';
import type { PathView, PeerView, RouteView } from './views.ts';

/** Turns times of the monotonic clock into ISO 8601. */
export type ToTime = (monotonicMs: number) => string;

/** Converts times of a monotonic clock, now at `now`. */
export function timeConverter(now: number): ToTime {
  const offset = Date.now() - now;
  return (monotonicMs) => new Date(offset + monotonicMs).toISOString();
}

/** All peers of the speaker at `now` of its clock. */
export function peerViews(speaker: Speaker, now: number): PeerView[] {
  const toTime = timeConverter(now);
  return peerStatuses(speaker, now).map((status) => peerView(status, toTime));
}

function peerView(status: PeerStatus, toTime: ToTime): PeerView {
  const { name, address, range, as, internal, state, since, routerId, lastError, holdTime, counters } =
    status;
  return {
    name,
    address,
    ...(range !== undefined && { range }),
    as,
    type: internal ? 'iBGP' : 'eBGP',
    state,
    since: toTime(since),
    ...(routerId !== null && { routerId }),
    ...(lastError && { lastError: { time: toTime(lastError.at), text: lastError.text } }),
    ...(holdTime !== null && { holdTimeSeconds: holdTime, keepaliveSeconds: Math.floor(holdTime / 3) }),
    prefixes: status.prefixes,
    messages: {
      received: counters.received,
      sent: counters.sent,
      updatesReceived: counters.updatesReceived,
      updatesSent: counters.updatesSent,
    },
    malformed: [...counters.malformed.values()],
    capabilities: status.capabilities,
    establishedCount: counters.established,
  };
}

/** What the kernel has of a route: `kernel` is asked with the prefix. */
export type KernelState = (prefix: string, local: boolean) => string;

/** The routes that a query asks for. */
export function routesPage(speaker: Speaker, query: RoutesQuery, kernel: KernelState): RoutesPage {
  const { prefix, longest, q, limit, offset } = query;
  if (prefix !== undefined) {
    const route = longest ? longestMatch(speaker, prefix.split('/')[0]) : routeTo(speaker, prefix);
    return { routes: route ? [routeView(route, kernel)] : [], total: route ? 1 : 0 };
  }
  if (q === undefined) {
    const { routes, total } = listRoutes(speaker, offset, limit);
    return { routes: routes.map((route) => routeView(route, kernel)), total };
  }
  const { routes, total } = listRoutes(speaker, offset, limit, (route) =>
    mentions(routeView(route(), kernel), q),
  );
  return { routes: routes.map((route) => routeView(route, kernel)), total };
}

function mentions(route: RouteView, text: string): boolean {
  const wanted = text.toLowerCase();
  const holds = (part: string): boolean => part.toLowerCase().includes(wanted);
  return (
    holds(route.prefix) ||
    route.paths.some(({ nextHop, peer, asPath }) => [nextHop, peer, asPath].some(holds))
  );
}

function routeView(route: RouteInfo, kernel: KernelState): RouteView {
  const { prefix, local, paths } = route;
  return {
    prefix,
    source: local ? 'local' : 'bgp',
    paths: paths.map(pathView),
    kernel: kernel(prefix, local),
  };
}

function pathView({ source, attributes, status, reason }: PathInfo): PathView {
  const { nextHop = '', origin, asPath, localPref, med, communities } = attributes;
  return {
    peer: source.name,
    ...(source.index !== 0 && { peerAddress: source.address }),
    nextHop,
    asPath: formatAsPath(asPath),
    origin,
    ...(localPref !== undefined && { localPref }),
    ...(med !== undefined && { med }),
    ...(communities && { communities: communities.map(formatCommunity) }),
    status,
    reason,
  };
}
