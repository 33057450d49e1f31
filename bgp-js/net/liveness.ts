import type { Peer } from '../session/peer.ts';

/**
 * Finds out that peers are unreachable sooner than their hold timers would: by BFD (RFC 5882), or by the state of a link.
 * A monitor with short intervals belongs in a thread of its own, because a host's slices take milliseconds.
 */
export interface LivenessMonitor {
  /** Watches exactly these peers. The host calls it whenever peers or their configurations change. */
  follow(peers: Iterable<Peer>): void;
  /** Reports an unreachable peer: its session is lost at once. Set by the host; `reason` is readable text. */
  onDown: (peer: Peer, reason: string) => void;
}
