/** Routes as plain, readable objects: paths with their attributes, and why each won or lost. */

import { type AddressInput, addressFrom } from '../ip/index.ts';
import { DECISION_STEPS, decide } from '../rib/decision.ts';
import type { FamilyRib, PathCandidate } from '../rib/family-rib.ts';
import { type Source, SourceKind } from '../rib/source.ts';
import { NO_PATH, NO_PREFIX, type PrefixId } from '../rib/store/ids.ts';
import { PathState, stateText } from '../rib/store/path-table.ts';
import type { Speaker } from '../speaker/speaker.ts';
import type { Attributes } from '../wire/attributes.ts';
import { IPV4_UNICAST, IPV6_UNICAST, parseRoute } from '../wire/families.ts';
import { importVerdict } from './policy-view.ts';

/** A path to a prefix. */
export interface PathInfo {
  source: Source;
  /** The peer's path identifier (RFC 7911); 0 without ADD-PATH. */
  pathId: number;
  attributes: Attributes;
  /** `multipath`: used beside the best; `candidate`: usable, but another path is better. */
  status: 'best' | 'multipath' | 'candidate' | 'unusable';
  /** Why the path won, lost or is unusable. */
  reason: string;
  /** The verdict of the peer's import policy; null without a policy. */
  policy: string | null;
  /** The peer restarts, and has not advertised the path again yet (RFC 4724). */
  stale: boolean;
}

/** A prefix with its paths in the order of their status: best, multipath, candidate, unusable. */
export interface RouteInfo {
  prefix: string;
  /** This speaker originates a route to the prefix. */
  local: boolean;
  paths: PathInfo[];
}

/** The route to exactly this prefix, or null. */
export function routeTo(speaker: Speaker, prefix: string): RouteInfo | null {
  const place = find(speaker, prefix);
  return place && place.rib.headOf(place.id) !== NO_PATH ? routeInfo(speaker, place.rib, place.id) : null;
}

/** The route with the longest prefix that contains the address and has a usable path, or null. */
export function longestMatch(speaker: Speaker, address: AddressInput): RouteInfo | null {
  const host = addressFrom(address, 'address');
  const rib = speaker.routing.ribOf(host.version === 4 ? IPV4_UNICAST : IPV6_UNICAST);
  const id = rib.prefixes.longestMatch(host.toBytes(), (candidate) => rib.bestOf(candidate) !== NO_PATH);
  return id === NO_PREFIX ? null : routeInfo(speaker, rib, id);
}

/** The names of the peers to which a route to exactly this prefix is advertised. */
export function advertisedTo(speaker: Speaker, prefix: string): string[] {
  const place = find(speaker, prefix);
  if (!place) return [];
  const advertised: string[] = [];
  for (const peer of speaker.peers) {
    const ribSession = speaker.ribSessionOf(peer);
    const route = ribSession?.ribFamilies.get(place.rib.family)?.group.advertised(place.id);
    if (ribSession && route && route.source !== ribSession.source.index) advertised.push(peer.name);
  }
  return advertised;
}

/** How many prefixes, paths and distinct sets of attributes the RIB holds. */
export function routeCounts(speaker: Speaker): { prefixes: number; paths: number; attributeSets: number } {
  const counts = { prefixes: 0, paths: 0, attributeSets: speaker.routing.attributes.size };
  for (const rib of speaker.routing.ribs.values()) {
    counts.prefixes += rib.prefixes.size;
    counts.paths += rib.paths;
  }
  return counts;
}

/** Finds a prefix in the RIB; null when it has none. */
function find(speaker: Speaker, prefix: string): { rib: FamilyRib; id: PrefixId } | null {
  const parsed = parseRoute(prefix);
  if (!parsed) return null;
  const rib = speaker.routing.ribOf(parsed.family);
  const id = rib.prefixes.find(parsed.nlri, 0);
  return id === NO_PREFIX ? null : { rib, id };
}

/** The route to a prefix of `rib`, with all paths. */
export function routeInfo(speaker: Speaker, rib: FamilyRib, id: PrefixId): RouteInfo {
  const { attributes } = speaker.routing;
  const candidates = rib.candidates(id);
  const byPath = new Map(candidates.map((candidate) => [candidate.path, candidate]));
  const decision = candidates.length > 0 ? decide(candidates, attributes) : null;
  const paths: PathInfo[] = [];
  for (let path = rib.headOf(id); path !== NO_PATH; path = rib.nextOf(path)) {
    const state = rib.stateOf(path);
    const source = rib.sources.get(rib.sourceOf(path));
    const stale = rib.isStale(path);
    const info = {
      source,
      pathId: rib.addPathIdOf(path),
      attributes: attributes.decode(rib.attrsOf(path)),
      policy: importVerdict(speaker, rib, id, path),
      stale,
    };
    const candidate = byPath.get(path);
    if (state !== PathState.usable || !candidate || !decision) {
      paths.push({ ...info, status: 'unusable', reason: info.policy ?? stateText(state) });
      continue;
    }
    const shared = decision.equal.indexOf(candidate);
    const multipath = shared > 0 && shared < rib.maximumPaths;
    const status = candidate === decision.best ? 'best' : multipath ? 'multipath' : 'candidate';
    const reason = reasonOf(candidate, candidates, decision.decidedAt, status);
    paths.push({ ...info, status, reason: stale ? `${reason}; stale: the peer restarts` : reason });
  }
  return { prefix: rib.format(id), local: paths.some(isLocal), paths: paths.sort(inOrder) };
}

const STATUSES: readonly PathInfo['status'][] = ['best', 'multipath', 'candidate', 'unusable'];

/** By status, then by name: the order in the RIB is that of arrival, which means nothing. */
const inOrder = (a: PathInfo, b: PathInfo): number =>
  STATUSES.indexOf(a.status) - STATUSES.indexOf(b.status) ||
  a.source.name.localeCompare(b.source.name) ||
  a.pathId - b.pathId;

const isLocal = ({ source }: PathInfo): boolean => source.kind === SourceKind.local;

function reasonOf(
  candidate: PathCandidate,
  all: readonly PathCandidate[],
  decidedAt: Map<PathCandidate, number>,
  status: PathInfo['status'],
): string {
  const step = DECISION_STEPS[decidedAt.get(candidate) ?? 0];
  if (status === 'best') return all.length === 1 ? 'the only usable path' : `won by ${step.name}`;
  if (status === 'multipath') return `equal to the best; would lose by ${step.name}`;
  return `lost by ${step.name}`;
}
