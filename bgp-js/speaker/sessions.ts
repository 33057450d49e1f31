/**
 * Sessions and their TCP connections.
 *
 * A session is an established BGP connection; a peer has at most one. A `PeerConnection` is one TCP connection. A peer
 * may have two TCP connections while both sides connect at the same time. With graceful restart, a lost session may
 * continue on the peer's next connection. So the RIB works with sessions (`RibSession`), the shell (`SpeakerHost`)
 * addresses connections by number, and this class maps between the two.
 *
 * A connection's life, in call order:
 *
 *     tick → connect                            we open it: action `connect`, state Connecting
 *     accepted → accept                         the peer opened it: state OpenSent
 *     connected → handle(tcpConnected)          TCP is established: our OPEN is sent, state OpenSent
 *     message → handle(open) → negotiate        the OPENs agree, survivesCollision: KEEPALIVE, state OpenConfirm
 *     message → handle(keepalive) → establish   Routing.openSession joins the update groups: state Established
 *     message → handle(update) → processUpdate  routes enter the RIB
 *     handle(…) → notify, close                 a NOTIFICATION or none: action `close`, then remove
 *     remove → Routing.closeSession             the routes are removed, or RestartHelper retains them
 *
 * `handle` receives every event of a connection: a message (`message`), a timer that is due (`runTimers`), a socket's
 * report, an operator's command. The state machine (session/fsm.ts) returns an action, and `handle` executes it. No
 * other code decides how to react to an event.
 *
 * Collisions (RFC 4271 §6.8). Both sides must close the same connection, although each may see the messages in a
 * different order. Comparing BGP identifiers is not enough: a side may close its own late connection before it has
 * received the peer's identifier. Therefore `survivesCollision` closes an incoming connection only after its OPEN has
 * arrived. `sendOpen` closes an outgoing connection without sending an OPEN if the incoming one is already negotiated.
 *
 * Restarts (RFC 4724 §4.2). A peer that restarts may connect before we notice that its old session is lost. With graceful
 * restart agreed, its new connection replaces the established one, and the routes are retained. The helper's and the
 * restarting speaker's parts are in graceful-restart.ts.
 *
 * Retries. A connection that ends sets `Peer.retryAt` by the peer's backoff. After an error of the peer, the speaker
 * also refuses its connections until `Peer.idleUntil`: otherwise two speakers that disagree would reconnect in a loop.
 * A dynamic peer (one accepted from a range) is removed with its last connection, and its backoff with it.
 *
 * Timers. `nearestDeadline` returns the earliest deadline, and the shell calls `tick` at that time. The search is
 * linear in the number of connections, so `Speaker.deadline` repeats it only when a timer may be due earlier than
 * before (`timersChanged`). Messages from a peer only postpone its timers.
 */

import type { IPAddress } from '../ip/index.ts';
import type { RibSessionFamily } from '../rib/rib-session.ts';
import type { Routing } from '../rib/routing.ts';
import { type ConnectionEvent, type MessageEvent, type ReceivedMessage, transition } from '../session/fsm.ts';
import { keepOutgoing, type Negotiated, negotiate } from '../session/negotiate.ts';
import { type Peer, PeerConnection } from '../session/peer.ts';
import type { PeerTable } from '../session/peer-table.ts';
import { readU16 } from '../wire/cursor.ts';
import {
  type BgpError,
  bgpError,
  CeaseCode,
  hasCode,
  hexExcerpt,
  OpenError,
  TimerError,
} from '../wire/error.ts';
import { type Family, familyOf } from '../wire/families.ts';
import { HEADER_LENGTH, MessageType } from '../wire/frame.ts';
import { caught, isError } from '../wire/message.ts';
import {
  decodeNotification,
  encodeNotification,
  errorText,
  receivedText,
  sentText,
} from '../wire/notification.ts';
import { decodeOpen } from '../wire/open.ts';
import { decodeRouteRefresh } from '../wire/refresh.ts';
import { offerOf, ribSessionOptions, type Self, selfOf } from './derive-session.ts';
import { type RestartGate, RestartHelper, type SessionEnd } from './graceful-restart.ts';
import { answerRefresh } from './reconfigure.ts';
import type { SpeakerAction, SpeakerConfig, SpeakerEvent } from './speaker-types.ts';
import { limitExceeded, limitWarnings, UpdateProcessor } from './update-processor.ts';

/** Maximum duration of a TCP connection attempt, and maximum backoff after an error of the peer, in ms. */
const CONNECT_TIMEOUT_MS = 10_000;
const IDLE_CAP_MS = 60_000;
/** A session that lasted at least this long resets the peer's backoff; ms. */
const STABLE_SESSION_MS = 30_000;

