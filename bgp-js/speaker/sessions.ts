/**
 * The life of sessions: connections are opened, negotiated, established, attached to the RIB and ended. Messages and
 * timers come in; what the shell has to do and what is worth telling is queued.
 */

import type { RibSession } from '../rib/rib-session.ts';
import type { Routing } from '../rib/routing.ts';
import { Connection } from '../session/connection.ts';
import { type ConnectionEvent, FSM_SUBCODE, transition } from '../session/fsm.ts';
import { keepOutgoing, type Negotiated } from '../session/negotiate.ts';
import type { Peer, PeerCounters } from '../session/peer.ts';
import type { PeerTable } from '../session/peer-table.ts';
import { type BgpError, bgpError } from '../wire/error.ts';
import type { Family } from '../wire/families.ts';
import { encodeNotification, errorText } from '../wire/notification.ts';
import {
  attributeContext,
  importRules,
  offerOf,
  ribSessionTerms,
  type Self,
  selfOf,
  sourceFields,
} from './derive-session.ts';
import { type RestartGate, RestartHelper, type SessionEnd } from './graceful-restart.ts';
import type { SpeakerAction, SpeakerConfig, SpeakerEvent } from './speaker-types.ts';

/** The longest a TCP connection attempt may take, and the longest wait after a peer's fault, in ms. */
const CONNECT_TIMEOUT_MS = 10_000;
const IDLE_CAP_MS = 60_000;
/** A session that lasted this long has proven itself: after it the first wait is a short one again. */
const PROVEN_MS = 30_000;

const CANNOT_CONNECT = 'cannot connect';

/** A connection with what it belongs to. */
export interface PeerConnection {
  connection: Connection;
  peer: Peer;
  /** The peer's. */
  counters: PeerCounters;
  /** Its place in the RIB while the session is established. */
  ribSession: RibSession | null;
  /** Our address on the connection. */
  local: string;
  /** A warning of too many prefixes was told. */
  warned: boolean;
  /** That routes are dropped was told. */
  dropReported: boolean;
  /** It is among those whose input is to be processed. */
  queued: boolean;
}

export class Sessions {
  readonly connections = new Map<number, PeerConnection>();
  actions: SpeakerAction[] = [];
  events: SpeakerEvent[] = [];
  private readonly config: SpeakerConfig;
  private readonly peers: PeerTable;
  readonly routing: Routing;
  private readonly random: () => number;
  readonly self: Self;
  readonly helper: RestartHelper;
  readonly gate: RestartGate;
  /** A timer may be due earlier than when the nearest deadline was last looked for. */
  timersChanged = true;
  private nextId = 1;

  constructor(
    config: SpeakerConfig,
    peers: PeerTable,
    routing: Routing,
    random: () => number,
    gate: RestartGate,
  ) {
    this.gate = gate;
    this.helper = new RestartHelper(routing);
    this.config = config;
    this.peers = peers;
    this.routing = routing;
    this.random = random;
    this.self = selfOf(config, routing.policies);
  }

  // --- connections -------------------------------------------------------------------------------------------------

  /** Begins a connection to the peer. */
  connect(peer: Peer, now: number): void {
    const link = this.add(peer, false, this.config.address);
    peer.outgoing = link.connection;
    link.connection.connectDeadline = now + CONNECT_TIMEOUT_MS;
    const { id } = link.connection;
    this.actions.push({
      type: 'connect',
      connection: id,
      address: peer.address,
      port: peer.config.port,
      peer: peer.config,
    });
    this.report(peer, 'connecting', now);
  }

  /** Takes in a connection that the peer began. */
  accept(peer: Peer, local: string, now: number): PeerConnection {
    const link = this.add(peer, true, local);
    // While a session that the peer began is established, its next connection takes the other place (RFC 4724 §4.2).
    if (peer.incoming?.state === 'Established') peer.outgoing = link.connection;
    else peer.incoming = link.connection;
    link.connection.open(now);
    this.report(peer, 'the peer connected', now);
    return link;
  }

  private add(peer: Peer, incoming: boolean, local: string): PeerConnection {
    const offer = offerOf(this.self, peer, this.gate.restarting);
    const connection = new Connection(this.nextId++, incoming, offer, this.random);
    const { counters } = peer;
    const reported = { warned: false, dropReported: false };
    const link: PeerConnection = {
      connection,
      peer,
      counters,
      ribSession: null,
      local,
      ...reported,
      queued: false,
    };
    this.connections.set(connection.id, link);
    return link;
  }

  /** The connection that we began is there, at our address `local`. */
  connected(link: PeerConnection, local: string, now: number): void {
    if (link.peer.incoming?.negotiated) {
      // The peer was faster: its connection is agreed on, and an OPEN on this one would call that in question.
      this.fail(link, bgpError(6, 7, 'the peer connected first'), now, true);
      return;
    }
    link.local = local;
    link.connection.open(now);
    this.report(link.peer, 'connected', now);
  }

