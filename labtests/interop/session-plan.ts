/** The plan of a row for a session, and the configuration of each side that follows. */

import { type PeerConfig, type PeerOptions, peerConfig, type SpeakerOptions } from 'bgp-js';
import type { Addresses, FamilyName, RouterAnnouncement, RouterPlan } from './peers/router.ts';
import type { FeederPlan, OwnRoute } from './speaker/protocol.ts';

/** A session, for both sides at once. */
export interface SessionPlan {
  type: 'iBGP' | 'eBGP';
  transport?: 'ipv4' | 'ipv6';
  families?: readonly FamilyName[];
  /** Who opens the TCP connection; `us` by default. */
  connects?: 'us' | 'peer' | 'both';
  /** Seconds; 9 by default. */
  holdTime?: number;
  ours?: Partial<PeerOptions>;
  theirs?: Partial<RouterPlan>;
  originate?: OwnRoute[];
  announce?: RouterAnnouncement[];
  feeders?: Feeder[];
  /** Further peers of our speaker. */
  neighbours?: PeerConfig[];
  speaker?: Partial<SpeakerOptions>;
}

/** A third speaker on the link, in our namespace, that is a peer of one side. */
export interface Feeder {
  as: number;
  to: 'us' | 'peer';
  originate: OwnRoute[];
  /** In its own process, which outlives our speaker: the bench's `observer`. */
  apart?: true;
}

/** The addresses of a bench. */
export interface Sides {
  ours: Addresses;
  theirs: Addresses;
  /** Of a feeder of the plan. */
  feederAddress(index: number): string;
}

export const OUR_AS = 65001;
export const THEIR_AS = 65002;

const theirAs = ({ type }: SessionPlan): number => (type === 'iBGP' ? OUR_AS : THEIR_AS);

/** The speakers of the feeders, in the order of the plan. */
export function feederPlans(plan: SessionPlan, sides: Sides): FeederPlan[] {
  return (plan.feeders ?? []).map(({ as, to, originate }, index) => {
    const side = to === 'us' ? sides.ours : sides.theirs;
    const address = sides.feederAddress(index);
    const common = { holdTime: 9, connectRetry: 1, transport: { localAddress: address } };
    const peerAs = to === 'us' ? OUR_AS : theirAs(plan);
    const peer = peerConfig({ name: to, address: side.ipv4, as: peerAs, ...common });
    return { as, address, peer, originate };
  });
}

/** The peers of our speaker: the router, called `name`, then the feeders and other neighbours. */
export function peerConfigs(plan: SessionPlan, sides: Sides, name: string): PeerConfig[] {
  const feeders = (plan.feeders ?? []).flatMap(({ as, to }, index) => {
    if (to === 'peer') return [];
    const address = sides.feederAddress(index);
    return [peerConfig({ name: `feeder${index}`, address, as, holdTime: 9, passive: true })];
  });
  const router = peerConfig({
    name,
    address: sides.theirs[plan.transport ?? 'ipv4'],
    as: theirAs(plan),
    passive: plan.connects === 'peer',
    holdTime: plan.holdTime ?? 9,
    connectRetry: 1,
    maximumPrefixes: 1000,
    maximumPeers: 1,
    families: plan.families ?? ['ipv4-unicast'],
    ...plan.ours,
  });
  return [router, ...feeders, ...(plan.neighbours ?? [])];
}

/** The router's side of it. */
export function routerPlan(plan: SessionPlan, sides: Sides): RouterPlan {
  return {
    as: theirAs(plan),
    routerId: sides.theirs.ipv4,
    local: sides.theirs,
    remote: sides.ours,
    remoteAs: OUR_AS,
    transport: plan.transport ?? 'ipv4',
    families: plan.families ?? ['ipv4-unicast'],
    holdTime: plan.holdTime ?? 9,
    passive: (plan.connects ?? 'us') === 'us',
    announce: plan.announce ?? [],
    feeders: (plan.feeders ?? []).flatMap(({ as, to }, index) =>
      to === 'peer' ? [{ as, address: sides.feederAddress(index) }] : [],
    ),
    ...plan.theirs,
  };
}