const CANNOT_CONNECT = 'cannot connect';

/** The events of messages, by message type. */
const MESSAGE_EVENTS: Record<number, MessageEvent['type']> = {
  [MessageType.open]: 'open',
  [MessageType.update]: 'update',
  [MessageType.notification]: 'notification',
  [MessageType.keepalive]: 'keepalive',
  [MessageType.routeRefresh]: 'routeRefresh',
};

/** Options of `Sessions`. */
export interface SessionsOptions {
  config: SpeakerConfig;
  peers: PeerTable;
  routing: Routing;
  /** Numbers in [0, 1) for jitter. */
  random: () => number;
  gate: RestartGate;
}

/** Why a connection ended, and the consequences for its peer. */
interface ConnectionEnd {
  /** The reason, as shown to the operator. */
  reason: string;
  /** Whether the peer's routes may be retained. */
  end: SessionEnd;
  /** Whether to refuse the peer's connections until its backoff is over. */
  refusesPeer?: boolean;
  /** Whether to leave the peer's last error as it is. */
  keepsLastError?: boolean;
}

/** All connections of a speaker. Queues actions for the shell and events for logs. */
export class Sessions {
  readonly connections = new Map<number, PeerConnection>();
  actions: SpeakerAction[] = [];
  events: SpeakerEvent[] = [];
  readonly routing: Routing;
  readonly self: Self;
  readonly helper: RestartHelper;
  readonly gate: RestartGate;
  /** Whether a timer may be due before the deadline that was last computed. */
  timersChanged = true;
  private readonly peers: PeerTable;
  private readonly random: () => number;
  private readonly updates: UpdateProcessor;
  private nextId = 1;

  constructor({ config, peers, routing, random, gate }: SessionsOptions) {
    this.peers = peers;
    this.routing = routing;
    this.random = random;
    this.gate = gate;
    this.helper = new RestartHelper(routing);
    this.updates = new UpdateProcessor(routing);
    this.self = selfOf(config, routing.policies);
  }

  // --- new connections ---------------------------------------------------------------------------------------------

  /** Opens a connection to the peer. */
  connect(peer: Peer, now: number): void {
    const { address, config } = peer;
    if (!address) return;
    const connection = this.add(peer, false, null);
    peer.outgoing = connection;
    connection.connectDeadline = now + CONNECT_TIMEOUT_MS;
    this.actions.push({
      type: 'connect',
      connection: connection.id,
      address,
      port: config.port,
      peer: config,
    });
    this.report(peer, 'connecting', now);
  }

  /** Accepts a connection that the peer opened. */
  accept(peer: Peer, localAddress: IPAddress, now: number): PeerConnection {
    const connection = this.add(peer, true, localAddress);
    // If the peer's incoming connection is established, its next one takes the `outgoing` slot (RFC 4724 §4.2).
    if (peer.incoming?.state === 'Established') peer.outgoing = connection;
    else peer.incoming = connection;
    connection.sendOpen(now);
    this.report(peer, 'the peer connected', now);
    return connection;
  }

  private add(peer: Peer, incoming: boolean, localAddress: IPAddress | null): PeerConnection {
    const id = this.nextId++;
    const offer = offerOf(this.self, peer, this.gate.restarting);
    const connection = new PeerConnection({ id, peer, incoming, offer, localAddress, random: this.random });
    this.connections.set(id, connection);
    return connection;
  }

  // --- events ------------------------------------------------------------------------------------------------------

  /** Handles the whole message at offset `at`. */
  message(connection: PeerConnection, bytes: Uint8Array, at: number, now: number): void {
    connection.peer.counters.received++;
    const message = { bytes, body: at + HEADER_LENGTH, end: at + readU16(bytes, at + 16) };
    this.handle(connection, { type: MESSAGE_EVENTS[bytes[at + 18]], message }, now);
  }

