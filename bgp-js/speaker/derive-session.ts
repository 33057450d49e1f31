/** What a session's terms mean to the RIB: how the peer's routes are taken in, and how routes are shown to the peer. */

import type { IPAddress } from '../ip/index.ts';
import type { ImportRules } from '../rib/import.ts';
import type { ExportProfile } from '../rib/out/export-profile.ts';
import type { PolicyRegistry } from '../rib/policy/policy-registry.ts';
import type { RibSessionTerms } from '../rib/rib-session.ts';
import { type Source, SourceKind } from '../rib/source.ts';
import type { Negotiated, SessionOffer } from '../session/negotiate.ts';
import type { Peer } from '../session/peer.ts';
import type { PeerConfig } from '../session/peer-config.ts';
import type { AttributeContext, ImportEdits } from '../wire/attribute-scan.ts';
import type { CapabilityOptions } from '../wire/capability.ts';
import { type Family, familyNamed, IPV4_UNICAST } from '../wire/families.ts';
import type { SpeakerConfig } from './speaker-types.ts';

/** Who this speaker is, as numbers. */
export interface Self {
  as: number;
  id: number;
  /** Null: it does not reflect. */
  clusterId: number | null;
  /** It is about to go: its routes are to be avoided (RFC 8326). */
  gracefulShutdown: boolean;
  /** Its own IPv4 and IPv6 address; null: none. */
  address: IPAddress | null;
  address6: IPAddress | null;
  policies: PolicyRegistry;
}

export function selfOf(config: SpeakerConfig, policies: PolicyRegistry): Self {
  return {
    as: config.as,
    id: config.routerId.value,
    clusterId: config.clusterId?.value ?? null,
    gracefulShutdown: false,
    policies,
    address: config.address,
    address6: config.address6,
  };
}

/** The peer as a source of routes. */
export function sourceFields(
  self: Self,
  peer: Peer,
  terms: Negotiated,
): Pick<Source, 'kind' | 'name' | 'as' | 'routerId' | 'address'> {
  const inside = peer.config.client ? SourceKind.client : SourceKind.internal;
  return {
    kind: isExternal(self, peer.config, terms.peerAs) ? SourceKind.external : inside,
    name: peer.name,
    as: terms.peerAs,
    routerId: terms.peerId,
    address: peer.address,
  };
}

/**
 * Whether a peer of this AS is an external one. With a `localAs` of the peer's AS, or one that the peer shares with us,
 * it is internal: the two numbers are names of one AS that is being renumbered (RFC 7705 §4).
 */
export function isExternal(self: { as: number }, config: PeerConfig, peerAs: number): boolean {
  return peerAs !== self.as && peerAs !== config.localAs;
}

/** What we say of ourselves in the OPEN to a peer, and what the peer has to say; `restarting`: we came back. */
export function offerOf(self: Self, peer: Peer, restarting: boolean): SessionOffer {
  const { config } = peer;
  const { localAs = self.as } = config;
  const external = isExternal(self, config, config.as);
  const families = familiesOf(config);
  const options = optionsFor(config, families, restarting);
  const common = { localId: self.id, holdTime: config.holdTime, families, options };
  if (external) {
    return { ...common, localAs, peerAs: config.as, role: config.role, roleStrict: config.roleStrict };
  }
  if (localAs === self.as) return { ...common, localAs, peerAs: config.as };
  const exported = peer.usesAlias ? localAs : self.as;
  return { ...common, localAs: exported, peerAs: self.as, peerAlias: localAs };
}

