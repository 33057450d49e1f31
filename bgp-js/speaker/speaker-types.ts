import type { PeerCounters, SessionState } from '../session/peer.ts';
import type { PeerConfig } from '../session/peer-config.ts';
import type { LargeCommunity } from '../wire/communities.ts';

/** What a speaker is configured with; peers are added one by one. */
export interface SpeakerConfig {
  as: number;
  /** BGP identifier in dotted form. */
  routerId: string;
  /** Our own address in dotted form: the next hop of our routes where a session does not tell a better one. */
  address: string;
  /** Our own IPv6 address: the next hop of our IPv6 routes on sessions over IPv4, and beside a link-local address. */
  address6?: string;
  /** Cluster id in dotted form; set it to make the speaker a route reflector (RFC 4456). */
  clusterId?: string;
  /** How many equal paths count as one multipath set; 1: no multipath. */
  maximumPaths: number;
  /**
   * This speaker comes back after a restart, and packets went on all the while: peers that support graceful restart
   * are told so (RFC 4724 §4.1).
   */
  restarted?: boolean;
}

/** What the shell around the core has to do. */
export type SpeakerAction =
  /** Open a TCP connection; answer with `connected` or `disconnected`. */
  | { type: 'connect'; connection: number; address: string; port: number; peer: PeerConfig }
  /** Send `farewell` after whatever was taken with `transmit`, then close. */
  | { type: 'close'; connection: number; lastBytes: Uint8Array | null };

/** Something worth telling: for logs, events and hooks. Times are the caller's. */
export type SpeakerEvent =
  | { type: 'state'; peer: string; from: SessionState; to: SessionState; reason: string }
  | { type: 'established'; peer: string; address: string; as: number }
  | { type: 'down'; peer: string; reason: string }
  /** The peer has sent its whole table (RFC 4724 §2). */
  | { type: 'end-of-rib'; peer: string; family: string }
  /** An attempt to connect failed; the speaker keeps retrying. */
  | { type: 'unreachable'; peer: string; reason: string }
  | { type: 'refused'; address: string; reason: string; count: number }
  /** An option of the peer's TCP connection could not be set; the peer's name, or `listener`. */
  | { type: 'transport'; peer: string; text: string }
  /** A limit is near. */
  | { type: 'limit'; peer: string; text: string }
  /** A defect that did not end the session. */
  | { type: 'defect'; peer: string; text: string; handling: string; hex: string };

/** A peer as it is now, for people. */
export interface PeerStatus {
  name: string;
  address: string;
  range?: string;
  as: number;
  internal: boolean;
  state: SessionState;
  /** When the state was entered, in ms of the caller's clock. */
  since: number;
  routerId: string | null;
  lastError: { at: number; text: string } | null;
  /** Seconds, once negotiated. */
  holdTime: number | null;
  capabilities: string[];
  /** `dropped`: not taken in, because there were more than the maximum. */
  prefixes: {
    received: number;
    accepted: number;
    best: number;
    sent: number;
    dropped: number;
    maximum: number;
  };
  /** Octets of path attributes that the peer makes us hold. */
  attributeOctets: number;
  /** By direction: the policy that it has, and whether it needs one and has none (RFC 8212). */
  policies: Record<'import' | 'export', { name: string | null; missing: boolean }>;
  counters: PeerCounters;
}

/** Attributes of a route that this speaker originates. */
export interface OriginateOptions {
  med?: number;
  localPref?: number;
  /** Standard communities as unsigned numbers. */
  communities?: number[];
  largeCommunities?: LargeCommunity[];
}
