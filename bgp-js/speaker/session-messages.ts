/** What a peer says: each message of a session, judged by the state machine and carried out. */

import type { RibSession, RibSessionFamily } from '../rib/rib-session.ts';
import type { Routing } from '../rib/routing.ts';
import type { Connection } from '../session/connection.ts';
import { negotiate } from '../session/negotiate.ts';
import type { Peer } from '../session/peer.ts';
import { readU16 } from '../wire/cursor.ts';
import { type BgpError, hexExcerpt } from '../wire/error.ts';
import { type Family, familyOf } from '../wire/families.ts';
import { MessageType } from '../wire/frame.ts';
import { caught, isError } from '../wire/message.ts';
import { decodeNotification, describeNotification, errorText } from '../wire/notification.ts';
import { decodeOpen } from '../wire/open.ts';
import { decodeRouteRefresh, refreshMarker } from '../wire/refresh.ts';
import { checkLimits } from './prefix-limits.ts';
import type { PeerConnection, Sessions } from './sessions.ts';
import { UpdateProcessor } from './update-processor.ts';

/** Cease: Hard Reset (RFC 8538 §3). */
const HARD_RESET = 9;

export class SessionMessages {
  private readonly sessions: Sessions;
  private readonly routing: Routing;
  private readonly updates: UpdateProcessor;

  constructor(sessions: Sessions, routing: Routing) {
    this.sessions = sessions;
    this.routing = routing;
    this.updates = new UpdateProcessor(routing);
  }

  /** Handles the whole message at `at`. */
  message(link: PeerConnection, bytes: Uint8Array, at: number, now: number): void {
    const end = at + readU16(bytes, at + 16);
    const body = at + 19;
    link.peer.counters.received++;
    switch (bytes[at + 18]) {
      case MessageType.open:
        return this.openMessage(link, bytes, body, end, now);
      case MessageType.keepalive:
        this.sessions.event(link, 'keepalive', now);
        return;
      case MessageType.notification: {
        const notification = caught(() => decodeNotification(bytes, body, end));
        // RFC 4271 §6.4: of an error in a NOTIFICATION the peer cannot be told.
        if (isError(notification))
          return this.sessions.drop(link, `${errorText(notification)}, received`, now, 'notification');
        // RFC 7705 §4: a peer that does not know us by one number of our AS may know us by the other.
        const refusedAs = notification.code === 2 && notification.subcode === 2;
        if (refusedAs && link.connection.offer.peerAlias !== undefined)
          link.peer.showsAlias = !link.peer.showsAlias;
        const hard = notification.code === 6 && notification.subcode === HARD_RESET;
        const text = `${describeNotification(notification)}, received`;
        return this.sessions.drop(link, text, now, hard ? 'hard' : 'notification');
      }
      case MessageType.routeRefresh:
        return this.refreshMessage(link, bytes, body, end, now);
      default:
        return this.updateMessage(link, bytes, body, end, now);
    }
  }

  private openMessage(link: PeerConnection, bytes: Uint8Array, body: number, end: number, now: number): void {
    // An OPEN in the wrong state is that error (RFC 6608), whatever it says.
    if (this.sessions.event(link, 'open', now) !== 'negotiate') return;
    const open = caught(() => decodeOpen(bytes, body, end));
    if (isError(open)) return this.malformed(link, open, bytes.subarray(body - 19, end), now);
    const terms = negotiate(open, link.connection.offer);
    if (isError(terms)) return this.malformed(link, terms, bytes.subarray(body - 19, end), now);
    if (!this.sessions.survivesCollision(link, terms, now)) return;
    link.connection.confirm(terms, now);
    this.sessions.report(link.peer, 'OPEN accepted', now);
  }

  private updateMessage(
    link: PeerConnection,
    bytes: Uint8Array,
    body: number,
    end: number,
    now: number,
  ): void {
    if (this.sessions.event(link, 'update', now) !== 'processUpdate' || !link.ribSession) return;
    const { peer, ribSession, connection } = link;
    connection.restartHoldTimer(now);
    peer.counters.updatesReceived++;
    const { reset, defect, endOfRib } = this.updates.process(ribSession, bytes, body, end);
    if (reset) return this.malformed(link, reset, bytes.subarray(body - 19, end), now);
    if (defect) this.tellDefect(link, defect, bytes.subarray(body - 19, end), now);
    if (endOfRib) this.endOfRib(peer, ribSession, endOfRib);
    checkLimits(this.sessions, link, now);
  }

  /** What the peer sent ends the session: it is told in words and in hex, and the peer is notified. */
  malformed(link: PeerConnection, error: BgpError, message: Uint8Array, now: number): void {
    this.tellDefect(link, error, message, now);
    this.sessions.event(link, 'malformed', now, error);
  }

  private tellDefect(link: PeerConnection, error: BgpError, message: Uint8Array, now: number): void {
    const { peer } = link;
    peer.countMalformed(error.attributes ?? []);
    peer.lastError = { at: now, text: `${errorText(error)}, ${error.handling}` };
    if (error.handling === 'treat-as-withdraw') peer.counters.treatedAsWithdraw++;
    if (error.handling === 'discard') peer.counters.attributesDiscarded++;
    const { handling } = error;
    const text = errorText(error);
    const hex = hexExcerpt(message, 64);
    this.sessions.events.push({ type: 'defect', peer: peer.name, text, handling, hex });
  }

  private endOfRib(peer: Peer, ribSession: RibSession, family: Family): void {
    const ribFamily = ribSession.ribFamilies.get(family);
    if (ribFamily) ribFamily.heardAll = true;
    this.sessions.endOfRib(peer, family);
  }

  private refreshMessage(
    link: PeerConnection,
    bytes: Uint8Array,
    body: number,
    end: number,
    now: number,
  ): void {
    const refresh = caught(() => decodeRouteRefresh(bytes, body, end));
    if (isError(refresh)) return this.malformed(link, refresh, bytes.subarray(body - 19, end), now);
    if (this.sessions.event(link, 'routeRefresh', now) !== 'processRouteRefresh' || !link.ribSession) return;
    const family = familyOf(refresh.afi, refresh.safi);
    const { ribSession, connection } = link;
    const ribFamily = family && ribSession.ribFamilies.get(family);
    if (!ribFamily) return;
    if (refresh.subtype === 0) this.tellAgain(connection, ribFamily);
    else if (connection.negotiated?.enhancedRefresh) this.mark(link, ribFamily, ribSession, refresh.subtype);
  }

  /** RFC 7313 §4: to a peer that keeps routes over restarts, nothing is marked before its End-of-RIB marker. */
  private tellAgain(connection: Connection, { group, member, rib }: RibSessionFamily): void {
    const { enhancedRefresh = false, restart = null } = connection.negotiated ?? {};
    const marked = enhancedRefresh && !(restart && member.owesEndOfRib);
    if (marked) connection.sendOnce(refreshMarker(rib.family, 1));
    group.refresh(member, marked);
  }

  /** The peer begins or ends to tell its routes again (RFC 7313 §4). */
  private mark(
    { connection }: PeerConnection,
    ribFamily: RibSessionFamily,
    { source }: RibSession,
    subtype: number,
  ): void {
    const { family } = ribFamily.rib;
    if (subtype === 1) {
      // What is kept over its restart is swept at its End-of-RIB marker, and not before.
      if (connection.negotiated?.restart && !ribFamily.heardAll) return;
      ribFamily.refreshing = true;
      this.routing.beginRefresh(source, family);
    } else if (subtype === 2 && ribFamily.refreshing) {
      ribFamily.refreshing = false;
      this.routing.sweepStale(source, family);
    }
  }
}
