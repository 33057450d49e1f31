/**
 * Computes the expected content of every RIB from the model alone: nodes exchange routes in rounds until nothing
 * changes. It is deliberately simple and shares no code with the RIB, so that the two do not share a bug. The tested
 * configurations have exactly one stable state; docs/testing.md explains why.
 */
import type { OriginateOptions } from 'bgp-js/speaker/speaker-types.ts';
import type { Model, ModelNode, ModelRule } from './model.ts';

/** A route of a node: its own, or one received from a neighbour. */
export interface OracleRoute {
  prefix: string;
  /** The neighbour's address; null for the node's own route. */
  from: string | null;
  fromAs: number;
  asPath: number[];
  nextHop: string;
  med: number | null;
  localPref: number | null;
  communities: number[];
  originator: string | null;
  clusters: string[];
  usable: boolean;
}

/** The expected routes of a node for a prefix. */
export interface OracleEntry {
  /** By the neighbour's address; '' for its own route. */
  routes: Map<string, OracleRoute>;
  best: OracleRoute | null;
  /** The best route and the others of its multipath set. */
  multipath: OracleRoute[];
}

/** By prefix. */
export type OracleRib = Map<string, OracleEntry>;

const NO_EXPORT = 0xffffff01;
const NO_ADVERTISE = 0xffffff02;

/** The RIBs of all running nodes by address. Throws an Error if the routes do not converge. */
export function computeRibs(model: Model): Map<string, OracleRib> {
  const alive = [...model.nodes.values()].filter((node) => node.alive);
  let best = new Map<string, Map<string, OracleRoute>>(alive.map((node) => [node.address, new Map()]));
  for (let round = 0; round < 20 + 4 * alive.length; round++) {
    const ribs = new Map(alive.map((node) => [node.address, ribOf(node, model, best)]));
    const next = new Map<string, Map<string, OracleRoute>>();
    for (const [address, rib] of ribs) {
      const chosen = new Map<string, OracleRoute>();
      for (const [prefix, entry] of rib) if (entry.best) chosen.set(prefix, entry.best);
      next.set(address, chosen);
    }
    if (sameChoices(best, next)) return ribs;
    best = next;
  }
  throw new Error('the oracle finds no stable state: this scenario does not converge');
}

/** The RIB of a node whose neighbours have selected the routes in `best`. */
function ribOf(
  node: ModelNode,
  model: Model,
  best: ReadonlyMap<string, ReadonlyMap<string, OracleRoute>>,
): OracleRib {
  const rib: OracleRib = new Map();
  const put = (route: OracleRoute) => {
    const entry = rib.get(route.prefix) ?? { routes: new Map(), best: null, multipath: [] };
    entry.routes.set(route.from ?? '', route);
    rib.set(route.prefix, entry);
  };
  for (const [prefix, options] of node.routes) put(ownRoute(node, prefix, options));
  for (const neighbour of model.neighbours(node)) {
    for (const route of best.get(neighbour.address)?.values() ?? []) {
      const advertised = advertisedBy(neighbour, node, route, model);
      if (advertised) put(importRoute(node, advertised));
    }
  }
  for (const entry of rib.values()) choose(entry, node, model);
  return rib;
}

function ownRoute(node: ModelNode, prefix: string, options: OriginateOptions): OracleRoute {
  return {
    prefix,
    from: null,
    fromAs: node.as,
    asPath: [],
    nextHop: node.address,
    med: options.med ?? null,
    localPref: options.localPref ?? null,
    communities: options.communities ?? [],
    originator: null,
    clusters: [],
    usable: true,
  };
}

/** The best route of `a` as advertised to `b`; null if it is not advertised. */
function advertisedBy(a: ModelNode, b: ModelNode, best: OracleRoute, model: Model): OracleRoute | null {
  const config = a.peers.get(b.address);
  const own = best.from === null;
  if (!config || best.from === b.address || best.communities.includes(NO_ADVERTISE)) return null;
  if (!own && config.exportOwn) return null;
  const route = applyRules(config.exportRules ?? [], best, a.as);
  if (!route) return null;
  const advertised = { ...route, from: a.address, fromAs: a.as };
  if (a.as !== b.as) {
    // RFC 4271 §5.1: our AS is prepended and we are the next hop; MED, LOCAL_PREF and reflection stay in the AS.
    if (!own && route.communities.includes(NO_EXPORT)) return null;
    const med = own ? route.med : null;
    const asPath = [a.as, ...route.asPath];
    return {
      ...advertised,
      asPath,
      nextHop: a.address,
      med,
      localPref: null,
      originator: null,
      clusters: [],
    };
  }
  const localPref = route.localPref ?? 100;
  if (own || route.fromAs !== a.as) return { ...advertised, localPref, nextHop: a.address };
  // From iBGP to iBGP only by reflection, and only from or to a client (RFC 4456 §6).
  const fromClient = a.peers.get(route.from ?? '')?.client ?? false;
  if (a.clusterId === null || !(config.client || fromClient)) return null;
  const originator = route.originator ?? model.node(route.from ?? '').address;
  const clusters = [a.clusterId, ...route.clusters];
  const nextHop = config.nextHopSelf ? a.address : route.nextHop;
  return { ...advertised, localPref, originator, clusters, nextHop };
}

/** A received route as stored by the node: validated, and changed by the import policy. */
function importRoute(node: ModelNode, route: OracleRoute): OracleRoute {
  if (!isUsable(node, route)) return { ...route, usable: false };
  const changed = applyRules(node.peers.get(route.from ?? '')?.importRules ?? [], route, node.as);
  return changed ?? { ...route, usable: false };
}