  /** The nearest deadline of all connections and of restarts, looked for. */
  nearestDeadline(): number {
    let nearest = Math.min(this.helper.deadline, this.gate.deadline);
    for (const { connection } of this.connections.values()) nearest = Math.min(nearest, connection.deadline);
    return nearest;
  }

  /** Runs the timers of a connection that are due. */
  runTimers(link: PeerConnection, now: number): void {
    const { connection, peer } = link;
    if (now >= connection.connectDeadline) {
      this.connectFailed(link, 'no answer', now);
      this.actions.push({ type: 'close', connection: connection.id, lastBytes: null });
      return;
    }
    if (now >= connection.sendDeadline) {
      const error = bgpError(8, 0, `${peer.name} takes nothing of what we send`);
      this.event(link, 'sendHoldTimerExpired', now, error);
      return;
    }
    if (now >= connection.keepaliveDeadline) this.event(link, 'keepaliveTimerExpired', now);
    if (now < connection.holdDeadline) return;
    if (connection.input.ready) {
      // Whole messages wait to be processed: it is we who are late, not the peer.
      connection.restartHoldTimer(now);
      return;
    }
    const waited = connection.negotiated ? `${connection.negotiated.holdTime} s` : 'four minutes';
    this.event(link, 'holdTimerExpired', now, bgpError(4, 0, `nothing came from ${peer.name} for ${waited}`));
  }

  /** Runs the timers of graceful restart. */
  runRestartTimers(now: number): void {
    for (const peer of this.helper.runTimers(now)) this.forgetDynamic(peer);
    this.gate.update(this.peers, now);
    this.routing.endOfRibGate.closed = this.gate.restarting;
  }

  /** An attempt to connect came to nothing. */
  connectFailed(link: PeerConnection, reason: string, now: number): void {
    const { peer } = link;
    this.forget(link, 'hard', now);
    const retry = peer.config.connectRetry * 1000;
    peer.retryAt = now + peer.backoff.next(retry, retry, this.random);
    if (!peer.current) peer.lastError = { at: now, text: `${CANNOT_CONNECT}: ${reason}` };
    this.report(peer, reason, now);
  }

  // --- events ------------------------------------------------------------------------------------------------------

  /** Runs an event through the state machine; returns the action, of which the simple ones are carried out here. */
  event(link: PeerConnection, event: ConnectionEvent, now: number, error?: BgpError): string {
    const { connection } = link;
    if (connection.state === 'Connecting' || connection.state === 'Closed') return 'ignore';
    const action = transition(connection.state, event);
    if (action === 'fsmError') {
      const subcode = FSM_SUBCODE[connection.state];
      this.fail(link, bgpError(5, subcode, `an unexpected ${event} in ${connection.state}`), now);
    } else if (action === 'notifyAndClose') {
      this.fail(link, error ?? bgpError(6, 0, event), now);
    } else if (action === 'establish') {
      this.establish(link, now);
    } else if (action === 'restartHoldTimer') {
      connection.restartHoldTimer(now);
    } else if (action === 'sendKeepalive') {
      connection.sendKeepalive(now);
    }
    return action;
  }

  // --- established, and the end ------------------------------------------------------------------------------------------

  /**
   * RFC 4271 §6.8: of two connections with one peer, one has to go. Both sides have to come to the same end, whatever
   * overtakes what: so a connection that we began is given up in silence when it comes late (see `connected`), and the
   * peer may do the same with one that it began until its OPEN is there. False: this one went.
   */
  survivesCollision(link: PeerConnection, terms: Negotiated, now: number): boolean {
    const { peer, connection } = link;
    const other = peer.other(connection);
    const rival = other && this.connections.get(other.id);
    if (!rival || rival.connection.state === 'Connecting') return true;
    const { localId, localAs } = connection.offer;
    const outgoingStays = keepOutgoing(localId, terms.peerId, localAs, terms.peerAs);
    const established = rival.connection.state === 'Established';
    if (established && rival.connection.negotiated?.restart) {
      // RFC 4724 §4.2: the peer is back before we saw it go; its old session is lost, its routes stay.
      this.drop(rival, 'the peer has restarted', now, 'lost');
      return true;
    }
    const stays = !established && outgoingStays !== connection.incoming;
    if (!stays && rival.connection.incoming && rival.connection.state === 'OpenSent') return true;
    const loser = stays ? rival : link;
    this.fail(loser, bgpError(6, 7, 'the peer and we connected at the same moment'), now, true);
    return stays;
  }

