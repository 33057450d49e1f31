/** A peer and its TCP connections. */

import type { IPAddress } from '../ip/index.ts';
import type { RibSession } from '../rib/rib-session.ts';
import { attributeName } from '../wire/attribute-types.ts';
import type { Handling, MalformedAttribute } from '../wire/error.ts';
import { Framer } from '../wire/frame.ts';
import { KEEPALIVE } from '../wire/message.ts';
import type { ConnectionState } from './fsm.ts';
import { buildOpen, type Negotiated, type SessionOffer } from './negotiate.ts';
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

/** The waits between attempts to connect to a peer (RFC 4271 §8.1.1 DampPeerOscillations, §10 jitter). */
export class Backoff {
  private failures = 0;

  /** Starts again with the shortest wait; call after a session that lasted. */
  reset(): void {
    this.failures = 0;
  }

  /** The next wait in ms: a fifth of `retryMs`, doubled with every failure up to `capMs`, times a jitter of 0.75–1. */
  next(retryMs: number, capMs: number, random: () => number): number {
    const wait = Math.min(capMs, (retryMs / 5) * 2 ** this.failures);
    if (this.failures < 16) this.failures++;
    return wait * (0.75 + 0.25 * random());
  }
}

/** Hold time in ms until the OPENs are exchanged: RFC 4271 §8.2.2 suggests four minutes. */
const OPEN_HOLD_MS = 240_000;
/** RFC 9687 §3: eight minutes, or twice the hold time where that is longer; ms. */
const SEND_HOLD_MS = 480_000;
/** Shared by all connections without control messages: a change is sent to a thousand of them. */
const NO_MESSAGES: Uint8Array[] = [];

/** What a connection starts with. */
export interface PeerConnectionOptions {
  /** The number by which the shell knows the connection. */
  id: number;
  peer: Peer;
  /** The peer opened the connection. */
  incoming: boolean;
  /** What our OPEN offers. */
  offer: SessionOffer;
  /** Our address on the connection; null until TCP is connected. */
  localAddress: IPAddress | null;
  /** Numbers in [0, 1) for the jitter of timers. */
  random: () => number;
}

/**
 * One TCP connection with a peer: received octets that are not processed yet, messages to send, the deadlines of its
 * timers, and while the session is established its part of the RIB. Deadlines are ms of the caller's monotonic clock;
 * Infinity means that the timer does not run.
 */
export class PeerConnection {
  readonly id: number;
  readonly peer: Peer;
  readonly incoming: boolean;
  readonly offer: SessionOffer;
  localAddress: IPAddress | null;
  /** `Closed`: the connection has ended, and receives and sends nothing more. */
  state: ConnectionState | 'Closed' = 'Connecting';
  readonly input = new Framer();
  /** What both OPENs agree on, once the peer's OPEN was accepted. */
  negotiated: Negotiated | null = null;
  /** The session in the RIB while the connection is established. */
  ribSession: RibSession | null = null;
  /** When a connection attempt times out. */
  connectDeadline = Number.POSITIVE_INFINITY;
  holdDeadline = Number.POSITIVE_INFINITY;
  keepaliveDeadline = Number.POSITIVE_INFINITY;
  /** When the send hold timer closes a session whose peer does not read (RFC 9687). */
  sendDeadline = Number.POSITIVE_INFINITY;
  /** The warning that the maximum of prefixes is near was given: it is given once a session. */
  warnedNearMaximum = false;
  /** The warning that routes above the maximum are dropped was given. */
  warnedOfDrops = false;
  /** The connection is queued to have its input processed: see `InputScheduler`. */
  queued = false;
  /** Whole messages that are sent before any UPDATE. */
  private control = NO_MESSAGES;
  /** The peer's counters, at hand for the output of a change to a thousand peers. */
  private readonly counters: PeerCounters;
  private readonly random: () => number;

