/**
 * A BGP speaker without sockets and without a clock: the API of the core. The shell around it owns both; net/host.ts is
 * the one for TCP. Its methods are of four kinds:
 *
 * - Input, which only queues or changes little: `accepted`, `connected`, `received`, `disconnected`, `blocked`, `tick`.
 * - Work: `work`, called while `hasWork`, processes input and background work in pieces of about a millisecond.
 * - Output, which the shell pulls: `actions`, `events`, `transmit`. `deadline` is the time of the next `tick`.
 * - Changes by the operator: peers, policies, routes of our own, shutdown. The shell pulls output after these too.
 *
 * Times are ms of any monotonic clock. No method throws for what a peer does; a caller's mistake is a RangeError.
 */

import type { IPAddress } from '../ip/index.ts';
import type { PolicySet } from '../rib/policy/policy-data.ts';
import type { RibSession } from '../rib/rib-session.ts';
import { Routing } from '../rib/routing.ts';
import { drawHashKey } from '../rib/store/hash-table.ts';
import type { SourceId } from '../rib/store/ids.ts';
import type { Peer, PeerConnection } from '../session/peer.ts';
import { needsReset, type PeerConfig } from '../session/peer-config.ts';
import { PeerTable, peerKey } from '../session/peer-table.ts';
import { type BgpError, bgpError, CeaseCode } from '../wire/error.ts';
import { type Family, parseRoute } from '../wire/families.ts';
import { shutdownData } from '../wire/notification.ts';
import { RestartGate } from './graceful-restart.ts';
import { InputScheduler } from './input-scheduler.ts';
import { applyExport, changePolicies, reconfigure, requestRefresh } from './reconfigure.ts';
import { Sessions } from './sessions.ts';
import {
  type OriginateOptions,
  type SpeakerAction,
  type SpeakerConfig,
  type SpeakerEvent,
  type SpeakerOptions,
  speakerConfig,
} from './speaker-types.ts';

/** Addresses whose refused connections are counted one by one. */
const REFUSED_LIMIT = 1024;

/** A BGP speaker: sessions with its peers, and the RIB that they share. */
export class Speaker {
  readonly config: SpeakerConfig;
  readonly routing: Routing;
  readonly peers = new PeerTable();
  private readonly sessions: Sessions;
  private readonly input: InputScheduler;
  private readonly refused = new Map<string, number>();
  /** How many connections were refused. */
  refusedConnections = 0;
  /** The deadline found last. */
  private nearest = 0;

  /**
   * `random` returns numbers in [0, 1), for jitter and the keys of hash tables: Math.random, or a seeded generator. Throws
   * RangeError for a bad address.
   */
  constructor(options: SpeakerOptions, random: () => number) {
    const config = speakerConfig(options);
    this.config = config;
    this.routing = new Routing('local', config.maximumPaths, drawHashKey(random));
    this.routing.policies.localAs = config.as;
    this.routing.own = {
      as: config.as,
      address: config.address,
      address6: config.address6,
      ranges: new Map(),
    };
    const gate = new RestartGate(config.restarted);
    this.routing.endOfRibGate.closed = gate.restarting;
    this.sessions = new Sessions({ config, peers: this.peers, routing: this.routing, random, gate });
    this.input = new InputScheduler(this.sessions);
  }

  /** Adds a peer or a range. Throws RangeError when it clashes with another or is malformed. */
  addPeer(config: PeerConfig, now: number): void {
    const peer = this.peers.add(config, now);
    if (!peer) return;
    peer.retryAt = now;
    this.sessions.report(peer, 'configured', now);
  }

  /** The neighbour on the interface of an unnumbered peer has this link-local address. */
  neighbourFound(name: string, address: IPAddress, now: number): void {
    const peer = this.peers.neighbourFound(name, address.inZone(name));
    if (peer && peer.connectAt < now) peer.retryAt = now;
    this.sessions.timersChanged = true;
  }

