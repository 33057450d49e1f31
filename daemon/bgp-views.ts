/** From a BGP speaker's state to the documents of the status endpoint. */
import {
  formatAsPath,
  formatCommunity,
  longestMatch,
  type PathInfo,
  type PeerStatus,
  peerStatuses,
  type RouteInfo,
  routePage,
  routesMentioning,
  routeTo,
  type Speaker,
  tellings,
} from 'bgp-js';
import { SlicedWork } from './sliced-work.ts';
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
    attributeOctets: status.attributeOctets,
    messages: {
      received: counters.received,
      sent: counters.sent,
      updatesReceived: counters.updatesReceived,
      updatesSent: counters.updatesSent,
    },
    malformed: [...counters.malformed.values()],
    capabilities: status.capabilities,
    ...policiesView(status.policies),
    establishedCount: counters.established,
  };
}

function policiesView(uses: PeerStatus['policies']): Pick<PeerView, 'policies' | 'policyMissing'> {
  const directions = ['import', 'export'] as const;
  const named = directions.flatMap((direction) => {
    const { name } = uses[direction];
    return name === null ? [] : [[direction, name]];
  });
  return {
    policies: Object.fromEntries(named),
    policyMissing: directions.filter((direction) => uses[direction].missing),
  };
}

/** What a person should know of peers without policies. */
export function policyWarnings(peers: readonly PeerStatus[]): string[] {
  return peers.flatMap(({ name, policies }) => {
    const ways = [
      ...(policies.import.missing ? ['nothing is taken from it: name a policy with "import"'] : []),
      ...(policies.export.missing ? ['nothing is told to it: name a policy with "export"'] : []),
    ];
    return ways.length === 0 ? [] : [`eBGP peer ${name}: ${ways.join('; ')} (RFC 8212)`];
  });
}

/** What the kernel has of a route: `kernel` is asked with the prefix. */
export type KernelState = (prefix: string, local: boolean) => string;

/** The routes of a speaker as pages; long lists are made in short turns, one after the other. */
export class RoutePages {
  readonly #speaker: Speaker;
  readonly #kernel: KernelState;
  readonly #work = new SlicedWork();

  constructor(speaker: Speaker, kernel: KernelState) {
    this.#speaker = speaker;
    this.#kernel = kernel;
  }

  /** The routes that a query asks for. */
  async page({ prefix, longest, q, limit, offset }: RoutesQuery): Promise<RoutesPage> {
    const speaker = this.#speaker;
    if (prefix !== undefined) {
      const route = longest ? longestMatch(speaker, prefix.split('/')[0]) : routeTo(speaker, prefix);
      if (!route) return { routes: [], total: 0 };
      const sent = tellings(speaker, route.prefix);
      return { routes: [{ ...routeView(route, this.#kernel), sent }], total: 1 };
    }
    const filter = q === undefined ? undefined : routesMentioning(speaker, q);
    const { routes, total } = await this.#work.run(() => routePage(speaker, offset, limit, filter));
    return { routes: routes.map((route) => routeView(route, this.#kernel)), total };
  }
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

function pathView({ source, pathId, attributes, status, reason, policy }: PathInfo): PathView {
  const { nextHop = '', origin, asPath, localPref, med, communities } = attributes;
  return {
    peer: source.name,
    ...(source.index !== 0 && { peerAddress: source.address }),
    ...(pathId !== 0 && { pathId }),
    nextHop,
    asPath: formatAsPath(asPath),
    origin,
    ...(localPref !== undefined && { localPref }),
    ...(med !== undefined && { med }),
    ...(communities && { communities: communities.map(formatCommunity) }),
    status,
    reason,
    ...(policy !== null && policy !== reason && { policy }),
  };
}
