/** What a speaker's RIB holds, read from its columns and put in the oracle's terms. */
import type { Source } from 'bgp-js/rib/source.ts';
import { SourceKind } from 'bgp-js/rib/source.ts';
import { type AttrsId, LOCAL_SOURCE, NO_PATH, type PrefixId, type SourceId } from 'bgp-js/rib/store/ids.ts';
import { PathState } from 'bgp-js/rib/store/path-table.ts';
import type { Speaker } from 'bgp-js/speaker/speaker.ts';
import { describe, type OracleRoute } from '../oracle/oracle.ts';

/** The state of one prefix; routes are keyed by the neighbour's address, '' for the speaker's own. */
export interface HeldEntry {
  /** Each as the oracle's `describe` writes it. */
  routes: Map<string, string>;
  best: string | null;
  nextHop: string | null;
  multipath: string[];
}

/** Adj-RIB-In and Loc-RIB by prefix. */
export function heldRib(speaker: Speaker): Map<string, HeldEntry> {
  const { rib } = speaker.routing;
  const held = new Map<string, HeldEntry>();
  for (let id = 0 as PrefixId; id < rib.prefixes.end; id++) {
    if (!rib.prefixes.has(id) || rib.headOf(id) === NO_PATH) continue;
    held.set(rib.format(id), heldEntry(speaker, id));
  }
  return held;
}

function heldEntry(speaker: Speaker, id: PrefixId): HeldEntry {
  const { rib } = speaker.routing;
  const prefix = rib.format(id);
  const entry: HeldEntry = { routes: new Map(), best: null, nextHop: null, multipath: [] };
  for (let path = rib.headOf(id); path !== NO_PATH; path = rib.nextOf(path)) {
    const source = rib.sources.get(rib.sourceOf(path));
    const route = heldRoute(speaker, prefix, rib.attrsOf(path), source, rib.stateOf(path));
    const key = route.from ?? '';
    // Two paths of one peer would be a fault; both are shown.
    entry.routes.set(key, (entry.routes.has(key) ? `${entry.routes.get(key)}; and ` : '') + describe(route));
    if (path === rib.bestOf(id)) {
      entry.best = key;
      entry.nextHop = route.nextHop;
    }
    if (rib.isMultipath(path) || path === rib.bestOf(id)) entry.multipath.push(key);
  }
  return entry;
}

function heldRoute(
  speaker: Speaker,
  prefix: string,
  attrs: AttrsId,
  source: Source,
  state: number,
): OracleRoute {
  const decoded = speaker.routing.attributes.decode(attrs);
  return {
    prefix,
    from: source.kind === SourceKind.local ? null : (source.address?.toString() ?? null),
    fromAs: source.as,
    asPath: decoded.asPath.flatMap(({ ases }) => ases),
    nextHop: decoded.nextHop ?? 'none',
    med: decoded.med ?? null,
    localPref: decoded.localPref ?? null,
    communities: decoded.communities ?? [],
    originator: decoded.originatorId ?? null,
    clusters: decoded.clusterList ?? [],
    usable: state === PathState.usable,
  };
}

/** Whether a speaker keeps stale routes: of a peer that is away, or has not advertised them again yet (RFC 4724). */
export function hasStale({ routing: { rib } }: Speaker): boolean {
  for (let id = 0 as PrefixId; id < rib.prefixes.end; id++) {
    if (!rib.prefixes.has(id)) continue;
    for (let path = rib.headOf(id); path !== NO_PATH; path = rib.nextOf(path))
      if (rib.isStale(path)) return true;
  }
  return false;
}

/** What a speaker has advertised to each peer with a session, by the peer's address. */
export function advertisedRoutes(speaker: Speaker): Map<string, Set<string>> {
  const { rib } = speaker.routing;
  const advertised = new Map<string, Set<string>>();
  for (const peer of speaker.peers) {
    const ribSession = speaker.ribSessionOf(peer);
    if (!ribSession) continue;
    const prefixes = new Set<string>();
    for (let id = 0 as PrefixId; id < rib.prefixes.end; id++) {
      if (!rib.prefixes.has(id)) continue;
      const route = ribSession.ribFamilies.get(rib.family)?.group.advertised(id);
      if (route && route.source !== ribSession.source.index) prefixes.add(rib.format(id));
    }
    advertised.set(peer.address?.toString() ?? '', prefixes);
  }
  return advertised;
}

/** The attributes of advertised routes, which differ from the RIB's where an export policy changed them. */
function* advertisedAttrs(speaker: Speaker): Iterable<AttrsId> {
  const { rib } = speaker.routing;
  for (const peer of speaker.peers) {
    const ribFamily = speaker.ribSessionOf(peer)?.ribFamilies.get(rib.family);
    for (let id = 0 as PrefixId; ribFamily && id < rib.prefixes.end; id++) {
      const advertised = rib.prefixes.has(id) && ribFamily.group.advertised(id);
      if (advertised) yield advertised.attrs;
    }
  }
}

/** Wrong counts and leaks of a speaker at rest, one text for each. */
export function accountFaults(speaker: Speaker): string[] {
  const { rib, attributes, policies } = speaker.routing;
  // Sets that policies retain are no leak.
  policies.clearMemos();
  const faults: string[] = [];
  const expect = (what: string, is: number, should: number) => {
    if (is !== should) faults.push(`${what}: ${is}, should be ${should}`);
  };
  const counts = new Map<SourceId, { received: number; accepted: number; best: number }>();
  const attrs = new Set<AttrsId>();
  let prefixes = 0;
  let paths = 0;
  for (let id = 0 as PrefixId; id < rib.prefixes.end; id++) {
    if (!rib.prefixes.has(id) || rib.headOf(id) === NO_PATH) continue;
    prefixes++;
    for (let path = rib.headOf(id); path !== NO_PATH; path = rib.nextOf(path)) {
      const source = rib.sourceOf(path);
      const count = counts.get(source) ?? { received: 0, accepted: 0, best: 0 };
      counts.set(source, count);
      count.received++;
      if (rib.stateOf(path) === PathState.usable) count.accepted++;
      if (path === rib.bestOf(id)) count.best++;
      attrs.add(rib.attrsOf(path)).add(rib.receivedOf(path));
      paths++;
    }
  }
  expect('paths', rib.paths, paths);
  expect('prefixes', rib.prefixes.size, prefixes);
  for (const exported of advertisedAttrs(speaker)) attrs.add(exported);
  expect('attribute sets', attributes.size, attrs.size);
  const known = [...speaker.peers].map((peer) => speaker.ribSessionOf(peer)?.source.index ?? LOCAL_SOURCE);
  for (const index of new Set([LOCAL_SOURCE, ...known])) {
    const { name, received, accepted, best } = rib.sources.get(index);
    const count = counts.get(index) ?? { received: 0, accepted: 0, best: 0 };
    counts.delete(index);
    expect(`received from ${name}`, received, count.received);
    expect(`accepted from ${name}`, accepted, count.accepted);
    expect(`best from ${name}`, best, count.best);
  }
  for (const index of counts.keys()) faults.push(`source ${index} has paths and no session`);
  return faults;
}