  /** Removes a peer or range by its key (see `peerKey`). Its sessions end with Cease: Peer De-configured. */
  removePeer(key: string, now: number): void {
    for (const peer of this.peers.removeConfig(key)) {
      this.stop(peer, bgpError(CeaseCode.peerDeconfigured, 'peer removed from the configuration'), now);
      this.sessions.helper.release(peer);
    }
  }

  /**
   * Changes the configuration of the peer or range with the same key. Only the fields that `needsReset` compares reset a
   * session. Limits and policies apply at once; port, hold time and timers apply to the next session.
   */
  updatePeer(config: PeerConfig, now: number): void {
    const key = peerKey(config);
    const old = this.peers.config(key);
    if (!old || needsReset(old, config)) {
      this.removePeer(key, now);
      this.addPeer(config, now);
      return;
    }
    this.peers.replaceConfig(config);
    this.sessions.timersChanged = true;
    const changed = new Set<SourceId>();
    for (const peer of this.peers.of(key)) {
      const connection = peer.established;
      if (!connection) continue;
      const needsValidation = reconfigure(this.sessions, connection);
      if (needsValidation && connection.ribSession) changed.add(connection.ribSession.source.index);
      this.sessions.checkLimits(connection, now);
    }
    if (changed.size > 0) this.routing.revalidate(changed);
  }

  /** Replaces the policies without resets: see `changePolicies`. Throws PolicyError for invalid ones. */
  setPolicies(set: PolicySet, keepOthers = false): void {
    changePolicies(this.sessions, this.sessions.connections.values(), set, keepOthers);
  }

  /**
   * Starts or ends graceful shutdown (RFC 8326): routes with this speaker as next hop are advertised with the community
   * GRACEFUL_SHUTDOWN, and within the AS with LOCAL_PREF 0, so that peers prefer other routes before it shuts down.
   */
  setGracefulShutdown(draining: boolean): void {
    const { self } = this.sessions;
    if (self.gracefulShutdown === draining) return;
    self.gracefulShutdown = draining;
    for (const connection of this.sessions.connections.values()) applyExport(this.sessions, connection);
  }

  /** Ends all sessions for good with Cease: Administrative Shutdown and a shutdown message (RFC 9003). */
  shutdown(message: string, now: number): void {
    for (const peer of [...this.peers]) {
      peer.retryAt = peer.idleUntil = Number.POSITIVE_INFINITY;
      this.stop(
        peer,
        bgpError(
          CeaseCode.administrativeShutdown,
          `administrative shutdown: "${message}"`,
          shutdownData(message),
        ),
        now,
      );
    }
  }

  /** Closes all sessions without a NOTIFICATION before a restart: peers with graceful restart retain our routes. */
  closeForRestart(now: number): void {
    for (const peer of this.peers) peer.retryAt = peer.idleUntil = Number.POSITIVE_INFINITY;
    const event = { type: 'lost', reason: 'closed for a restart' } as const;
    for (const connection of [...this.sessions.connections.values()])
      this.sessions.handle(connection, event, now);
  }

  /**
   * The peer can no longer be reached, as a liveness monitor found out before its hold timer expired: its session is
   * lost at once, without a NOTIFICATION, and its routes are removed or retained (RFC 4724).
   */
  peerUnreachable(peer: Peer, reason: string, now: number): void {
    for (const connection of this.connectionsWith(peer)) {
      this.sessions.handle(connection, { type: 'lost', reason }, now);
    }
  }

  /** Asks the peer of this name to advertise its routes again (RFC 2918); false when it cannot. */
  refresh(name: string): boolean {
    const peer = [...this.peers].find((candidate) => candidate.name === name);
    const connection = peer?.established;
    return connection ? requestRefresh(connection) : false;
  }

  private stop(peer: Peer, error: BgpError, now: number): void {
    for (const connection of this.connectionsWith(peer)) {
      this.sessions.handle(connection, { type: 'stop', error }, now);
    }
  }

