/**
 * Graceful restart (RFC 4724, RFC 8538, RFC 9494), both roles. As the helper this speaker keeps the routes of a peer
 * whose session broke until it is back and has told them again. As the one that restarts it holds back its End-of-RIB
 * markers until it has heard the peers; its routes it tells at once, so that nobody waits for anybody who is away.
 */
import type { RibSession } from '../rib/rib-session.ts';
import type { Routing } from '../rib/routing.ts';
import type { Source } from '../rib/source.ts';
import type { Negotiated } from '../session/negotiate.ts';
import type { Peer, PeerConnection } from '../session/peer.ts';
import type { Family } from '../wire/families.ts';

/** How a session ended: the connection broke, or a NOTIFICATION was sent or received. */
export type SessionEnd = 'lost' | 'notification' | 'hard';

/** How long a peer that is back may take to tell its routes again, at the least; ms. */
const CONFIRM_MS = 60_000;
/** How long after its start a restarted speaker waits for peers that are not there yet, and for anything at all; ms. */
const ARRIVAL_MS = 10_000;
const DEFERRAL_MS = 60_000;

/** Routes of a peer that are kept although its session ended. */
interface RetainedRoutes {
  source: Source;
  /** The families in which routes are kept, with the time for long-lived ones in ms; 0: none. */
  families: Map<Family, number>;
  /** When the present phase ends. */
  until: number;
  phase: 'away' | 'long-lived' | 'back';
}

/** The helper's side. Times are ms of the caller's monotonic clock. */
export class RestartHelper {
  private readonly routing: Routing;
  private readonly retained = new Map<Peer, RetainedRoutes>();

  constructor(routing: Routing) {
    this.routing = routing;
  }

  /** Whether routes of the peer are kept that it has not confirmed yet. */
  retains(peer: Peer): boolean {
    return this.retained.has(peer);
  }

  /** When routes of a peer are to be let go of. */
  get deadline(): number {
    let nearest = Number.POSITIVE_INFINITY;
    for (const { until } of this.retained.values()) nearest = Math.min(nearest, until);
    return nearest;
  }

  /** A connection is about to close: retains the routes of its session where that was agreed, or removes them. */
  onConnectionClosed({ peer, ribSession, negotiated }: PeerConnection, end: SessionEnd, now: number): void {
    if (!ribSession || !negotiated) return;
    this.releaseEarlier(peer, ribSession);
    const { restart, longLived } = negotiated;
    const graceful = end === 'lost' || (end === 'notification' && negotiated.notificationKeeps);
    const agreed = (restart?.families ?? []).filter(({ family }) => ribSession.ribFamilies.has(family));
    if (!graceful || !restart || agreed.length === 0) {
      this.routing.closeSession(ribSession);
      return;
    }
    const source = this.routing.retainSession(ribSession);
    const families = new Map(
      agreed.map(({ family }) => {
        const seconds = longLived.find((offer) => offer.family === family)?.seconds ?? 0;
        return [family, seconds * 1000];
      }),
    );
    for (const family of ribSession.ribFamilies.keys()) {
      if (!families.has(family)) this.routing.sweepStale(source, family);
    }
    this.retained.set(peer, { source, families, until: now + restart.seconds * 1000, phase: 'away' });
  }

  /** What an earlier restart has left when the session ends once more before the peer had told everything. */
  private releaseEarlier(peer: Peer, ribSession: RibSession): void {
    const retained = this.retained.get(peer);
    this.retained.delete(peer);
    if (retained && retained.source !== ribSession.source) this.routing.removeSource(retained.source);
  }