  /** Runs an event through the state machine and carries out the action. */
  handle(connection: PeerConnection, event: ConnectionEvent, now: number): void {
    if (connection.state === 'Closed') return;
    const action = transition(connection.state, event);
    switch (action.type) {
      case 'sendOpen':
        return this.sendOpen(connection, action.localAddress, now);
      case 'negotiate':
        return this.negotiate(connection, action.message, now);
      case 'establish':
        return this.establish(connection, now);
      case 'restartHoldTimer':
        return connection.restartHoldTimer(now);
      case 'sendKeepalive':
        return connection.sendKeepalive(now);
      case 'processUpdate':
        return this.processUpdate(connection, action.message, now);
      case 'processRouteRefresh':
        return this.processRouteRefresh(connection, action.message, now);
      case 'processNotification':
        return this.processNotification(connection, action.message, now);
      case 'notify':
        return this.notify(connection, action.error, action.blameless, now);
      case 'close':
        return this.close(connection, { reason: action.reason, end: 'lost' }, now);
      case 'cancelConnect':
        return this.close(connection, { reason: action.reason, end: 'lost', keepsLastError: true }, now);
      case 'connectFailed':
        return this.connectFailed(connection, action.reason, now);
      case 'ignore':
        return;
    }
  }

  /** Ends the session because of a malformed message: reports the error with a hex dump and sends a NOTIFICATION. */
  rejectMalformed(connection: PeerConnection, error: BgpError, bytes: Uint8Array, now: number): void {
    this.reportDefect(connection, error, bytes, now);
    this.handle(connection, { type: 'malformed', error }, now);
  }

  // --- before a session is established -----------------------------------------------------------------------------

  private sendOpen(connection: PeerConnection, localAddress: IPAddress, now: number): void {
    if (connection.peer.incoming?.negotiated) {
      // The peer was faster: its connection is negotiated, and an OPEN on this one would collide with it.
      const error = bgpError(CeaseCode.connectionCollision, 'the peer connected first');
      return this.handle(connection, { type: 'stop', error }, now);
    }
    connection.localAddress = localAddress;
    connection.sendOpen(now);
    this.report(connection.peer, 'connected', now);
  }

  private negotiate(connection: PeerConnection, message: ReceivedMessage, now: number): void {
    const { bytes, body, end } = message;
    const open = caught(() => decodeOpen(bytes, body, end));
    const terms = isError(open) ? open : negotiate(open, connection.offer);
    if (isError(terms)) return this.rejectMalformed(connection, terms, octetsOf(message), now);
    if (!this.survivesCollision(connection, terms, now)) return;
    connection.confirmOpen(terms, now);
    this.report(connection.peer, 'OPEN accepted', now);
  }

  /** Closes one of two connections with the same peer (RFC 4271 §6.8). Returns false if it closed `connection`. */
  private survivesCollision(connection: PeerConnection, terms: Negotiated, now: number): boolean {
    const rival = connection.peer.otherConnection(connection);
    if (!rival || rival.state === 'Connecting') return true;
    const established = rival.state === 'Established';
    if (established && rival.negotiated?.restart) {
      // RFC 4724 §4.2: the peer restarted before we noticed; its old session is lost, its routes are retained.
      this.handle(rival, { type: 'lost', reason: 'the peer has restarted' }, now);
      return true;
    }
    const { localId, localAs } = connection.offer;
    const outgoingStays = keepOutgoing(localId, terms.peerId, localAs, terms.peerAs);
    const stays = !established && outgoingStays !== connection.incoming;
    // Until its OPEN arrives, the peer may still close a connection that it opened.
    if (!stays && rival.incoming && rival.state === 'OpenSent') return true;
    const error = bgpError(CeaseCode.connectionCollision, 'both sides connected at the same time');
    this.handle(stays ? rival : connection, { type: 'stop', error }, now);
    return stays;
  }

  private establish(connection: PeerConnection, now: number): void {
    const { peer, localAddress, negotiated } = connection;
    if (!negotiated) return;
    const rival = peer.otherConnection(connection);
    const error = bgpError(CeaseCode.connectionCollision, 'the other connection was established');
    if (rival) this.handle(rival, { type: 'stop', error }, now);
    const options = ribSessionOptions({ self: this.self, peer, negotiated, localAddress });
    const retained = this.helper.onSessionOpened(peer, negotiated, now);
    connection.establish(this.routing.openSession(options, retained), negotiated.maxLength, now);
    // Clears an earlier failure to connect.
    if (peer.lastError?.text.startsWith(CANNOT_CONNECT)) peer.lastError = null;
    peer.counters.established++;
    this.report(peer, 'session established', now);
    const address = peer.address?.toString() ?? '';
    this.events.push({ type: 'established', peer: peer.name, address, as: negotiated.peerAs });
  }

  // --- messages of an established session --------------------------------------------------------------------------

