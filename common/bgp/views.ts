/** The state of a BGP speaker as documents of the status endpoint. */
import {
  exportVerdicts,
  formatAsPath,
  formatCommunity,
  longestMatch,
  type PathInfo,
  type PeerBrief,
  type PeerStatus,
  peerStatusesInPieces,
  type RouteFilter,
  type RouteInfo,
  type RouteList,
  routePage,
  routesMentioning,
  routesWithin,
  routeTo,
  type Speaker,
} from 'bgp-js';
import type { PathView, PeerView, RouteView, StatusView } from '../http/api-documents.ts';
import type { RoutesPage, RoutesQuery } from '../http/source.ts';
import type { TimeSlicing } from '../process/time-slicing.ts';

/** Peers or routes described in one piece of work. */
const PIECE = 32;

/** Turns times of the monotonic clock into ISO 8601. */
type ToTime = (monotonicMs: number) => string;

/** Converts times of a monotonic clock, now at `now`. */
function timeConverter(now: number): ToTime {
  const offset = Date.now() - now;
  return (monotonicMs) => new Date(offset + monotonicMs).toISOString();
}

/** All peers of the speaker, whose clock is `clock`; yields often. */
export function* peerViews(speaker: Speaker, clock: () => number): Generator<void, PeerView[]> {
  const toTime = timeConverter(clock());
  const statuses = yield* peerStatusesInPieces(speaker, clock);
  const views: PeerView[] = [];
  for (const status of statuses) {
    views.push(peerView(status, toTime));
    if (views.length % PIECE === 0) yield;
  }
  return views;
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

/** A warning for each eBGP peer that lacks a policy. */
export function policyWarnings(peers: readonly PeerBrief[]): string[] {
  return peers
    .filter(({ policyMissing }) => policyMissing.length > 0)
    .map(({ name, policyMissing }) => {
      const both = policyMissing.length > 1;
      const [lacks, effect, keys] = WITHOUT_POLICY[both ? 'both' : policyMissing[0]];
      return `eBGP peer ${name} has ${lacks}, so ${effect} (RFC 8212). Set ${keys}, or "bgp.requirePolicy: false".`;
    });
}

const WITHOUT_POLICY = {
  import: ['no import policy', 'no routes are accepted from it', '"import"'],
  export: ['no export policy', 'no routes are advertised to it', '"export"'],
  both: ['no import and no export policy', 'no routes are exchanged', '"import" and "export"'],
} as const;

/** How many peers are configured, and how many sessions are established. */
export function peerCounts(peers: readonly PeerBrief[]): StatusView['peers'] {
  const up = peers.filter(({ state }) => state === 'Established');
  return { configured: peers.length, established: up.length };
}

/** The state of a route in the kernel, in words; `local`: originated here. */
export type KernelState = (prefix: string, local: boolean) => string;

/** Pages of the routes of a speaker. Long lists are made in short slices, one list after the other. */
export class RoutePages {
  readonly #speaker: Speaker;
  readonly #kernel: KernelState;
  readonly #work: TimeSlicing;

  constructor(speaker: Speaker, kernel: KernelState, work: TimeSlicing) {
    this.#speaker = speaker;
    this.#kernel = kernel;
    this.#work = work;
  }

  /** The routes that match a query. */
  async page({ prefix, match, q, limit, offset }: RoutesQuery): Promise<RoutesPage> {
    const speaker = this.#speaker;
    if (prefix !== undefined && match !== 'moreSpecifics') {
      const route =
        match === 'longest'
          ? longestMatch(speaker, prefix.address.toString())
          : routeTo(speaker, prefix.toString());
      if (!route) return { routes: [], total: 0 };
      const sent = exportVerdicts(speaker, route.prefix).map(({ advertised, ...rest }) => ({
        ...rest,
        told: advertised,
      }));
      return { routes: [{ ...routeView(route, this.#kernel), sent }], total: 1 };
    }
    const filters = [
      ...(prefix === undefined ? [] : [routesWithin(prefix)]),
      ...(q === undefined ? [] : [routesMentioning(speaker, q)]),
    ];
    const filter: RouteFilter | undefined =
      filters.length === 0 ? undefined : (rib, id) => filters.every((accepts) => accepts(rib, id));
    return this.#work.run(() => routeViews(routePage(speaker, offset, limit, filter), this.#kernel));
  }
}

function* routeViews(page: Generator<void, RouteList>, kernel: KernelState): Generator<void, RoutesPage> {
  const { routes, total } = yield* page;
  const views: RouteView[] = [];
  for (const route of routes) {
    views.push(routeView(route, kernel));
    if (views.length % PIECE === 0) yield;
  }
  return { routes: views, total };
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
    ...(source.address && { peerAddress: source.address.toString() }),
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
