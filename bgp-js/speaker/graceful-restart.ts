/**
 * Graceful restart (RFC 4724, RFC 8538, RFC 9494), in both roles.
 *
 * `RestartHelper` is the helper's: this speaker retains the routes of a peer whose session was lost, until the peer has
 * advertised them again or the time is over. A peer's retained routes pass through phases:
 *
 *     onConnectionClosed                   `away`: routes are stale, for the restart time that the peer offered
 *     runTimers → startLongLived           `long-lived`: after that, where agreed; routes are the last resort (RFC 9494)
 *     onSessionOpened                      `returned`: the new session continues as the same source of routes
 *     onEndOfRib, or runTimers             stale routes of a family that were not advertised again are swept
 *     runTimers, release                   all are removed: the peer did not return, or its configuration is removed
 *
 * `RestartGate` is the restarting speaker's: after a restart it withholds its End-of-RIB markers until it has received
 * those of its peers (RFC 4724 §4.1). It advertises its routes at once: if all waited for each other's routes, two
 * restarting speakers would wait until a timer expires.
 */

import type { Routing } from '../rib/routing.ts';
import type { Source } from '../rib/source.ts';
import type { Negotiated } from '../session/negotiate.ts';
import type { Peer, PeerConnection } from '../session/peer.ts';
import type { Family } from '../wire/families.ts';

/**
 * How a session ended, which decides whether routes are retained: `lost` without a NOTIFICATION, with a `notification`
 * (retained if both sides offered RFC 8538), or `hard`: for good.
 */
export type SessionEnd = 'lost' | 'notification' | 'hard';

/** How long a peer that returned may take to advertise its routes again, at the least; ms. */
const CONFIRM_MS = 60_000;
/** How long a restarted speaker waits for peers to connect, and for their End-of-RIB markers; ms. */
const ARRIVAL_MS = 10_000;
const DEFERRAL_MS = 60_000;

/** Routes of a peer that are retained although its session ended. */
interface RetainedRoutes {
  source: Source;
  /** The families with retained routes, and for how long they may be long-lived stale, in ms; 0: not. */
  families: Map<Family, number>;
  /** When the phase ends. */
  until: number;
  phase: 'away' | 'long-lived' | 'returned';
}

/** The helper's part of graceful restart. Times are ms of the caller's monotonic clock. */
export class RestartHelper {
  private readonly routing: Routing;
  private readonly retained = new Map<Peer, RetainedRoutes>();

  constructor(routing: Routing) {
    this.routing = routing;
  }

  /** Whether routes of the peer are retained that it has not confirmed yet. */
  retains(peer: Peer): boolean {
    return this.retained.has(peer);
  }

  /** When the first phase ends. */
  get deadline(): number {
    let nearest = Number.POSITIVE_INFINITY;
    for (const { until } of this.retained.values()) nearest = Math.min(nearest, until);
    return nearest;
  }

  /** A connection is about to close: retains the routes of its session where that was agreed, or removes them. */
  onConnectionClosed({ peer, ribSession, negotiated }: PeerConnection, end: SessionEnd, now: number): void {
    if (!ribSession || !negotiated) return;
    // The session may have been lost again before the peer confirmed all routes: they are as stale as before.
    this.retained.delete(peer);
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

  /** The peer's session is established again. Returns the source that it continues as; null: a new one. */
  onSessionOpened(peer: Peer, terms: Negotiated, now: number): Source | null {
    const retained = this.retained.get(peer);
    if (!retained) return null;
    retained.phase = 'returned';
    const kept = terms.restart?.families ?? [];
    for (const family of [...retained.families.keys()]) {
      // RFC 4724 §4.2: routes of families that the peer did not preserve are removed at once.
      if (!kept.some((offer) => offer.family === family && offer.forwarding)) this.onEndOfRib(peer, family);
    }
    retained.until = now + Math.max(CONFIRM_MS, (terms.restart?.seconds ?? 0) * 1000);
    return retained.source;
  }

  /** The peer has advertised all its routes of a family: stale ones are swept. */
  onEndOfRib(peer: Peer, family: Family): void {
    const retained = this.retained.get(peer);
    if (!retained?.families.delete(family)) return;
    this.routing.sweepStale(retained.source, family);
    if (retained.families.size === 0 && retained.phase === 'returned') this.retained.delete(peer);
  }

  /** Ends the phases whose time is over; returns the peers without retained routes since then. */
  runTimers(now: number): Peer[] {
    const done: Peer[] = [];
    for (const [peer, retained] of this.retained) {
      if (now < retained.until) continue;
      if (retained.phase === 'returned')
        for (const family of [...retained.families.keys()]) this.onEndOfRib(peer, family);
      else if (retained.phase === 'away') this.startLongLived(peer, retained, now);
      else this.release(peer);
      if (!this.retained.has(peer)) done.push(peer);
    }
    return done;
  }

  /** After the restart time routes are retained as the last resort, where that was agreed (RFC 9494 §4.2). */
  private startLongLived(peer: Peer, retained: RetainedRoutes, now: number): void {
    const longest = Math.max(0, ...retained.families.values());
    if (longest === 0) return this.release(peer);
    for (const [family, time] of retained.families) {
      if (time > 0) this.routing.markLongLived(retained.source, family);
      else this.routing.sweepStale(retained.source, family);
    }
    retained.phase = 'long-lived';
    retained.until = now + longest;
  }

  /** Removes the retained routes of a peer without a session. */
  release(peer: Peer): void {
    const retained = this.retained.get(peer);
    this.retained.delete(peer);
    if (retained && retained.phase !== 'returned') this.routing.removeSource(retained.source);
  }
}

/** The restarting speaker's part of graceful restart: whether End-of-RIB markers are withheld. */
export class RestartGate {
  /** True from a restart until this speaker has received the peers' routes, or has waited long enough. */
  restarting: boolean;
  /** When waiting began; NaN: not yet. */
  private begun = Number.NaN;
  private arrivalOver = false;
  /** Peers that have sent End-of-RIB since the start; empty once this speaker has caught up. */
  private readonly caughtUp = new Set<Peer>();

  /** `restarted`: forwarding continued over a restart of this speaker, and its peers retain its routes. */
  constructor(restarted: boolean) {
    this.restarting = restarted;
  }

  /** The peer has advertised all its routes. */
  onEndOfRib(peer: Peer): void {
    if (this.restarting) this.caughtUp.add(peer);
  }

  /** Ends the restart when nothing is left to wait for. */
  update(peers: Iterable<Peer>, now: number): void {
    if (!this.restarting) return;
    if (Number.isNaN(this.begun)) this.begun = now;
    const age = now - this.begun;
    this.arrivalOver = age >= ARRIVAL_MS;
    let waiting = false;
    for (const peer of peers) {
      const restart = peer.established?.negotiated?.restart;
      // A peer that is restarting itself withholds its marker too (RFC 4724 §4.1).
      const sendsMarker = restart && restart.families.length > 0 && !restart.restarting;
      if (sendsMarker && !this.caughtUp.has(peer)) waiting = true;
    }
    if (age >= DEFERRAL_MS || (age >= ARRIVAL_MS && !waiting)) {
      this.restarting = false;
      this.caughtUp.clear();
    }
  }

  /** When to call `update` next. */
  get deadline(): number {
    if (!this.restarting || Number.isNaN(this.begun)) return this.restarting ? 0 : Number.POSITIVE_INFINITY;
    return this.begun + (this.arrivalOver ? DEFERRAL_MS : ARRIVAL_MS);
  }
}