  private connectionsWith({ incoming, outgoing }: Peer): PeerConnection[] {
    return [incoming, outgoing].filter((connection) => connection !== null);
  }

  /** Originates a route, or changes it; `prefix` is of a known family. Throws RangeError for anything else. */
  originate(prefix: string, options: OriginateOptions = {}): void {
    const { as: localAs, address } = this.sessions.self;
    const { family, nlri } = routeOf(prefix);
    const context = {
      localAs,
      localId: null,
      clusterId: null,
      ebgp: false,
      fourOctetAs: true,
      originated: true,
    };
    const nextHop = family.usesUpdateFields ? address?.toString() : undefined;
    this.routing.originate(family, nlri, { origin: 'IGP', asPath: [], nextHop, ...options }, context);
  }

  /** Withdraws a route of our own. Throws RangeError for text that is not a prefix. */
  withdraw(prefix: string): void {
    const { family, nlri } = routeOf(prefix);
    this.routing.withdrawOwn(family, nlri);
  }

  /** Sets the prefixes that only this speaker may originate: peers' routes to them or within them are not used. */
  setOwnRanges(ranges: readonly string[]): void {
    const byFamily = new Map<Family, Uint8Array[]>();
    for (const { family, nlri } of ranges.map(routeOf)) {
      byFamily.set(family, [...(byFamily.get(family) ?? []), nlri]);
    }
    this.routing.own = { ...this.routing.own, ranges: byFamily };
    this.routing.revalidate();
  }

  // --- input -------------------------------------------------------------------------------------------------------

  /** A peer connected to us. Returns the number of the connection, or null if it is refused: close it at once. */
  accepted(remote: IPAddress, local: IPAddress, now: number): number | null {
    const peer = this.peers.forAddress(remote, now);
    if (typeof peer === 'string') return this.refuse(remote, peer);
    if (now < peer.idleUntil) return this.refuse(remote, 'the peer is kept out for a while after an error');
    const current = peer.established;
    const mayRestart = current?.negotiated?.restart && !peer.outgoing;
    if (current === peer.incoming && current && !mayRestart)
      return this.refuse(remote, 'the session with the peer is established');
    const stale = current ? null : peer.incoming;
    const connection = this.sessions.accept(peer, local, now);
    // A peer that connects again has abandoned its first connection.
    const error = bgpError(CeaseCode.connectionCollision, 'the peer opened a newer connection');
    if (stale) this.sessions.handle(stale, { type: 'stop', error }, now);
    return connection.id;
  }

  /** The connection that a `connect` action asked for is established, from our address `localAddress`. */
  connected(id: number, localAddress: IPAddress, now: number): void {
    const connection = this.connectionOf(id);
    if (connection) this.sessions.handle(connection, { type: 'tcpConnected', localAddress }, now);
  }

  /** The connection failed or was closed; `reason` in the operating system's words. */
  disconnected(id: number, reason: string, now: number): void {
    const connection = this.connectionOf(id);
    if (connection) this.sessions.handle(connection, { type: 'tcpClosed', reason }, now);
  }

  /** Octets arrived, for `work` to process. The speaker owns the buffer from now on. */
  received(id: number, bytes: Uint8Array): void {
    this.input.received(id, bytes);
  }

  /** The peer of a connection, or null when the connection has ended. */
  peerOf(id: number): Peer | null {
    return this.connectionOf(id)?.peer ?? null;
  }

  /** Octets received on the connection and not processed yet; above a limit the shell should stop reading. */
  backlog(id: number): number {
    return this.connectionOf(id)?.input.pending ?? 0;
  }

  /** The transport of a connection no longer accepts what we send, or accepts it again (RFC 9687). */
  blocked(id: number, blocked: boolean, now: number): void {
    this.connectionOf(id)?.setBlocked(blocked, now);
    this.sessions.timersChanged = true;
  }

