/**
 * A BGP speaker without sockets and without a clock. Bytes and times go in; what there is to do comes out as actions,
 * bytes to send are pulled with `transmit`, and `deadline` says when to call `tick` next. Times are milliseconds of any
 * monotonic clock. No method throws for what a peer does.
 *
 *     accepted / connected / received / disconnected / tick  →  work  →  actions, events, transmit
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
import { shutdownData } from '../wire/notification.ts';
import { RestartGate } from './graceful-restart.ts';
import { InputScheduler } from './input-scheduler.ts';
import { originate, setOwnRanges, withdraw } from './originate.ts';
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

/** Refused addresses that are remembered for counting. */
const REFUSED_LIMIT = 1024;

export class Speaker {
  readonly config: SpeakerConfig;
  readonly routing: Routing;
  readonly peers = new PeerTable();
  private readonly sessions: Sessions;
  private readonly input: InputScheduler;
  private readonly refused = new Map<string, number>();
  /** How many connections were not taken in. */
  refusedConnections = 0;
  /** The deadline that was last looked for. */
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

  /** Takes a peer or range out, by its address, range or interface; its sessions end with Cease: Peer De-configured. */
  removePeer(key: string, now: number): void {
    for (const peer of this.peers.removeConfig(key)) {
      this.stop(peer, bgpError(CeaseCode.peerDeconfigured, 'peer removed from the configuration'), now);
      this.sessions.helper.release(peer);
    }
  }

  /**
   * Changes the configuration of the peer or range with the same address, range or interface. Only what `needsReset`
   * names resets a session; name, port, hold time and timers count from the next session on, limits and filters at once.
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

  /** Takes over policies, and resets nothing; `keepOthers`: those not in `set` stay. Throws PolicyError for bad ones. */
  setPolicies(set: PolicySet, keepOthers = false): void {
    changePolicies(this.sessions, this.sessions.connections.values(), set, keepOthers);
  }

  /**
   * Graceful shutdown (RFC 8326), and its undo: routes of which this speaker is the next hop are announced with
   * GRACEFUL_SHUTDOWN, and inside the AS with LOCAL_PREF 0, so that others are used before it goes.
   */
  setGracefulShutdown(draining: boolean): void {
    const { self } = this.sessions;
    if (self.gracefulShutdown === draining) return;
    self.gracefulShutdown = draining;
    for (const connection of this.sessions.connections.values()) applyExport(this.sessions, connection);
  }

  /** Ends all sessions for good with Cease: Administrative Shutdown and a message for people (RFC 9003). */
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

  /** Announces a route, or changes it; `prefix` is of any known family. Throws RangeError when it is not. */
  originate(prefix: string, options: OriginateOptions = {}): void {
    originate(this.routing, this.sessions.self, prefix, options);
  }

  /** Withdraws a route of our own. */
  withdraw(prefix: string): void {
    withdraw(this.routing, prefix);
  }

  /** Ranges that only this speaker may announce: routes to them or within them are refused from every peer. */
  setOwnRanges(ranges: readonly string[]): void {
    setOwnRanges(this.routing, ranges);
  }

  /** A peer connected to us: the number of the connection, or null when it is to be closed at once. */
  accepted(remote: IPAddress, local: IPAddress, now: number): number | null {
    const peer = this.peers.forAddress(remote, now);
    if (typeof peer === 'string') return this.refuse(remote, peer);
    if (now < peer.idleUntil) return this.refuse(remote, 'it is kept out for a while after an error');
    const current = peer.established;
    const mayRestart = current?.negotiated?.restart && !peer.outgoing;
    if (current === peer.incoming && current && !mayRestart)
      return this.refuse(remote, 'its session is established');
    const stale = current ? null : peer.incoming;
    const connection = this.sessions.accept(peer, local, now);
    // A peer that connects again has given up its first connection.
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

  /** The peer of a connection, or null when the connection is gone. */
  peerOf(id: number): Peer | null {
    return this.connectionOf(id)?.peer ?? null;
  }

  /** Octets received on the connection and not yet processed; the shell stops reading when they are many. */
  backlog(id: number): number {
    return this.connectionOf(id)?.input.pending ?? 0;
  }

  /** The transport of a connection has stopped to take what we send, or takes it again (RFC 9687). */
  blocked(id: number, blocked: boolean, now: number): void {
    this.connectionOf(id)?.setBlocked(blocked, now);
    this.sessions.timersChanged = true;
  }

  /** Runs the timers that are due, and connects to peers whose time has come. */
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
   * When to call `tick` next, or sooner; Infinity: never by time alone. What is heard from a peer puts its timers off,
   * and with a thousand peers they are not all looked at for that.
   */
  get deadline(): number {
    if (this.sessions.timersChanged) {
      this.sessions.timersChanged = false;
      this.nearest = this.nearestDeadline();
    }
    return this.nearest;
  }

  /** When the first timer of all is due, looked for. */
  nearestDeadline(): number {
    let nearest = this.sessions.nearestDeadline();
    for (const peer of this.peers) {
      nearest = Math.min(nearest, peer.connectAt);
      if (peer.reported === 'Idle') nearest = Math.min(nearest, peer.idleUntil);
    }
    return nearest;
  }

  /** Counts and tells a connection that is not taken in. The first addresses are counted each, all others as one. */
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

  /** A peer's place in the RIB while its session is established. */
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

  /** Does a piece of work, of about a millisecond: messages of connections in turn, and a piece of background work. */
  work(now: number): void {
    this.input.work(now);
    this.routing.work();
  }

  /** Processes all whole messages of a connection at once; for the end of a connection. */
  drainInput(id: number, now: number): void {
    this.input.drain(id, now);
  }

  // --- what comes out ------------------------------------------------------------------------------------------------

  /** What the shell has to do now; each action is told once. */
  actions(): SpeakerAction[] {
    const queue = this.sessions.actions;
    this.sessions.actions = [];
    return queue;
  }

  /** What happened since the last call. */
  events(): SpeakerEvent[] {
    const queue = this.sessions.events;
    this.sessions.events = [];
    return queue;
  }

  /** Connections that exist, for the shell's rounds. */
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
