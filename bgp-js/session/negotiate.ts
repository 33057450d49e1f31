/** Negotiation: validates the peer's OPEN against our offer (RFC 4271 §6.2, RFC 5492, RFC 6286, RFC 6793). */
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

/** Our side of a session: the content of our OPEN, and what the peer's OPEN must have. */
export interface SessionOffer {
  localAs: number;
  /** BGP identifier as an unsigned number. */
  localId: number;
  /** The AS that the peer must have. */
  peerAs: number;
  /** Seconds; 0 or at least 3. */
  holdTime: number;
  families: readonly Family[];
  /** The other number of an AS that is being renumbered: the peer may send either (RFC 7705 §4). */
  peerAlias?: number;
  /** Our role towards an external peer (RFC 9234). */
  role?: Role;
  /** Refuse a peer that sends no role. */
  roleStrict?: boolean;
  /** Optional capabilities. */
  options?: CapabilityOptions;
}

/** The terms of a session, as both OPENs agree. */
export interface Negotiated {
  /** Seconds; 0: no KEEPALIVEs and no hold timer. */
  holdTime: number;
  peerId: number;
  peerAs: number;
  /** Families that both sides offer. */
  families: Family[];
  fourOctetAs: boolean;
  routeRefresh: boolean;
  /** RFC 7313. */
  enhancedRefresh: boolean;
  /** The longest message in both directions: 4,096 octets, or 65,535 with RFC 8654. */
  maxLength: number;
  /** IPv4 routes may have IPv6 next hops in both directions (RFC 8950). */
  extendedNextHop: boolean;
  /** Families in which the peer, and in which we, send path identifiers (RFC 7911). */
  addPathReceive: Family[];
  addPathSend: Family[];
  /** The peer's graceful restart (RFC 4724), and whether routes are retained after NOTIFICATIONs too (RFC 8538). */
  restart: RestartOffer | null;
  notificationKeeps: boolean;
  /** For how long the peer's stale routes are kept (RFC 9494); empty unless both sides offered the capability. */
  longLived: LongLivedOffer[];
  /** The peer sent the capability, with families or without: it may receive LLGR_STALE routes (RFC 9494 §4.3). */
  longLivedAware: boolean;
  capabilities: Capabilities;
}

/** Encodes our OPEN. */
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

/** Validates the peer's OPEN. Returns the terms of the session, or the NOTIFICATION that refuses it. */
export function negotiate(open: OpenMessage, offer: SessionOffer): Negotiated | BgpError {
  if (open.version !== 4) {
    return bgpError(
      OpenError.unsupportedVersionNumber,
      `BGP version ${open.version} is not supported, only version 4`,
      Uint8Array.of(0, 4),
    );
  }
  const capabilities = interpretCapabilities(open.capabilities);
  if (isError(capabilities)) return capabilities;
  const as = capabilities.fourOctetAs ?? open.as;
  // RFC 7607: AS 0 is invalid in both fields.
  if ((as !== offer.peerAs && as !== offer.peerAlias) || as === 0 || open.as === 0) {
    const theirAs = open.as === 0 ? 0 : as;
    return bgpError(OpenError.badPeerAs, `the peer is AS ${theirAs}, configured is AS ${offer.peerAs}`);
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

/** The optional capabilities that both sides have; for ADD-PATH each direction by itself (RFC 7911 §4). */
function agreeOnOptions(families: Family[], theirs: Capabilities, ours: CapabilityOptions): AgreedOptions {
  const addPath = (family: Family, direction: 'receive' | 'send'): boolean => {
    const our = ours.addPath?.find((offer) => offer.family === family);
    const their = theirs.addPath.find((offer) => offer.family === family);
    return direction === 'receive' ? !!(our?.receive && their?.send) : !!(our?.send && their?.receive);
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

/** RFC 5492 §5: the NOTIFICATION's data lists the missing capabilities. */
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
 * Which of two connections with a peer stays (RFC 4271 §6.8, RFC 6286 §2.3): the one that the side with the higher BGP
 * identifier opened; with equal identifiers, the side with the higher AS number. True: the one that we opened.
 */
export function keepOutgoing(localId: number, peerId: number, localAs: number, peerAs: number): boolean {
  return localId === peerId ? localAs > peerAs : localId > peerId;
}
