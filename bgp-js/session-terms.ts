/** What a session's terms mean to the RIB: how the peer's routes are taken in, and how routes are shown to the peer. */
import type { ImportRules } from './rib/import.ts';
import { type Source, SourceKind } from './rib/source.ts';
import type { ExportTreatment } from './rib/treatment.ts';
import type { Negotiated } from './session/negotiate.ts';
import type { Peer } from './session/peer.ts';
import type { SpeakerConfig } from './speaker-types.ts';
import { addressOrder } from './wire/address.ts';
import type { AttributeContext } from './wire/attribute-scan.ts';
import { parseIPv4 } from './wire/prefix.ts';

/** Who this speaker is, as numbers. */
export interface Self {
  as: number;
  id: number;
  /** 0: it does not reflect. */
  clusterId: number;
}

export function selfOf(config: SpeakerConfig): Self {
  const clusterId = config.clusterId === undefined ? 0 : parseIPv4(config.clusterId);
  return { as: config.as, id: parseIPv4(config.routerId), clusterId };
}

/** The peer as a source of routes. */
export function sourceFields(
  self: Self,
  peer: Peer,
  terms: Negotiated,
): Pick<Source, 'kind' | 'name' | 'as' | 'routerId' | 'address' | 'addressOrder'> {
  const inside = peer.config.client ? SourceKind.client : SourceKind.internal;
  return {
    kind: terms.peerAs === self.as ? inside : SourceKind.external,
    name: peer.name,
    as: terms.peerAs,
    routerId: terms.peerId,
    address: peer.address,
    addressOrder: addressOrder(peer.address),
  };
}

/** What the meaning of the peer's attributes depends on. */
export function attributeContext(self: Self, terms: Negotiated): AttributeContext {
  return {
    ebgp: terms.peerAs !== self.as,
    fourOctetAs: terms.fourOctetAs,
    localAs: self.as,
    localId: self.id,
    clusterId: self.clusterId,
  };
}

export function importRules(self: Self, peer: Peer, terms: Negotiated): ImportRules {
  const external = terms.peerAs !== self.as;
  return { acceptDefault: peer.config.acceptDefault, firstAs: external ? terms.peerAs : 0 };
}

/** How routes are shown to the peer; `localAddress` is ours on the session. */
export function treatmentOf(
  self: Self,
  peer: Peer,
  terms: Negotiated,
  localAddress: number,
): ExportTreatment {
  const ebgp = terms.peerAs !== self.as;
  return {
    ebgp,
    client: peer.config.client,
    clusterId: ebgp ? 0 : self.clusterId,
    localAs: self.as,
    fourOctetAs: terms.fourOctetAs,
    nextHop: localAddress,
    nextHopSelf: peer.config.nextHopSelf,
    ownOnly: peer.config.export === 'own',
  };
}
