/**
 * A BGP speaker without sockets and clocks, and views of its state. `bgp-js/net` runs it on TCP; `bgp-js/wire` has the
 * codec of BGP messages, `bgp-js/ip` the types of addresses and prefixes.
 */

// Reading the RIB as it changes: best paths for a forwarding table.
export { DirtyQueue } from './rib/dirty-queue.ts';
export { FamilyRib } from './rib/family-rib.ts';
// Policies.
export { compilePolicies } from './rib/policy/policy.ts';
export { type PolicyData, PolicyError, type PolicyRule, type PolicySet } from './rib/policy/policy-data.ts';

export { type Source, SourceKind } from './rib/source.ts';
export { NO_PATH, NO_PREFIX, type PathId, type PrefixId } from './rib/store/ids.ts';
// Peers.
export type { Peer, PeerCounters, SessionState } from './session/peer.ts';
export {
  type PeerConfig,
  type PeerOptions,
  peerConfig,
  type TransportConfig,
} from './session/peer-config.ts';
// The speaker: what goes in, and what comes out.
export { Speaker } from './speaker/speaker.ts';
export type {
  OriginateOptions,
  PeerStatus,
  SpeakerAction,
  SpeakerConfig,
  SpeakerEvent,
  SpeakerOptions,
} from './speaker/speaker-types.ts';
// Views of policies, and dry runs of a change.
export { type DryRunPeer, dryRun, type RouteChanges } from './views/dry-run.ts';

// Views of peers.
export { type PeerBrief, peerBriefs, peerStatuses, peerStatusesInPieces } from './views/peer-view.ts';
export {
  type ExportVerdict,
  exportVerdicts,
  type PolicyInfo,
  policyInfos,
} from './views/policy-view.ts';
// Views of routes.
export {
  listRoutes,
  type RouteFilter,
  type RouteList,
  routePage,
  routesMentioning,
  routesWithin,
} from './views/route-list.ts';
export {
  advertisedTo,
  longestMatch,
  type PathInfo,
  type RouteInfo,
  routeCounts,
  routeTo,
} from './views/route-view.ts';
export { type AsSegment, formatAsPath } from './wire/as-path.ts';
export { Community } from './wire/attribute-types.ts';
export type { Attributes } from './wire/attributes.ts';
export { formatCommunity, type LargeCommunity } from './wire/communities.ts';
export { type Family, IPV4_UNICAST, IPV6_UNICAST } from './wire/families.ts';