  constructor({ id, peer, incoming, offer, localAddress, random }: PeerConnectionOptions) {
    this.id = id;
    this.peer = peer;
    this.counters = peer.counters;
    this.incoming = incoming;
    this.offer = offer;
    this.localAddress = localAddress;
    this.random = random;
  }

  /** Sends our OPEN; call when TCP is connected. */
  sendOpen(now: number): void {
    this.state = 'OpenSent';
    this.connectDeadline = Number.POSITIVE_INFINITY;
    this.holdDeadline = now + OPEN_HOLD_MS;
    this.send(buildOpen(this.offer));
  }

  /** Accepts the peer's OPEN: sends KEEPALIVE and waits for the peer's. */
  confirmOpen(negotiated: Negotiated, now: number): void {
    this.negotiated = negotiated;
    this.state = 'OpenConfirm';
    this.sendKeepalive(now);
    this.restartHoldTimer(now);
  }

  /** Enters Established. */
  establish(ribSession: RibSession, maxLength: number, now: number): void {
    this.state = 'Established';
    this.ribSession = ribSession;
    this.input.maxLength = maxLength;
    this.restartHoldTimer(now);
  }

  /** Puts the hold timer off: call for every message from the peer. */
  restartHoldTimer(now: number): void {
    const seconds = this.negotiated?.holdTime ?? 0;
    this.holdDeadline = seconds === 0 ? Number.POSITIVE_INFINITY : now + seconds * 1000;
  }

  /** Sends a KEEPALIVE and sets its timer: a third of the hold time, with the jitter of RFC 4271 §10. */
  sendKeepalive(now: number): void {
    const seconds = this.negotiated?.holdTime ?? 0;
    this.send(KEEPALIVE);
    const interval = (seconds * 1000) / 3;
    const jitter = 0.75 + 0.25 * this.random();
    this.keepaliveDeadline = seconds === 0 ? Number.POSITIVE_INFINITY : now + interval * jitter;
  }

  /** The transport no longer accepts what we send (`blocked`), or accepts it again: runs the send hold timer. */
  setBlocked(blocked: boolean, now: number): void {
    const hold = this.negotiated?.holdTime ?? 0;
    if (!blocked || hold === 0) this.sendDeadline = Number.POSITIVE_INFINITY;
    else if (this.sendDeadline === Number.POSITIVE_INFINITY) {
      this.sendDeadline = now + Math.max(SEND_HOLD_MS, 2000 * hold);
    }
  }

  /** Queues a whole message. */
  send(message: Uint8Array): void {
    if (this.control === NO_MESSAGES) this.control = [message];
    else this.control.push(message);
  }

  /** Queues a message unless an equal one is queued already: a peer may request more than it reads. */
  sendOnce(message: Uint8Array): void {
    if (!this.control.some((queued) => Buffer.compare(queued, message) === 0)) this.send(message);
  }

  /** Whether there is anything to send. */
  hasOutput(): boolean {
    if (this.control.length > 0) return true;
    if (this.ribSession === null) return false;
    for (const { group, member } of this.ribSession.ribFamilyList) if (group.hasWork(member)) return true;
    return false;
  }

  /**
   * Takes whole messages to send, UPDATEs of about `limit` octets at most. They count as sent. Do not write to them:
   * other connections get the same arrays.
   */
  takeOutput(limit: number): readonly Uint8Array[] {
    const { counters } = this;
    let messages: readonly Uint8Array[] = this.takeControl();
    if (this.ribSession === null) return messages;
    for (const { group, member } of this.ribSession.ribFamilyList) {
      const before = member.updatesSent;
      const updates = group.pull(member, limit);
      counters.updatesSent += member.updatesSent - before;
      counters.sent += member.updatesSent - before;
      if (messages.length === 0) messages = updates;
      else if (updates.length > 0) messages = [...messages, ...updates];
    }
    return messages;
  }