  /** The peer is back. Returns the source as which its new session goes on, or null for a fresh one. */
  onSessionOpened(peer: Peer, terms: Negotiated, now: number): Source | null {
    const retained = this.retained.get(peer);
    if (!retained) return null;
    retained.phase = 'back';
    const kept = terms.restart?.families ?? [];
    for (const family of [...retained.families.keys()]) {
      // RFC 4724 §4.2: what the peer did not preserve goes at once.
      if (!kept.some((offer) => offer.family === family && offer.forwarding)) this.onEndOfRib(peer, family);
    }
    retained.until = now + Math.max(CONFIRM_MS, (terms.restart?.seconds ?? 0) * 1000);
    return retained.source;
  }

  /** The peer has told all its routes of a family: what it did not tell again goes. */
  onEndOfRib(peer: Peer, family: Family): void {
    const retained = this.retained.get(peer);
    if (!retained?.families.delete(family)) return;
    this.routing.sweepStale(retained.source, family);
    if (retained.families.size === 0 && retained.phase === 'back') this.retained.delete(peer);
  }

  /** Lets go of routes whose time is over; returns the peers of which nothing is kept any more. */
  runTimers(now: number): Peer[] {
    const done: Peer[] = [];
    for (const [peer, retained] of this.retained) {
      if (now < retained.until) continue;
      if (retained.phase === 'back')
        for (const family of [...retained.families.keys()]) this.onEndOfRib(peer, family);
      else if (retained.phase === 'away') this.goLongLived(peer, retained, now);
      else this.release(peer);
      if (!this.retained.has(peer)) done.push(peer);
    }
    return done;
  }

  /** RFC 9494 §4.2: after the restart time routes stay as the last resort where that was agreed. */
  private goLongLived(peer: Peer, retained: RetainedRoutes, now: number): void {
    const longest = Math.max(0, ...retained.families.values());
    if (longest === 0) return this.release(peer);
    for (const [family, time] of retained.families) {
      if (time > 0) this.routing.makeLongLived(retained.source, family);
      else this.routing.sweepStale(retained.source, family);
    }
    retained.phase = 'long-lived';
    retained.until = now + longest;
  }

  /** Lets go of everything that is kept for a peer that has no session. */
  release(peer: Peer): void {
    const retained = this.retained.get(peer);
    this.retained.delete(peer);
    if (retained && retained.phase !== 'back') this.routing.removeSource(retained.source);
  }
}

/** The restarting side: whether End-of-RIB markers are held back. */
export class RestartGate {
  /** True until this speaker, which has restarted, has caught up. */
  restarting: boolean;
  /** When the first peers were looked at. */
  private begun = Number.NaN;
  private arrivalOver = false;
  /** Peers that have sent End-of-RIB since the start; empty once this speaker has caught up. */
  private readonly caughtUp = new Set<Peer>();

  /** `restarted`: a former run's forwarding goes on, and its peers keep its routes. */
  constructor(restarted: boolean) {
    this.restarting = restarted;
  }

  /** The peer has advertised all its routes. */
  onEndOfRib(peer: Peer): void {
    if (this.restarting) this.caughtUp.add(peer);
  }

  /** Opens the gate when there is nothing to wait for any more. */
  update(peers: Iterable<Peer>, now: number): void {
    if (!this.restarting) return;
    if (Number.isNaN(this.begun)) this.begun = now;
    const age = now - this.begun;
    this.arrivalOver = age >= ARRIVAL_MS;
    let waiting = false;
    for (const peer of peers) {
      const restart = peer.established?.negotiated?.restart;
      const talking =
        restart && restart.families.length > 0 && !restart.restarting && !this.caughtUp.has(peer);
      if (talking) waiting = true;
    }
    if (age >= DEFERRAL_MS || (age >= ARRIVAL_MS && !waiting)) {
      this.restarting = false;
      this.caughtUp.clear();
    }
  }

  /** When to look again. */
  get deadline(): number {
    if (!this.restarting || Number.isNaN(this.begun)) return this.restarting ? 0 : Number.POSITIVE_INFINITY;
    return this.begun + (this.arrivalOver ? DEFERRAL_MS : ARRIVAL_MS);
  }
}
