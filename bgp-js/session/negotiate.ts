/** What two OPENs agree on (RFC 4271 §6.2, RFC 5492, RFC 6286, RFC 6793). */
import {
  type Capabilities,
  type CapabilityOptions,
  interpretCapabilities,
  type LongLivedOffer,
  ownCapabilities,
  type RestartOffer,
} from '../wire/capability.ts';
import { writeU16 } from '../wire/cursor.ts';
import { type BgpError, bgpError, OpenError } from '../wire/error.ts';
import type { Family } from '../wire/families.ts';
import { isError } from '../wire/message.ts';
import { AS_TRANS, encodeOpen, type OpenMessage } from '../wire/open.ts';
import { checkRole, type Role, roleCapability } from '../wire/role.ts';

/** What this speaker offers on a session. */
export interface SessionOffer {
  localAs: number;
  /** BGP identifier as an unsigned number. */
  localId: number;
  /** The AS that the peer must have. */
  peerAs: number;
  /** Seconds; 0 or at least 3. */
  holdTime: number;
  families: readonly Family[];
  /** The other number of an AS that is being renumbered: the peer may show either (RFC 7705 §4). */
  peerAlias?: number;
  /** What we are to an external peer (RFC 9234). */
  role?: Role;
  /** Refuse a peer that does not say its role. */
  roleStrict?: boolean;
  /** What is offered beyond that. */
  options?: CapabilityOptions;
}

/** The terms of an open session. */
export interface Negotiated {
  /** Seconds; 0: neither keepalives nor a hold timer. */
  holdTime: number;
  peerId: number;
  peerAs: number;
  /** Families that both sides named. */
  families: Family[];
  fourOctetAs: boolean;
  routeRefresh: boolean;
  /** RFC 7313. */
  enhancedRefresh: boolean;
  /** The longest message either way: 4,096 octets, or 65,535 with RFC 8654. */
  maxLength: number;
  /** IPv4 routes may have IPv6 next hops, both ways (RFC 8950). */
  extendedNextHop: boolean;
  /** Families in which the peer sends path identifiers, and in which we do (RFC 7911). */
  addPathReceive: Family[];
  addPathSend: Family[];
  /** What the peer said of its restarts (RFC 4724), and whether NOTIFICATIONs keep routes too (RFC 8538). */
  restart: RestartOffer | null;
  notificationKeeps: boolean;
  /** For how long the peer's stale routes are kept (RFC 9494); empty unless both sides offered the capability. */
  longLived: LongLivedOffer[];
  /** The peer sent the capability, with families or without: it may receive LLGR_STALE routes (RFC 9494 §4.3). */
  longLivedAware: boolean;
  capabilities: Capabilities;
}

/** Our OPEN. */
export function buildOpen(offer: SessionOffer): Uint8Array {
  return encodeOpen({
    version: 4,
    as: offer.localAs > 0xffff ? AS_TRANS : offer.localAs,
    holdTime: offer.holdTime,
    identifier: offer.localId,
    capabilities: [
      ...ownCapabilities(offer.families, offer.localAs, offer.options),
      ...(offer.role ? [roleCapability(offer.role)] : []),
    ],
  });
}