  /** Takes the messages that are sent before any UPDATE; they count as sent. */
  takeControl(): readonly Uint8Array[] {
    const messages = this.control;
    if (messages.length === 0) return messages;
    this.control = NO_MESSAGES;
    this.counters.sent += messages.length;
    return messages;
  }

  /** Ends the connection; what was still to be sent is discarded. */
  close(): void {
    this.state = 'Closed';
    this.ribSession = null;
    this.control = NO_MESSAGES;
  }

  /** The nearest deadline of all timers. */
  get deadline(): number {
    return Math.min(this.connectDeadline, this.keepaliveDeadline, this.holdDeadline, this.sendDeadline);
  }
}

const PROGRESS: readonly PeerConnection['state'][] = [
  'Closed',
  'Connecting',
  'OpenSent',
  'OpenConfirm',
  'Established',
];
const progressOf = (connection: PeerConnection | null): number =>
  connection ? PROGRESS.indexOf(connection.state) : 0;

/** What a peer starts with. */
interface NewPeer {
  config: PeerConfig;
  address: IPAddress | null;
  isDynamic: boolean;
  now: number;
}

/**
 * One neighbour: its configuration, its connections (one, or two while both sides connect at once) and when to connect
 * next. Times are ms of the caller's monotonic clock.
 */
export class Peer {
  config: PeerConfig;
  /** Null while the neighbour of an unnumbered peer is unknown. */
  address: IPAddress | null;
  /** The peer was created for an address in a configured range, and is removed when its session ends. */
  readonly isDynamic: boolean;
  outgoing: PeerConnection | null = null;
  incoming: PeerConnection | null = null;
  /** When to connect next; Infinity: not by time alone. */
  retryAt = Number.POSITIVE_INFINITY;
  /** Until then the peer is in Idle and its connections are refused, because of an error that it made. */
  idleUntil = Number.NEGATIVE_INFINITY;
  /** We offer the other number of an AS that is being renumbered, because the peer refused the first (RFC 7705 §4). */
  usesAlias = false;
  /** The last error, as readable text. */
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

  constructor({ config, address, isDynamic, now }: NewPeer) {
    this.config = config;
    this.address = address;
    this.isDynamic = isDynamic;
    this.since = now;
  }

  /** Counts the malformed attributes of an UPDATE. */
  countMalformed(attributes: readonly MalformedAttribute[]): void {
    const { malformed } = this.counters;
    for (const { type, handling } of attributes) {
      const key = `${type} ${handling}`;
      const known = malformed.get(key);
      if (known) known.count++;
      else malformed.set(key, { attribute: attributeName(type), handling, count: 1 });
    }
  }

  /** The configured name; for a peer out of a range its address. */
  get name(): string {
    return this.isDynamic && this.address ? this.address.toString() : this.config.name;
  }

  /** The connection that got furthest, or null. */
  get current(): PeerConnection | null {
    const further = progressOf(this.incoming) > progressOf(this.outgoing) ? this.incoming : this.outgoing;
    return progressOf(further) === 0 ? null : further;
  }

  /** The connection that is established, or null. */
  get established(): PeerConnection | null {
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

  /** When to open a connection; Infinity: not before something else changes. */
  get connectAt(): number {
    const mayConnect = !this.config.passive && this.address !== null && !this.current;
    return mayConnect ? this.retryAt : Number.POSITIVE_INFINITY;
  }

  /** Whether it is time to open a connection. */
  shouldConnect(now: number): boolean {
    return now >= this.connectAt;
  }

  /** The other connection of a pair. */
  otherConnection(connection: PeerConnection): PeerConnection | null {
    return connection === this.incoming ? this.outgoing : this.incoming;
  }

  /** Removes a connection that has ended. */
  removeConnection(connection: PeerConnection): void {
    if (this.incoming === connection) this.incoming = null;
    if (this.outgoing === connection) this.outgoing = null;
  }
}
