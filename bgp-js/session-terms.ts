/** What a session's terms mean to the RIB: how the peer's routes are taken in, and how routes are shown to the peer. */
import type { ImportRules } from './rib/import.ts';
import { type Source, SourceKind } from './rib/source.ts';
import type { ExportTreatment } from './rib/treatment.ts';
import type { Negotiated, SessionOffer } from './session/negotiate.ts';
import type { Peer } from './session/peer.ts';
import type { PeerConfig } from './session/peer-config.ts';
import type { SpeakerConfig } from './speaker-types.ts';
import { addressOrder } from './wire/address.ts';
import type { AttributeContext, ImportEdits } from './wire/attribute-scan.ts';
import { FAMILIES } from './wire/families.ts';
import { parseIPv4 } from './wire/prefix.ts';

/** Who this speaker is, as numbers. */
export interface Self {
  as: number;
  id: number;
  /** 0: it does not reflect. */
  clusterId: number;
  /** It is about to go: its routes are to be avoided (RFC 8326). */
  gracefulShutdown: boolean;
}

export function selfOf(config: SpeakerConfig): Self {
  const clusterId = config.clusterId === undefined ? 0 : parseIPv4(config.clusterId);
  return { as: config.as, id: parseIPv4(config.routerId), clusterId, gracefulShutdown: false };
}

/** The peer as a source of routes. */
export function sourceFields(
  self: Self,
  peer: Peer,
  terms: Negotiated,
): Pick<Source, 'kind' | 'name' | 'as' | 'routerId' | 'address' | 'addressOrder'> {
  const inside = peer.config.client ? SourceKind.client : SourceKind.internal;
  return {
    kind: isExternal(self, peer.config, terms.peerAs) ? SourceKind.external : inside,
    name: peer.name,
    as: terms.peerAs,
    routerId: terms.peerId,
    address: peer.address,
    addressOrder: addressOrder(peer.address),
  };
}

/**
 * Whether a peer of this AS is an external one. With a `localAs` of the peer's AS, or one that the peer shares with us,
 * it is internal: the two numbers are names of one AS that is being renumbered (RFC 7705 §4).
 */
export function isExternal(self: Self, config: PeerConfig, peerAs: number): boolean {
  return peerAs !== self.as && peerAs !== config.localAs;
}

/** What we say of ourselves in the OPEN to a peer, and what the peer has to say. */
export function offerOf(self: Self, peer: Peer): SessionOffer {
  const { config } = peer;
  const { localAs = self.as } = config;
  const external = isExternal(self, config, config.as);
  const common = { localId: self.id, holdTime: config.holdTime, families: FAMILIES };
  if (external) {
    return { ...common, localAs, peerAs: config.as, role: config.role, roleStrict: config.roleStrict };
  }
  if (localAs === self.as) return { ...common, localAs, peerAs: config.as };
  const shown = peer.showsAlias ? localAs : self.as;
  return { ...common, localAs: shown, peerAs: self.as, peerAlias: localAs };
}

/** What the meaning of the peer's attributes depends on. */
export function attributeContext(self: Self, peer: Peer, terms: Negotiated): AttributeContext {
  const { config } = peer;
  const ebgp = isExternal(self, config, terms.peerAs);
  return {
    ebgp,
    fourOctetAs: terms.fourOctetAs,
    localAs: self.as,
    localId: self.id,
    clusterId: self.clusterId,
    aigp: config.aigp,
    edits: ebgp ? importEdits(config, terms.peerAs) : undefined,
  };
}

/** What is added to the routes of an external peer; undefined: nothing. */
function importEdits(config: PeerConfig, peerAs: number): ImportEdits | undefined {
  const prependAs = prependsLocalAs(config) ? (config.localAs ?? 0) : 0;
  // RFC 9234 §5: what comes from above or from the side is only for customers.
  const fromAbove = config.role === 'customer' || config.role === 'peer' || config.role === 'rs-client';
  const onlyToCustomer = fromAbove ? peerAs : 0;
  return prependAs === 0 && onlyToCustomer === 0 ? undefined : { prependAs, onlyToCustomer };
}

const prependsLocalAs = ({ localAs, localAsMode = 'prepend' }: PeerConfig): boolean =>
  localAs !== undefined && localAsMode === 'prepend';

export function importRules(self: Self, peer: Peer, terms: Negotiated): ImportRules {
  const { config } = peer;
  const { acceptDefault, allowAsIn, maximumAsPathLength } = config;
  if (!isExternal(self, config, terms.peerAs)) {
    return { acceptDefault, firstAs: 0, allowAsIn, maximumAsPathLength };
  }
  // RFC 7947 §2.2.2.1: a route server does not put its AS in front.
  const enforce = config.enforceFirstAs ?? config.role !== 'rs-client';
  return {
    acceptDefault,
    firstAs: enforce ? terms.peerAs : 0,
    allowAsIn,
    localAs: config.localAs,
    localAsInFront: prependsLocalAs(config),
    maximumAsPathLength,
    role: config.role,
    peerAs: terms.peerAs,
    refuseBlackhole: !config.acceptBlackhole,
  };
}

/** How routes are shown to the peer; `localAddress` is ours on the session. */
export function treatmentOf(
  self: Self,
  peer: Peer,
  terms: Negotiated,
  localAddress: number,
): ExportTreatment {
  const { config } = peer;
  const ebgp = isExternal(self, config, terms.peerAs);
  return {
    ebgp,
    client: config.client,
    clusterId: ebgp ? 0 : self.clusterId,
    localAs: self.as,
    fourOctetAs: terms.fourOctetAs,
    nextHop: localAddress,
    nextHopSelf: config.nextHopSelf,
    ownOnly: config.export === 'own',
    gracefulShutdown: self.gracefulShutdown,
    aigp: config.aigp ?? !ebgp,
    ...(ebgp && externalTreatment(self, config, terms.peerAs)),
  };
}

/** What is particular to external peers. */
function externalTreatment(self: Self, config: PeerConfig, peerAs: number): Partial<ExportTreatment> {
  const { localAs = self.as, localAsMode, asOverride = false, removePrivateAs = false, role } = config;
  return {
    localAs,
    globalAs: localAs !== self.as && localAsMode !== 'replace-as' ? self.as : 0,
    peerAs: asOverride || removePrivateAs ? peerAs : 0,
    asOverride,
    removePrivateAs,
    routeServer: role === 'rs-server',
    role,
  };
}