/** Judges the peer's OPEN: the terms of the session, or the NOTIFICATION that ends it. */
export function negotiate(open: OpenMessage, offer: SessionOffer): Negotiated | BgpError {
  if (open.version !== 4) {
    return bgpError(
      OpenError.unsupportedVersionNumber,
      `BGP version ${open.version} is not supported, 4 is`,
      Uint8Array.of(0, 4),
    );
  }
  const capabilities = interpretCapabilities(open.capabilities);
  if (isError(capabilities)) return capabilities;
  const as = capabilities.fourOctetAs ?? open.as;
  // RFC 7607: AS 0 is nobody, in either field.
  if ((as !== offer.peerAs && as !== offer.peerAlias) || as === 0 || open.as === 0) {
    const exported = open.as === 0 ? 0 : as;
    return bgpError(OpenError.badPeerAs, `the peer is AS ${exported}, configured is AS ${offer.peerAs}`);
  }
  const internal = offer.localAs === offer.peerAs || offer.peerAlias !== undefined;
  if (open.identifier === 0 || (internal && open.identifier === offer.localId)) {
    return bgpError(
      OpenError.badBgpIdentifier,
      open.identifier === 0 ? 'the BGP identifier is 0' : 'the BGP identifier is our own',
    );
  }
  if (open.holdTime === 1 || open.holdTime === 2) {
    return bgpError(OpenError.unacceptableHoldTime, `a hold time of ${open.holdTime} s is not acceptable`);
  }
  const mismatch = offer.role ? checkRole(open.capabilities, offer.role, offer.roleStrict ?? false) : null;
  if (mismatch) return mismatch;
  const families = offer.families.filter((family) => capabilities.families.includes(family));
  if (families.length === 0) return unsupportedFamilies(offer.families);
  return {
    holdTime: Math.min(open.holdTime, offer.holdTime),
    peerId: open.identifier,
    peerAs: as,
    families,
    fourOctetAs: capabilities.fourOctetAs !== null,
    routeRefresh: capabilities.routeRefresh,
    ...agreeOnOptions(families, capabilities, offer.options ?? {}),
    capabilities,
  };
}

type AgreedOptions = Pick<
  Negotiated,
  | 'enhancedRefresh'
  | 'maxLength'
  | 'extendedNextHop'
  | 'addPathReceive'
  | 'addPathSend'
  | 'restart'
  | 'notificationKeeps'
  | 'longLived'
  | 'longLivedAware'
>;

/** What both sides can do, each way by itself for ADD-PATH (RFC 7911 §4). */
function agreeOnOptions(families: Family[], theirs: Capabilities, ours: CapabilityOptions): AgreedOptions {
  const addPath = (family: Family, way: 'receive' | 'send'): boolean => {
    const mine = ours.addPath?.find((offer) => offer.family === family);
    const its = theirs.addPath.find((offer) => offer.family === family);
    return way === 'receive' ? !!(mine?.receive && its?.send) : !!(mine?.send && its?.receive);
  };
  return {
    enhancedRefresh: theirs.enhancedRefresh && theirs.routeRefresh,
    maxLength: ours.extendedMessage && theirs.extendedMessage ? 65_535 : 4096,
    extendedNextHop: ours.extendedNextHop === true && theirs.extendedNextHop.length > 0,
    addPathReceive: families.filter((family) => addPath(family, 'receive')),
    addPathSend: families.filter((family) => addPath(family, 'send')),
    restart: ours.restart ? theirs.restart : null,
    notificationKeeps: !!(ours.restart?.notification && theirs.restart?.notification),
    longLived: ours.longLived && ours.longLived.length > 0 ? (theirs.longLived ?? []) : [],
    longLivedAware: theirs.longLived !== null,
  };
}

/** RFC 5492 §5: the data names the capabilities that are missing. */
function unsupportedFamilies(families: readonly Family[]): BgpError {
  const data = new Uint8Array(6 * families.length);
  families.forEach(({ afi, safi }, i) => {
    data.set([1, 4], 6 * i);
    writeU16(data, 6 * i + 2, afi);
    data[6 * i + 5] = safi;
  });
  const names = families.map(({ name }) => name).join(', ');
  return bgpError(OpenError.unsupportedCapability, `the peer offers none of our families (${names})`, data);
}

/**
 * Which of two connections with the same peer stays (RFC 4271 §6.8, RFC 6286 §2.3): the one begun by the side with
 * the higher BGP identifier; when these are equal, with the higher AS number. True: the one that we began.
 */
export function keepOutgoing(localId: number, peerId: number, localAs: number, peerAs: number): boolean {
  return localId === peerId ? localAs > peerAs : localId > peerId;
}