/** Applies a policy to a route. Returns null if the policy rejects it. Rules match the route as received. */
function applyRules(rules: readonly ModelRule[], route: OracleRoute, as: number): OracleRoute | null {
  let changed = route;
  for (const { within, community, neighbourAs: first, action, addCommunity, prepend } of rules) {
    if (within !== null && !isWithin(route.prefix, within)) continue;
    if (community !== null && !route.communities.includes(community)) continue;
    if (first !== null && route.asPath[0] !== first) continue;
    if (action === 'reject') return null;
    const added = addCommunity !== null && !changed.communities.includes(addCommunity) ? [addCommunity] : [];
    const asPath = [...new Array<number>(prepend).fill(as), ...changed.asPath];
    changed = { ...changed, communities: [...changed.communities, ...added], asPath };
    if (action === 'accept') break;
  }
  return changed;
}

/** Whether a route from a neighbour may take part in the decision. */
function isUsable(node: ModelNode, route: OracleRoute): boolean {
  if (route.asPath.includes(node.as)) return false;
  if (route.originator === node.address) return false;
  if (node.clusterId !== null && route.clusters.includes(node.clusterId)) return false;
  if (route.nextHop === node.address) return false;
  if (route.prefix === '0.0.0.0/0') return node.peers.get(route.from ?? '')?.acceptDefault ?? false;
  return !node.ranges.some((range) => isWithin(route.prefix, range));
}

/** Whether prefix `inner` is `outer` or a more specific one. */
function isWithin(inner: string, outer: string): boolean {
  const [innerBits, outerBits] = [bitsOf(inner), bitsOf(outer)];
  return innerBits.startsWith(outerBits);
}

/** The bits of a prefix as text: slow, but obviously correct. */
function bitsOf(prefix: string): string {
  const [address, length] = prefix.split('/');
  const bits = address.split('.').map((octet) => Number(octet).toString(2).padStart(8, '0'));
  return bits.join('').slice(0, Number(length));
}

function addressNumber(address: string): number {
  return address.split('.').reduce((value, octet) => value * 256 + Number(octet), 0);
}

/** Follows RFC 4271 §9.1.2 literally: each rule removes all routes but the best by that rule. */
function choose(entry: OracleEntry, node: ModelNode, model: Model): void {
  let remaining = [...entry.routes.values()].filter(({ usable }) => usable);
  const keepLowest = (value: (route: OracleRoute) => number) => {
    const lowest = Math.min(...remaining.map(value));
    remaining = remaining.filter((route) => value(route) === lowest);
  };
  const external = (route: OracleRoute) => route.from !== null && route.fromAs !== node.as;
  if (remaining.length === 0) return;
  keepLowest((route) => (route.from === null ? 0 : 1));
  keepLowest((route) => -(route.localPref ?? 100));
  keepLowest((route) => route.asPath.length);
  // ORIGIN is IGP everywhere.
  remaining = remaining.filter(
    (route) =>
      !remaining.some(
        (other) => neighbourAs(other) === neighbourAs(route) && (other.med ?? 0) < (route.med ?? 0),
      ),
  );
  keepLowest((route) => (external(route) ? 0 : 1));
  const equal = remaining;
  // RFC 4456 §9: the ORIGINATOR_ID counts, and after it the shorter CLUSTER_LIST.
  const identifier = (route: OracleRoute) =>
    addressNumber(route.originator ?? (route.from === null ? node.address : model.node(route.from).address));
  keepLowest(identifier);
  keepLowest((route) => route.clusters.length);
  keepLowest((route) => addressNumber(route.from ?? '0.0.0.0'));
  entry.best = remaining[0];
  const rank = (a: OracleRoute, b: OracleRoute) =>
    identifier(a) - identifier(b) ||
    a.clusters.length - b.clusters.length ||
    addressNumber(a.from ?? '0.0.0.0') - addressNumber(b.from ?? '0.0.0.0');
  entry.multipath = [...equal].sort(rank).slice(0, node.maximumPaths);
}

const neighbourAs = (route: OracleRoute): number => route.asPath[0] ?? 0;

function sameChoices(
  a: Map<string, Map<string, OracleRoute>>,
  b: Map<string, Map<string, OracleRoute>>,
): boolean {
  for (const [address, routes] of b) {
    const before = a.get(address);
    if (before?.size !== routes.size) return false;
    for (const [prefix, route] of routes) {
      const other = before.get(prefix);
      if (!other || describe(other) !== describe(route)) return false;
    }
  }
  return true;
}

/** A route in one line; equal for equal routes. */
export function describe(route: OracleRoute): string {
  const parts = [
    `from ${route.from ?? 'itself'}`,
    `via ${route.nextHop}`,
    `path [${route.asPath.join(' ')}]`,
  ];
  if (route.med !== null) parts.push(`med ${route.med}`);
  if (route.localPref !== null) parts.push(`local-pref ${route.localPref}`);
  // Their order has no meaning.
  if (route.communities.length > 0) parts.push(`communities ${[...route.communities].sort().join(' ')}`);
  if (route.originator !== null) parts.push(`originator ${route.originator}`);
  if (route.clusters.length > 0) parts.push(`clusters ${route.clusters.join(' ')}`);
  return parts.join(', ') + (route.usable ? '' : ' (unusable)');
}
