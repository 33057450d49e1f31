import { Backoff } from './backoff.ts';
import type { Connection } from './connection.ts';

/** What is configured of a peer, or of a range of addresses from which peers may connect. */
export interface PeerConfig {
  /** For people. A peer is known by its address or range. */
  name: string;
  /** The peer's address in dotted form; exactly one of `address` and `range` is set. */
  address?: string;
  /** `a.b.c.d/len`: peers connect to us from there. */
  range?: string;
  as: number;
  /** Where the peer listens. */
  port: number;
  /** Wait for the peer to connect; always so for a range. */
  passive: boolean;
  /** Seconds that we propose; 0 or at least 3. */
  holdTime: number;
  /** Seconds: the longest wait between attempts to connect. */
  connectRetry: number;
  /** More prefixes than this end the session (Cease 6/1). */
  maximumPrefixes: number;
  /** For a range: how many peers may be there at once. */
  maximumPeers: number;
  acceptDefault: boolean;
  /** `own`: tell the peer only what this speaker originates. */
  export: 'own' | 'all';
  /** Give our own address as next hop also for routes learned from iBGP. */
  nextHopSelf: boolean;
  /** The peer is a client of this route reflector. */
  client: boolean;
}

/** A session's state as RFC 4271 §8.2.2 names it. */
export type SessionState = 'Idle' | 'Connect' | 'Active' | 'OpenSent' | 'OpenConfirm' | 'Established';

/** Message and error counts of a peer since it was configured. */
export interface PeerCounters {
  received: number;
  sent: number;
  updatesReceived: number;
  updatesSent: number;
  established: number;
  /** Defects that did not end the session, by what was done about them (RFC 7606). */
  treatedAsWithdraw: number;
  attributesDiscarded: number;
}

const ORDER: readonly Connection['state'][] = [
  'Closed',
  'Connecting',
  'OpenSent',
  'OpenConfirm',
  'Established',
];
const rank = (connection: Connection | null): number => (connection ? ORDER.indexOf(connection.state) : 0);

/**
 * One neighbour: its configuration, its connections (one, and for a moment two when both sides connect at once) and
 * when to try again. Times are ms of the caller's monotonic clock.
 */
export class Peer {
  config: PeerConfig;
  readonly address: string;
  /** Made for an address out of a configured range, and gone when its session ends. */
  readonly dynamic: boolean;
  outgoing: Connection | null = null;
  incoming: Connection | null = null;
  /** When to connect next. */
  retryAt = Number.POSITIVE_INFINITY;
  /** Until then the peer is in Idle and refused: it was at fault. */
  idleUntil = Number.NEGATIVE_INFINITY;
  lastError: { at: number; text: string } | null = null;
  /** The state last reported, and when it was entered. */
  reported: SessionState = 'Idle';
  since: number;
  readonly counters: PeerCounters = {
    received: 0,
    sent: 0,
    updatesReceived: 0,
    updatesSent: 0,
    established: 0,
    treatedAsWithdraw: 0,
    attributesDiscarded: 0,
  };
  readonly backoff = new Backoff();

  constructor(config: PeerConfig, address: string, dynamic: boolean, now: number) {
    this.config = config;
    this.address = address;
    this.dynamic = dynamic;
    this.since = now;
  }

  get name(): string {
    return this.dynamic ? this.address : this.config.name;
  }

  /** The connection that got furthest, or null. */
  get current(): Connection | null {
    const further = rank(this.incoming) > rank(this.outgoing) ? this.incoming : this.outgoing;
    return rank(further) === 0 ? null : further;
  }

  get established(): Connection | null {
    const { current } = this;
    return current?.state === 'Established' ? current : null;
  }

  /** The state to show at time `now`. */
  state(now: number): SessionState {
    const { current } = this;
    if (current && current.state !== 'Connecting' && current.state !== 'Closed') return current.state;
    if (current) return 'Connect';
    return now < this.idleUntil ? 'Idle' : 'Active';
  }

  /** Whether it is time to begin a connection. */
  shouldConnect(now: number): boolean {
    return !this.config.passive && !this.current && now >= this.retryAt;
  }

  /** The other connection of a pair. */
  other(connection: Connection): Connection | null {
    return connection === this.incoming ? this.outgoing : this.incoming;
  }

  drop(connection: Connection): void {
    if (this.incoming === connection) this.incoming = null;
    if (this.outgoing === connection) this.outgoing = null;
  }
}
