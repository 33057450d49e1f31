/** How routes are shown to a kind of peer: which ones, and with which changes to their attributes. */
import type { IPAddress } from '../../ip/index.ts';
import { SetFlag } from '../../wire/attribute-types.ts';
import type { Role } from '../../wire/role.ts';
import { type Source, SourceKind } from '../source.ts';

/** As one of these we do not tell the peer what is only for customers. */
const KEPT_FOR_CUSTOMERS: ReadonlySet<Role> = new Set<Role>(['customer', 'peer', 'rs-client']);

/** Peers with equal treatment share an update group. The fields as JSON make up the key. */
export interface ExportProfile {
  ebgp: boolean;
  /** The peer is a client of this route reflector (RFC 4456). */
  client: boolean;
  /** A client that gets the routes of other clients from them (RFC 4456 §6). */
  meshed?: boolean;
  /** Null: this speaker does not reflect. */
  clusterId: number | null;
  /** The AS that the peer knows us by. */
  localAs: number;
  /** The peer understands four-octet AS numbers. */
  fourOctetAs: boolean;
  /** Our IPv4 address as the next hop of routes that get ours; null: none. */
  nextHop: IPAddress | null;
  /** Our IPv6 next hops in the order of the wire: global, then link-local (RFC 2545 §3); empty: none. */
  nextHop6: readonly IPAddress[];
  /** The peer takes IPv4 routes with IPv6 next hops (RFC 8950). */
  extendedNextHop: boolean;
  /** Replace the next hop also of routes learned from iBGP; eBGP and own routes always get ours. */
  nextHopSelf: boolean;
  /** Only what this speaker originates. */
  ownOnly: boolean;
  /** How many paths to a prefix the peer is told, with path identifiers (RFC 7911); 0: the best one, without. */
  addPath: number;
  /** The longest message that the peer takes. */
  maxLength: number;
  /** Our AS, to stand behind a `localAs` of another number in AS_PATH (RFC 7705 §3.1); 0: it does not. */
  globalAs?: number;
  /** The peer's AS, where one of the two next fields needs it: else peers would share no group. */
  peerAs?: number;
  /** Our AS stands in the place of the peer's. */
  asOverride?: boolean;
  removePrivateAs?: boolean;
  /** This speaker is a route server: it shows routes as it got them (RFC 7947 §2.2). */
  routeServer?: boolean;
  /** What we are to the peer (RFC 9234). */
  role?: Role;
  /** AIGP is passed on (RFC 7311). */
  aigp?: boolean;
  /** The peer sent the LLGR capability: only such peers are advertised LLGR_STALE routes (RFC 9494 §4.3). */
  longLivedAware?: boolean;
  /** The number of the export policy. */
  policy?: number;
  /** This speaker is about to go: its routes are to be avoided (RFC 8326). */
  gracefulShutdown?: boolean;
}

/** Equal for equal treatments. */
export function profileKey(profile: ExportProfile): string {
  return JSON.stringify(Object.entries(profile).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * Whether a route that is shown by both treatments looks the same in both: they differ at most in which are shown,
 * and in policies, which are done by then.
 */
export function showAlike(a: ExportProfile, b: ExportProfile): boolean {
  return shownWith(a) === shownWith(b);
}

/** The key of how routes look, whichever they are. */
function shownWith(profile: ExportProfile): string {
  return profileKey({ ...profile, ownOnly: false, meshed: false, policy: 0 });
}

/**
 * Whether the peers get our own address as the next hop of routes from `source` (RFC 4271 §5.1.3). A reflector forwards
 * no packets: inside the AS it leaves the next hops of external routes as they came, unless told otherwise.
 */
export function setsNextHop(t: ExportProfile, source: Source): boolean {
  if (source.kind === SourceKind.local) return true;
  if (source.kind === SourceKind.external && !t.ebgp) return t.nextHopSelf || t.clusterId === null;
  if (source.kind === SourceKind.external) return !t.routeServer;
  return t.ebgp || t.nextHopSelf;
}

/** Which rule keeps a route from being advertised. */
export type ExportRefusal =
  | 'onlyToCustomer'
  | 'noAdvertise'
  | 'noExport'
  | 'llgrStale'
  | 'ownOnly'
  | 'splitHorizon'
  | 'clientToClient'
  | 'nonClient';

/** Whether a route may be advertised to peers with this profile; `attrsFlags` are those of its attributes. */
export function mayExport(t: ExportProfile, source: Source, attrsFlags: number): boolean {
  return exportRefusal(t, source, attrsFlags) === null;
}

/**
 * The rule by which a route is not advertised to peers with this profile, or null: RFC 4271 §9.2 (iBGP split horizon),
 * RFC 4456 §6 (reflection), RFC 1997 (well-known communities), RFC 9234 §5 (only to customers).
 */
export function exportRefusal(t: ExportProfile, source: Source, attrsFlags: number): ExportRefusal | null {
  if ((attrsFlags & SetFlag.onlyToCustomer) !== 0 && t.role && KEPT_FOR_CUSTOMERS.has(t.role))
    return 'onlyToCustomer';
  if ((attrsFlags & SetFlag.noAdvertise) !== 0) return 'noAdvertise';
  // RFC 1997 speaks of received routes: an originator sets the community for its neighbour.
  if (source.kind === SourceKind.local) return null;
  if (t.ebgp && (attrsFlags & SetFlag.noExport) !== 0) return 'noExport';
  // RFC 9494 §4.3: other peers do not know that LLGR_STALE routes are a last resort.
  if ((attrsFlags & SetFlag.llgrStale) !== 0 && !t.longLivedAware) return 'llgrStale';
  if (t.ownOnly) return 'ownOnly';
  if (t.ebgp || source.kind === SourceKind.external) return null;
  if (t.clusterId === null) return 'splitHorizon';
  if (t.meshed && source.kind === SourceKind.client) return 'clientToClient';
  return t.client || source.kind === SourceKind.client ? null : 'nonClient';
}
