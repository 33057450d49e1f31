/**
 * Derives a session from configurations and the negotiated terms: what our OPEN offers, how the peer's routes are
 * imported, and how routes are exported to the peer. Pure functions, which a dry run of a change calls as well.
 */

import type { IPAddress } from '../ip/index.ts';
import type { ImportRules } from '../rib/import.ts';
import type { ExportProfile } from '../rib/out/export-profile.ts';
import type { PolicyRegistry } from '../rib/policy/policy-registry.ts';
import type { RibSessionOptions, RibSessionTerms } from '../rib/rib-session.ts';
import { SourceKind } from '../rib/source.ts';
import type { Negotiated, SessionOffer } from '../session/negotiate.ts';
import type { Peer } from '../session/peer.ts';
import type { PeerConfig } from '../session/peer-config.ts';
import type { CapabilityOptions } from '../wire/capability.ts';
import { type Family, familyNamed, IPV4_UNICAST } from '../wire/families.ts';
import type { AttributeContext, ImportEdits } from '../wire/scan-result.ts';
import type { SpeakerConfig } from './speaker-types.ts';

/** What this speaker is to all its peers. */
export interface Self {
  as: number;
  /** BGP identifier as an unsigned number. */
  id: number;
  /** Null: it does not reflect. */
  clusterId: number | null;
  /** Graceful shutdown (RFC 8326): peers should avoid our routes. */
  gracefulShutdown: boolean;
  /** Its own IPv4 and IPv6 address; null: none. */
  address: IPAddress | null;
  address6: IPAddress | null;
  policies: PolicyRegistry;
}

/** A session after the OPENs are exchanged. */
export interface NegotiatedSession {
  self: Self;
  peer: Pick<Peer, 'name' | 'address' | 'config'>;
  negotiated: Negotiated;
  /** Our address on the connection. */
  localAddress: IPAddress | null;
}

/** The speaker's part of every session, from its configuration. */
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

/** What the RIB has to know of a session. */
export function ribSessionOptions(session: NegotiatedSession): RibSessionOptions {
  const { self, peer, negotiated } = session;
  const inside = peer.config.client ? SourceKind.client : SourceKind.internal;
  return {
    source: {
      kind: isExternal(self, peer.config, negotiated.peerAs) ? SourceKind.external : inside,
      name: peer.name,
      as: negotiated.peerAs,
      routerId: negotiated.peerId,
      address: peer.address,
    },
    context: attributeContext(session),
    rules: importRules(session),
    families: exportTerms(session),
  };
}

/**
 * Whether a peer of the AS `peerAs` is external. With a `localAs` that equals the peer's AS it is internal: our two
 * numbers name one AS that is being renumbered (RFC 7705 §4).
 */
export function isExternal(self: { as: number }, config: PeerConfig, peerAs: number): boolean {
  return peerAs !== self.as && peerAs !== config.localAs;
}

/** What our OPEN to a peer offers, and what the peer's must have. `restarting`: we came back after a restart. */
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
  const ourAs = peer.usesAlias ? localAs : self.as;
  return { ...common, localAs: ourAs, peerAs: self.as, peerAlias: localAs };
}

/** The optional capabilities of our OPEN. `restarting`: we came back, and forwarded packets all the while. */
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

/** How the peer's attributes are validated and edited. */
function attributeContext({ self, peer, negotiated }: NegotiatedSession): AttributeContext {
  const { config } = peer;
  const ebgp = isExternal(self, config, negotiated.peerAs);
  return {
    ebgp,
    fourOctetAs: negotiated.fourOctetAs,
    localAs: self.as,
    localId: self.id,
    clusterId: self.clusterId,
    aigp: config.aigp,
    edits: ebgp ? importEdits(config, negotiated.peerAs) : undefined,
  };
}

/** What is added to the attributes of an external peer's routes; undefined: nothing. */
function importEdits(config: PeerConfig, peerAs: number): ImportEdits | undefined {
  const prependAs = prependsLocalAs(config) ? (config.localAs ?? 0) : 0;
  // RFC 9234 §5: routes of providers, peers and route servers are only for customers.
  const fromAbove = config.role === 'customer' || config.role === 'peer' || config.role === 'rs-client';
  const onlyToCustomer = fromAbove ? peerAs : 0;
  return prependAs === 0 && onlyToCustomer === 0 ? undefined : { prependAs, onlyToCustomer };
}

const prependsLocalAs = ({ localAs, localAsMode = 'prepend' }: PeerConfig): boolean =>
  localAs !== undefined && localAsMode === 'prepend';

/** The rules by which the peer's routes become usable. */
export function importRules({ self, peer, negotiated }: NegotiatedSession): ImportRules {
  const { config } = peer;
  const { peerAs } = negotiated;
  const { acceptDefault, allowAsIn, maximumAsPathLength } = config;
  const dropAbove = config.maximumPrefixesAction === 'drop' ? config.maximumPrefixes : undefined;
  if (!isExternal(self, config, peerAs)) {
    const policy = self.policies.idFor(config, 'import', false);
    return { acceptDefault, firstAs: 0, allowAsIn, maximumAsPathLength, dropAbove, policy };
  }
  // RFC 7947 §2.2.2.1: a route server does not prepend its AS.
  const enforce = config.enforceFirstAs ?? config.role !== 'rs-client';
  return {
    acceptDefault,
    firstAs: enforce ? peerAs : 0,
    allowAsIn,
    localAs: config.localAs,
    localAsInFront: prependsLocalAs(config),
    maximumAsPathLength,
    dropAbove,
    role: config.role,
    peerAs,
    refuseBlackhole: !config.acceptBlackhole,
    policy: self.policies.idFor(config, 'import', true),
  };
}

/**
 * How routes of each negotiated family are exported to the peer. Our next hop is our address on the connection if it is
 * of the route's family, and the speaker's own otherwise. With RFC 8950 an IPv6 next hop serves IPv4 routes too.
 */
export function exportTerms(session: NegotiatedSession): RibSessionTerms[] {
  const { self, peer, negotiated: terms, localAddress: local } = session;
  const { config } = peer;
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
  // A zone has no meaning outside this host.
  return local.isLinkLocal ? [...own, local.inZone('')] : [local];
}

/** The families of a peer's configuration. Throws RangeError for an unknown name. */
function familiesOf(config: PeerConfig): Family[] {
  const names = config.families ?? [IPV4_UNICAST.name];
  return names.map((name) => {
    const family = familyNamed(name);
    if (!family) throw new RangeError(`unknown address family ${name}`);
    return family;
  });
}

/** What is special about exports to external peers. */
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