  private processUpdate(connection: PeerConnection, message: ReceivedMessage, now: number): void {
    const { peer, ribSession } = connection;
    if (!ribSession) return;
    connection.restartHoldTimer(now);
    peer.counters.updatesReceived++;
    const { reset, defect, endOfRib } = this.updates.process(ribSession, message);
    if (reset) return this.rejectMalformed(connection, reset, octetsOf(message), now);
    if (defect) this.reportDefect(connection, defect, octetsOf(message), now);
    if (endOfRib) this.endOfRib(peer, ribSession.ribFamilies.get(endOfRib), endOfRib);
    this.checkLimits(connection, now);
  }

  private endOfRib(peer: Peer, ribFamily: RibSessionFamily | undefined, family: Family): void {
    if (ribFamily) ribFamily.hasEndOfRib = true;
    this.helper.onEndOfRib(peer, family);
    this.gate.onEndOfRib(peer);
    this.events.push({ type: 'end-of-rib', peer: peer.name, family: family.name });
  }

  private processRouteRefresh(connection: PeerConnection, message: ReceivedMessage, now: number): void {
    const refresh = caught(() => decodeRouteRefresh(message.bytes, message.body, message.end));
    if (isError(refresh)) return this.rejectMalformed(connection, refresh, octetsOf(message), now);
    const family = familyOf(refresh.afi, refresh.safi);
    if (family) answerRefresh(this.routing, connection, family, refresh.subtype);
  }

  private processNotification(connection: PeerConnection, message: ReceivedMessage, now: number): void {
    const notification = caught(() => decodeNotification(message.bytes, message.body, message.end));
    // RFC 4271 §6.4: an error in a NOTIFICATION is not answered.
    if (isError(notification)) {
      const reason = `${errorText(notification)}, received`;
      return this.close(connection, { reason, end: 'notification' }, now);
    }
    const { peer, offer } = connection;
    // RFC 7705 §4: a peer that refuses one number of our AS may accept the other.
    if (hasCode(notification, OpenError.badPeerAs) && offer.peerAlias !== undefined)
      peer.usesAlias = !peer.usesAlias;
    const reason = receivedText(notification);
    const isHard = hasCode(notification, CeaseCode.hardReset);
    this.close(connection, { reason, end: isHard ? 'hard' : 'notification' }, now);
  }

  /** Warns about a session near a limit and ends one above it. Call after UPDATEs and after a limit has changed. */
  checkLimits(connection: PeerConnection, now: number): void {
    const { peer } = connection;
    for (const text of limitWarnings(connection)) this.events.push({ type: 'limit', peer: peer.name, text });
    const error = limitExceeded(connection, this.routing.attributes);
    if (!error) return;
    this.handle(connection, { type: 'limitExceeded', error }, now);
    const { maximumPrefixesRestart: seconds } = peer.config;
    const overPrefixes = hasCode(error, CeaseCode.maximumPrefixes);
    if (overPrefixes && seconds !== undefined && !peer.current) {
      peer.retryAt = peer.idleUntil = now + seconds * 1000;
    }
  }

  private reportDefect({ peer }: PeerConnection, error: BgpError, bytes: Uint8Array, now: number): void {
    const { handling } = error;
    const text = errorText(error);
    peer.countMalformed(error.attributes ?? []);
    peer.lastError = { at: now, text: `${text}, ${handling}` };
    if (handling === 'treat-as-withdraw') peer.counters.treatedAsWithdraw++;
    if (handling === 'discard') peer.counters.attributesDiscarded++;
    this.events.push({ type: 'defect', peer: peer.name, text, handling, hex: hexExcerpt(bytes, 64) });
  }

  // --- timers ------------------------------------------------------------------------------------------------------

  /** The nearest deadline of all connections and restarts, ms. */
  nearestDeadline(): number {
    let nearest = Math.min(this.helper.deadline, this.gate.deadline);
    for (const connection of this.connections.values()) nearest = Math.min(nearest, connection.deadline);
    return nearest;
  }

  /** Runs the timers of a connection that are due. */
  runTimers(connection: PeerConnection, now: number): void {
    const { name } = connection.peer;
    if (now >= connection.connectDeadline) {
      this.actions.push({ type: 'close', connection: connection.id, lastBytes: null });
      this.handle(connection, { type: 'connectTimerExpired', reason: 'no answer' }, now);
    }
    if (now >= connection.sendDeadline) {
      const error = bgpError(TimerError.sendHoldTimerExpired, `${name} does not read what we send`);
      this.handle(connection, { type: 'sendHoldTimerExpired', error }, now);
    }
    if (now >= connection.keepaliveDeadline) this.handle(connection, { type: 'keepaliveTimerExpired' }, now);
    if (now < connection.holdDeadline) return;
    if (connection.input.ready) {
      // Whole messages wait to be processed: we are late, not the peer.
      connection.restartHoldTimer(now);
      return;
    }
    const waited = connection.negotiated ? `${connection.negotiated.holdTime} s` : 'four minutes';
    const error = bgpError(TimerError.holdTimerExpired, `nothing received from ${name} for ${waited}`);
    this.handle(connection, { type: 'holdTimerExpired', error }, now);
  }

