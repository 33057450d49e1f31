/** What an export profile is: which routes the peers of an update group are advertised, and with which attributes. */
import type { IPAddress } from '../../ip/index.ts';
import { AttrsFlag } from '../../wire/attribute-types.ts';
import type { Family } from '../../wire/families.ts';
import { PATH_ID_LENGTH } from '../../wire/nlri.ts';
import type { Role } from '../../wire/role.ts';
import { type Source, SourceKind } from '../source.ts';

/** In these roles towards the peer we do not advertise routes that are only for customers. */
const KEPT_FOR_CUSTOMERS: ReadonlySet<Role> = new Set<Role>(['customer', 'peer', 'rs-client']);

/** Peers with equal profiles share an update group. The fields as JSON are the key. */
export interface ExportProfile {
  ebgp: boolean;
  /** The peer is a client of this route reflector (RFC 4456). */
  client: boolean;
  /** The client receives the routes of other clients from these themselves (RFC 4456 §6). */
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
  /** The peer accepts IPv4 routes with IPv6 next hops (RFC 8950). */
  extendedNextHop: boolean;
  /** Replace the next hop of routes learned from iBGP too; that of eBGP and own routes is always replaced. */
  nextHopSelf: boolean;
  /** Only what this speaker originates. */
  ownOnly: boolean;
  /** How many paths to a prefix are advertised, with path identifiers (RFC 7911); 0: the best one, without. */
  addPath: number;
  /** The longest message that the peer accepts: 4,096 octets, or 65,535 with RFC 8654. */
  maxLength: number;
  /** Our AS where it is prepended before a different `localAs` (RFC 7705 §3.1); 0: only `localAs` is prepended. */
  globalAs?: number;
  /** The peer's AS where one of the next two fields needs it, and else 0, so that peers of any AS share a group. */
  peerAs?: number;
  /** Our AS replaces the peer's in AS_PATH. */
  asOverride?: boolean;
  /** AS numbers for private use are removed from AS_PATH (RFC 6996 §4). */
  removePrivateAs?: boolean;
  /** This speaker is a route server: it advertises routes as it received them (RFC 7947 §2.2). */
  routeServer?: boolean;
  /** Our role towards the peer (RFC 9234). */
  role?: Role;
  /** AIGP is passed on (RFC 7311). */
  aigp?: boolean;
  /** The peer sent the LLGR capability: only such peers are advertised LLGR_STALE routes (RFC 9494 §4.3). */
  longLivedAware?: boolean;
  /** The number of the export policy. */
  policy?: number;
  /** This speaker is about to shut down: its routes are to be avoided (RFC 8326). */
  gracefulShutdown?: boolean;
}

/** A text that is equal for equal profiles. */
export function profileKey(profile: ExportProfile): string {
  return JSON.stringify(Object.entries(profile).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * Whether a route that both profiles advertise gets the same attributes in both. They may differ in which routes are
 * advertised, and in policies, which have run before.
 */
export function exportAlike(a: ExportProfile, b: ExportProfile): boolean {
  return attributesKey(a) === attributesKey(b);
}

/** The key of how routes are advertised, apart from which ones. */
function attributesKey(profile: ExportProfile): string {
  return profileKey({ ...profile, ownOnly: false, meshed: false, policy: 0 });
}

/**
 * Whether routes from `source` are advertised with our own address as the next hop (RFC 4271 §5.1.3). A reflector
 * forwards no packets: inside the AS it keeps the next hops of external routes, unless configured otherwise.
 */
export function setsNextHop(profile: ExportProfile, source: Source): boolean {
  if (source.kind === SourceKind.local) return true;
  if (source.kind === SourceKind.external && !profile.ebgp)
    return profile.nextHopSelf || profile.clusterId === null;
  if (source.kind === SourceKind.external) return !profile.routeServer;
  return profile.ebgp || profile.nextHopSelf;
}

/** The rule that keeps a route from being advertised. */
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
export function mayExport(profile: ExportProfile, source: Source, attrsFlags: number): boolean {
  return exportRefusal(profile, source, attrsFlags) === null;
}

/**
 * The rule by which a route is not advertised to peers with this profile, or null: RFC 4271 §9.2 (iBGP split horizon),
 * RFC 4456 §6 (reflection), RFC 1997 (well-known communities), RFC 9234 §5 (routes that are only for customers), RFC
 * 9494 §4.3 (LLGR_STALE). `attrsFlags`: the AttrsFlag bits of the route's attributes.
 */
export function exportRefusal(
  profile: ExportProfile,
  source: Source,
  attrsFlags: number,
): ExportRefusal | null {
  if ((attrsFlags & AttrsFlag.onlyToCustomer) !== 0 && profile.role && KEPT_FOR_CUSTOMERS.has(profile.role))
    return 'onlyToCustomer';
  if ((attrsFlags & AttrsFlag.noAdvertise) !== 0) return 'noAdvertise';
  // RFC 1997 is about received routes: NO_EXPORT on a route of our own is meant for the neighbour.
  if (source.kind === SourceKind.local) return null;
  if (profile.ebgp && (attrsFlags & AttrsFlag.noExport) !== 0) return 'noExport';
  // RFC 9494 §4.3: other peers do not know that LLGR_STALE routes are a last resort.
  if ((attrsFlags & AttrsFlag.llgrStale) !== 0 && !profile.longLivedAware) return 'llgrStale';
  if (profile.ownOnly) return 'ownOnly';
  if (profile.ebgp || source.kind === SourceKind.external) return null;
  if (profile.clusterId === null) return 'splitHorizon';
  if (profile.meshed && source.kind === SourceKind.client) return 'clientToClient';
  return profile.client || source.kind === SourceKind.client ? null : 'nonClient';
}

/** How UPDATEs to the peers of one export profile are laid out. */
export interface UpdateLayout {
  family: Family;
  /** Routes go into MP_REACH_NLRI and MP_UNREACH_NLRI (RFC 4760), not into the fields of RFC 4271. */
  multiprotocol: boolean;
  /** Octets of a path identifier before each prefix (RFC 7911): 4 or 0. */
  pathIdBytes: number;
  /** The longest message: 4,096 octets, or 65,535 with RFC 8654. */
  maxLength: number;
}

/** The layout for a profile: IPv4 routes go into the fields of RFC 4271 unless they may have IPv6 next hops (RFC 8950). */
export function layoutOf(
  family: Family,
  { extendedNextHop, addPath, maxLength }: ExportProfile,
): UpdateLayout {
  const multiprotocol = !family.usesUpdateFields || extendedNextHop;
  return { family, multiprotocol, pathIdBytes: addPath > 0 ? PATH_ID_LENGTH : 0, maxLength };
}
