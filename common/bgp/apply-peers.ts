/** Peers and policies of changed settings, handed to a running BGP speaker. */
import { isDeepStrictEqual } from 'node:util';
import type { PeerConfig, PolicySet } from 'bgp-js';
import type { SpeakerHost } from 'bgp-js/net';

/** The peers in force, and what the changed settings ask for. */
export interface PeerChanges {
  before: readonly PeerConfig[];
  after: readonly PeerConfig[];
  policies: PolicySet;
}

/** What is needed of a host. */
type Host = Pick<SpeakerHost, 'now'> & {
  speaker: Pick<SpeakerHost['speaker'], 'setPolicies' | 'addPeer' | 'updatePeer' | 'removePeer'>;
};

/** Adds, updates and removes peers, and replaces the policies. Peers that did not change keep their sessions. */
export function applyPeers(host: Host, { before, after, policies }: PeerChanges): void {
  const { speaker } = host;
  const old = new Map(before.map((peer) => [keyOf(peer), peer]));
  // Policies that are to be removed stay until no peer names them; otherwise those peers would lose their routes.
  speaker.setPolicies(policies, true);
  for (const peer of after) {
    const former = old.get(keyOf(peer));
    old.delete(keyOf(peer));
    if (former === undefined) speaker.addPeer(peer, host.now());
    else if (!isDeepStrictEqual(former, peer)) speaker.updatePeer(peer, host.now());
  }
  for (const gone of old.keys()) speaker.removePeer(gone, host.now());
  speaker.setPolicies(policies);
}

function keyOf({ address, range }: PeerConfig): string {
  return String(address ?? range ?? '');
}