  /** Runs the timers of graceful restart. */
  runRestartTimers(now: number): void {
    for (const peer of this.helper.runTimers(now)) this.removeIfUnused(peer);
    this.gate.update(this.peers, now);
    this.routing.endOfRibGate.closed = this.gate.restarting;
  }

  // --- endings -----------------------------------------------------------------------------------------------------

  /** Sends a NOTIFICATION and closes. */
  private notify(connection: PeerConnection, error: BgpError, blameless: boolean, now: number): void {
    connection.send(encodeNotification(error));
    const lastBytes = Buffer.concat(connection.takeControl());
    this.actions.push({ type: 'close', connection: connection.id, lastBytes });
    const isSilence = hasCode(error, TimerError.holdTimerExpired);
    // After a hold timer expiry the peer may reconnect at once, and its routes may be retained. After any other error
    // it must wait, and its routes are removed. They are also removed when this speaker stops the session.
    this.remove(
      connection,
      {
        reason: sentText(error),
        end: blameless || !isSilence ? 'hard' : 'notification',
        refusesPeer: !blameless && !isSilence,
        keepsLastError: blameless && !connection.ribSession,
      },
      now,
    );
  }

  /** Closes without a NOTIFICATION. */
  private close(connection: PeerConnection, end: ConnectionEnd, now: number): void {
    this.actions.push({ type: 'close', connection: connection.id, lastBytes: null });
    this.remove(connection, end, now);
  }

  /** An attempt to connect failed. */
  private connectFailed(connection: PeerConnection, reason: string, now: number): void {
    const { peer } = connection;
    this.release(connection, 'hard', now);
    const retry = peer.config.connectRetry * 1000;
    peer.retryAt = now + peer.backoff.next(retry, retry, this.random);
    if (!peer.current) peer.lastError = { at: now, text: `${CANNOT_CONNECT}: ${reason}` };
    this.events.push({ type: 'unreachable', peer: peer.name, reason });
    this.report(peer, reason, now);
  }

  /** Removes a closed connection and schedules the next attempt to connect to the peer. */
  private remove(
    connection: PeerConnection,
    { reason, end, refusesPeer, keepsLastError }: ConnectionEnd,
    now: number,
  ): void {
    const { peer } = connection;
    const established = connection.ribSession !== null;
    if (established && now - peer.since >= STABLE_SESSION_MS) peer.backoff.reset();
    this.release(connection, end, now);
    if (!keepsLastError && !peer.established) peer.lastError = { at: now, text: reason };
    if (!peer.current && peer.retryAt !== Number.POSITIVE_INFINITY) {
      const retry = peer.config.connectRetry * 1000;
      const cap = refusesPeer ? Math.max(retry, IDLE_CAP_MS) : retry;
      peer.retryAt = now + peer.backoff.next(retry, cap, this.random);
      if (refusesPeer) peer.idleUntil = peer.retryAt;
    }
    if (established) this.events.push({ type: 'down', peer: peer.name, reason });
    this.report(peer, reason, now);
    this.removeIfUnused(peer);
  }

  private release(connection: PeerConnection, end: SessionEnd, now: number): void {
    this.helper.onConnectionClosed(connection, end, now);
    connection.close();
    this.connections.delete(connection.id);
    connection.peer.removeConnection(connection);
  }

  /** Removes a dynamic peer that has neither a connection nor retained routes. */
  private removeIfUnused(peer: Peer): void {
    if (peer.isDynamic && !peer.current && !this.helper.retains(peer)) this.peers.removePeer(peer);
  }

  /** Queues an event when the peer's state has changed. Call after any change of its connections or timers. */
  report(peer: Peer, reason: string, now: number): void {
    this.timersChanged = true;
    const state = peer.state(now);
    if (state === peer.reported) return;
    this.events.push({ type: 'state', peer: peer.name, from: peer.reported, to: state, reason });
    peer.reported = state;
    peer.since = now;
  }
}

/** The octets of a message with its header. */
const octetsOf = ({ bytes, body, end }: ReceivedMessage): Uint8Array =>
  bytes.subarray(body - HEADER_LENGTH, end);
