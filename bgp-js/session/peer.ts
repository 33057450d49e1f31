import { attributeName } from '../wire/attribute-types.ts';
import type { Handling, MalformedAttribute } from '../wire/error.ts';
import { Backoff } from './backoff.ts';
import type { Connection } from './connection.ts';
import type { PeerConfig } from './peer-config.ts';

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
  /** Malformed attributes by type and by what RFC 7606 wants done about them; the key is `type handling`. */
  malformed: Map<string, MalformedCount>;
}

/** How many attributes of a type were malformed. */
export interface MalformedCount {
  /** The attribute's name. */
  attribute: string;
  handling: Handling;
  count: number;
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
  /** Empty while the neighbour of an unnumbered peer is not known. */
  address: string;
  /** Made for an address out of a configured range, and gone when its session ends. */
  readonly dynamic: boolean;
  outgoing: Connection | null = null;
  incoming: Connection | null = null;
  /** When to connect next. */
  retryAt = Number.POSITIVE_INFINITY;
  /** Until then the peer is in Idle and refused: it was at fault. */
  idleUntil = Number.NEGATIVE_INFINITY;
  /** We show the peer our second name of an AS that is being renumbered, for it refused the first (RFC 7705 §4). */
  showsAlias = false;
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
    malformed: new Map(),
  };
  readonly backoff = new Backoff();

  constructor(config: PeerConfig, address: string, dynamic: boolean, now: number) {
    this.config = config;
    this.address = address;
    this.dynamic = dynamic;
    this.since = now;
  }

  /** Counts what was malformed in an UPDATE. */
  countMalformed(attributes: readonly MalformedAttribute[]): void {
    const { malformed } = this.counters;
    for (const { type, handling } of attributes) {
      const key = `${type} ${handling}`;
      const known = malformed.get(key);
      if (known) known.count++;
      else malformed.set(key, { attribute: attributeName(type), handling, count: 1 });
    }
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

  /** When to begin a connection; Infinity: not while things are as they are. */
  get connectAt(): number {
    const may = !this.config.passive && this.address !== '' && !this.current;
    return may ? this.retryAt : Number.POSITIVE_INFINITY;
  }

  shouldConnect(now: number): boolean {
    return now >= this.connectAt;
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