/** What is offered to a peer beyond families. `restarting`: we came back and still forward packets as before. */
function optionsFor(config: PeerConfig, families: readonly Family[], restarting: boolean): CapabilityOptions {
  const { addPath, restartTime = 0, longLivedStaleTime = 0 } = config;
  const offersPaths = addPath && (addPath.receive || addPath.send > 0);
  return {
    extendedMessage: config.extendedMessages !== false,
    extendedNextHop: config.extendedNextHop === true,
    addPath: offersPaths
      ? families.map((family) => ({ family, receive: addPath.receive, send: addPath.send > 0 }))
      : [],
    restart: {
      restarting: restarting && restartTime > 0,
      notification: config.notificationKeepsRoutes === true,
      seconds: restartTime,
      families: restartTime > 0 ? families.map((family) => ({ family, forwarding: restarting })) : [],
    },
    longLived:
      longLivedStaleTime > 0
        ? families.map((family) => ({ family, forwarding: restarting, seconds: longLivedStaleTime }))
        : [],
  };
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

export function importRules(self: Self, config: PeerConfig, terms: Negotiated): ImportRules {
  const { acceptDefault, allowAsIn, maximumAsPathLength } = config;
  const dropAbove = config.maximumPrefixesAction === 'drop' ? config.maximumPrefixes : undefined;
  if (!isExternal(self, config, terms.peerAs)) {
    const policy = self.policies.idFor(config, 'import', false);
    return { acceptDefault, firstAs: 0, allowAsIn, maximumAsPathLength, dropAbove, policy };
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
    dropAbove,
    role: config.role,
    peerAs: terms.peerAs,
    refuseBlackhole: !config.acceptBlackhole,
    policy: self.policies.idFor(config, 'import', true),
  };
}

/**
 * What the session is for each address family; `local` is our address on it. Our next hop of a family is that address
 * where it is of the same family, else the speaker's own; over IPv6 it serves IPv4 routes too where RFC 8950 was agreed.
 */
export function ribSessionTerms(
  self: Self,
  config: PeerConfig,
  terms: Negotiated,
  local: IPAddress | null,
): RibSessionTerms[] {
  const ebgp = isExternal(self, config, terms.peerAs);
  return terms.families.map((family) => {
    const extended = family.usesUpdateFields && terms.extendedNextHop;
    const profile: ExportProfile = {
      ebgp,
      client: config.client,
      meshed: config.client && config.clientToClient === false,
      clusterId: ebgp ? null : self.clusterId,
      localAs: self.as,
      fourOctetAs: terms.fourOctetAs,
      nextHop: local?.version === 4 ? local : self.address,
      nextHop6: extended || !family.usesUpdateFields ? nextHop6(self, local) : [],
      extendedNextHop: extended,
      nextHopSelf: config.nextHopSelf,
      ownOnly: config.export === 'own',
      addPath: terms.addPathSend.includes(family) ? (config.addPath?.send ?? 0) : 0,
      maxLength: terms.maxLength,
      longLivedAware: terms.longLivedAware,
      gracefulShutdown: self.gracefulShutdown,
      policy: self.policies.idFor(config, 'export', ebgp),
      aigp: config.aigp ?? !ebgp,
      ...(ebgp && externalTreatment(self, config, terms.peerAs)),
    };
    return { family, profile, receivesPathIds: terms.addPathReceive.includes(family) };
  });
}

/** Our IPv6 next hops: the global one, then the link-local one where the session runs over it (RFC 2545 §3). */
function nextHop6(self: Self, local: IPAddress | null): readonly IPAddress[] {
  const own = self.address6 ? [self.address6] : [];
  if (local?.version !== 6) return own;
  // The zone is ours, and of no meaning to the peers.
  return local.isLinkLocal ? [...own, local.inZone('')] : [local];
}

/** The families of a peer's configuration. Throws RangeError for a name that is none. */
export function familiesOf(config: PeerConfig): Family[] {
  const names = config.families ?? [IPV4_UNICAST.name];
  return names.map((name) => {
    const family = familyNamed(name);
    if (!family) throw new RangeError(`${name} is no address family that is known here`);
    return family;
  });
}

/** What is particular to external peers. */
function externalTreatment(self: Self, config: PeerConfig, peerAs: number): Partial<ExportProfile> {
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