  private establish(link: PeerConnection, now: number): void {
    const { connection, peer, local } = link;
    const terms = connection.negotiated;
    if (!terms) return;
    connection.state = 'Established';
    connection.restartHoldTimer(now);
    const other = peer.other(connection);
    const rival = other && this.connections.get(other.id);
    if (rival) this.fail(rival, bgpError(6, 7, 'the other connection was established'), now, true);
    const { self } = this;
    link.ribSession = this.routing.openSession(
      sourceFields(self, peer, terms),
      attributeContext(self, peer, terms),
      importRules(self, peer.config, terms),
      ribSessionTerms(self, peer.config, terms, local),
      this.helper.onSessionOpened(peer, terms, now),
    );
    connection.input.maxLength = terms.maxLength;
    // That it could not be reached before is no longer of interest.
    if (peer.lastError?.text.startsWith(CANNOT_CONNECT)) peer.lastError = null;
    peer.counters.established++;
    this.report(peer, 'session established', now);
    this.events.push({ type: 'established', peer: peer.name, address: peer.address, as: terms.peerAs });
  }

  /** The peer has told all its routes of a family. */
  endOfRib(peer: Peer, family: Family): void {
    this.helper.onEndOfRib(peer, family);
    this.gate.endOfRib(peer);
    this.events.push({ type: 'end-of-rib', peer: peer.name, family: family.name });
  }

  /** Sends a NOTIFICATION and closes. `quiet`: an end that is nobody's fault and begins no waiting time. */
  fail(link: PeerConnection, error: BgpError, now: number, quiet = false): void {
    const { connection, peer } = link;
    if (connection.state === 'Closed') return;
    if (connection.state !== 'Connecting') {
      connection.send(encodeNotification(error));
      peer.counters.sent++;
    }
    const lastBytes = connection.hasControl ? Buffer.concat(connection.takeControl()) : null;
    this.actions.push({ type: 'close', connection: connection.id, lastBytes: lastBytes });
    const text = `${errorText(error)}, sent`;
    // After the peer's fault it is kept out for a while; after a silence it may come back at once.
    const fault = !quiet && error.code !== 4;
    // What we have to reproach the peer with, and what it is told for good, ends its routes too.
    const hard = quiet || error.code !== 4;
    this.end(link, text, now, {
      fault,
      quiet: quiet && !link.ribSession,
      end: hard ? 'hard' : 'notification',
    });
  }

  /** The connection is gone, or the peer ended the session: nothing can be sent any more. */
  drop(link: PeerConnection, text: string, now: number, end: SessionEnd = 'lost'): void {
    if (link.connection.state === 'Closed') return;
    this.actions.push({ type: 'close', connection: link.connection.id, lastBytes: null });
    this.end(link, text, now, { fault: false, quiet: false, end });
  }

  private end(
    link: PeerConnection,
    text: string,
    now: number,
    { fault, quiet, end }: { fault: boolean; quiet: boolean; end: SessionEnd },
  ): void {
    const { peer, ribSession } = link;
    const established = ribSession !== null;
    if (established && now - peer.since >= PROVEN_MS) peer.backoff.reset();
    this.forget(link, end, now);
    if (!quiet && !peer.established) peer.lastError = { at: now, text };
    if (!peer.current && peer.retryAt !== Number.POSITIVE_INFINITY) {
      const retry = peer.config.connectRetry * 1000;
      const wait = peer.backoff.next(retry, fault ? Math.max(retry, IDLE_CAP_MS) : retry, this.random);
      peer.retryAt = now + wait;
      if (fault) peer.idleUntil = now + wait;
    }
    if (established) this.events.push({ type: 'down', peer: peer.name, reason: text });
    this.report(peer, text, now);
    this.forgetDynamic(peer);
  }

  /** A peer out of a range is there for as long as it has a connection, or routes that are kept. */
  private forgetDynamic(peer: Peer): void {
    if (peer.dynamic && !peer.current && !this.helper.retains(peer)) this.peers.removePeer(peer);
  }

  private forget(link: PeerConnection, end: SessionEnd, now: number): void {
    const { connection, peer, ribSession } = link;
    const terms = connection.negotiated;
    if (ribSession && terms) this.helper.onSessionClosed(peer, ribSession, terms, end, now);
    link.ribSession = null;
    connection.close();
    this.connections.delete(connection.id);
    peer.drop(connection);
  }

  /** Something has become of the peer's connections or timers: tells a change of its state. */
  report(peer: Peer, reason: string, now: number): void {
    this.timersChanged = true;
    const state = peer.state(now);
    if (state === peer.reported) return;
    this.events.push({ type: 'state', peer: peer.name, from: peer.reported, to: state, reason });
    peer.reported = state;
    peer.since = now;
  }
}
