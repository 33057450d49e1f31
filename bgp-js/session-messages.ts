/** What a peer says: each message of a session, judged by the state machine and carried out. */

import type { Routing } from './rib/routing.ts';
import { negotiate } from './session/negotiate.ts';
import type { Link, Sessions } from './sessions.ts';
import { UpdateProcessor } from './update-processor.ts';
import { readU16 } from './wire/cursor.ts';
import { type BgpError, hexExcerpt } from './wire/error.ts';
import { familyOf } from './wire/families.ts';
import { MessageType } from './wire/frame.ts';
import { caught, isError } from './wire/message.ts';
import { decodeNotification, describeNotification } from './wire/notification.ts';
import { decodeOpen } from './wire/open.ts';
import { decodeRouteRefresh, refreshMarker } from './wire/refresh.ts';

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
  message(link: Link, bytes: Uint8Array, at: number, now: number): void {
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
        const notification = decodeNotification(bytes, body, end);
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

  private openMessage(link: Link, bytes: Uint8Array, body: number, end: number, now: number): void {
    const open = caught(() => decodeOpen(bytes, body, end));
    if (isError(open)) {
      this.sessions.event(link, 'malformed', now, open);
      return;
    }
    if (this.sessions.event(link, 'open', now) !== 'negotiate') return;
    const terms = negotiate(open, link.connection.offer);
    if (isError(terms)) return this.sessions.fail(link, terms, now);
    if (!this.sessions.survivesCollision(link, terms, now)) return;
    link.connection.confirm(terms, now);
    this.sessions.report(link.peer, 'OPEN accepted', now);
  }

  private updateMessage(link: Link, bytes: Uint8Array, body: number, end: number, now: number): void {
    if (this.sessions.event(link, 'update', now) !== 'processUpdate' || !link.attachment) return;
    const { peer, attachment, connection } = link;
    connection.restartHoldTimer(now);
    peer.counters.updatesReceived++;
    const { reset, defect, endOfRib } = this.updates.process(attachment, bytes, body, end);
    if (reset) {
      this.tellDefect(link, reset, bytes.subarray(body - 19, end));
      return this.sessions.fail(link, reset, now);
    }
    if (defect) this.tellDefect(link, defect, bytes.subarray(body - 19, end));
    if (endOfRib) this.sessions.endOfRib(peer, endOfRib);
    this.sessions.checkMaximum(link, now);
  }

  private tellDefect(link: Link, error: BgpError, message: Uint8Array): void {
    const { peer } = link;
    if (error.handling === 'treat-as-withdraw') peer.counters.treatedAsWithdraw++;
    if (error.handling === 'discard') peer.counters.attributesDiscarded++;
    const { text, handling } = error;
    this.sessions.events.push({
      type: 'defect',
      peer: peer.name,
      text,
      handling,
      hex: hexExcerpt(message, 64),
    });
  }

  private refreshMessage(link: Link, bytes: Uint8Array, body: number, end: number, now: number): void {
    const refresh = caught(() => decodeRouteRefresh(bytes, body, end));
    if (isError(refresh)) {
      this.sessions.event(link, 'malformed', now, refresh);
      return;
    }
    if (this.sessions.event(link, 'routeRefresh', now) !== 'processRouteRefresh' || !link.attachment) return;
    const family = familyOf(refresh.afi, refresh.safi);
    const { attachment, connection } = link;
    const channel = family && attachment.channels.get(family);
    if (!family || !channel) return;
    const enhanced = connection.negotiated?.enhancedRefresh ?? false;
    if (refresh.subtype === 0) {
      if (enhanced) connection.send(refreshMarker(family, 1));
      channel.group.refresh(channel.member, enhanced);
    } else if (refresh.subtype === 1 && enhanced) this.routing.beginRefresh(attachment.source, family);
    else if (refresh.subtype === 2 && enhanced) this.routing.sweepStale(attachment.source, family);
  }
}