  /** Runs the timers that are due, and connects to peers whose waiting time is over. */
  tick(now: number): void {
    this.sessions.timersChanged = true;
    for (const connection of [...this.sessions.connections.values()]) {
      if (now >= connection.deadline) this.sessions.runTimers(connection, now);
    }
    this.sessions.runRestartTimers(now);
    for (const peer of this.peers) {
      if (peer.shouldConnect(now)) this.sessions.connect(peer, now);
      else if (peer.reported === 'Idle') this.sessions.report(peer, 'the waiting time is over', now);
    }
  }

  /**
   * When to call `tick` next; calling it sooner does no harm. Infinity: no timer runs. The deadline may be early, because
   * messages that put timers off do not update it: finding it takes a look at every peer.
   */
  get deadline(): number {
    if (this.sessions.timersChanged) {
      this.sessions.timersChanged = false;
      this.nearest = this.nearestDeadline();
    }
    return this.nearest;
  }

  /** Finds the time of the first timer that is due. */
  nearestDeadline(): number {
    let nearest = this.sessions.nearestDeadline();
    for (const peer of this.peers) {
      nearest = Math.min(nearest, peer.connectAt);
      if (peer.reported === 'Idle') nearest = Math.min(nearest, peer.idleUntil);
    }
    return nearest;
  }

  /** Counts and reports a refused connection. The first addresses are counted one by one, all others together. */
  refuse(remote: IPAddress, reason: string): null {
    const from = remote.toString();
    const known = this.refused.has(from) || this.refused.size < REFUSED_LIMIT;
    const address = known ? from : 'other addresses';
    const count = (this.refused.get(address) ?? 0) + 1;
    this.refused.set(address, count);
    this.refusedConnections++;
    this.sessions.events.push({ type: 'refused', address, reason, count });
    return null;
  }

  /** The session of a peer in the RIB, or null while it is not established. */
  ribSessionOf(peer: Peer): RibSession | null {
    return peer.established?.ribSession ?? null;
  }

  /** The connection with this number; undefined when it has ended. */
  connectionOf(id: number): PeerConnection | undefined {
    return this.sessions.connections.get(id);
  }

  // --- work ----------------------------------------------------------------------------------------------------------

  /** Whether `work` has something to do. */
  get hasWork(): boolean {
    return this.input.waiting || this.routing.hasWork;
  }

  /** Does about a millisecond of work: messages of connections in turn, and background work of the RIB. */
  work(now: number): void {
    this.input.work(now);
    this.routing.work();
  }

  /** Processes all whole messages of a connection at once. Call it before `disconnected`: a NOTIFICATION may be last. */
  drainInput(id: number, now: number): void {
    this.input.drain(id, now);
  }

  // --- output --------------------------------------------------------------------------------------------------------

  /** Takes the actions that the shell has to perform. */
  actions(): SpeakerAction[] {
    const queue = this.sessions.actions;
    this.sessions.actions = [];
    return queue;
  }

  /** Takes the events since the last call. */
  events(): SpeakerEvent[] {
    const queue = this.sessions.events;
    this.sessions.events = [];
    return queue;
  }

  /** The numbers of all connections. */
  connections(): Iterable<number> {
    return this.sessions.connections.keys();
  }

  /** Whether there is anything to send on the connection. */
  wantsToSend(id: number): boolean {
    return this.connectionOf(id)?.hasOutput() ?? false;
  }

  /** Takes whole messages to send on the connection, about `limit` octets: see `PeerConnection.takeOutput`. */
  transmit(id: number, limit: number): readonly Uint8Array[] {
    return this.connectionOf(id)?.takeOutput(limit) ?? [];
  }
}

/** A prefix in the wire form of its family. Throws RangeError for text that is not a prefix. */
function routeOf(prefix: string): { family: Family; nlri: Uint8Array } {
  const route = parseRoute(prefix);
  if (!route) throw new RangeError(`${prefix} is not a prefix (example: 10.244.1.0/26)`);
  return route;
}
