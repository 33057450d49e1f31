/** What a peer may make us hold: so many prefixes, and so many octets of path attributes. */
import { type PeerConfig, peerLimits } from '../session/peer-config.ts';
import { bgpError } from '../wire/error.ts';
import type { PeerConnection, Sessions } from './sessions.ts';

/** Tells, and ends a session that holds more than it may. Call after every UPDATE, and when a limit has changed. */
export function checkLimits(sessions: Sessions, link: PeerConnection, now: number): void {
  checkPrefixes(sessions, link, now);
  checkOctets(sessions, link, now);
}

function checkPrefixes(sessions: Sessions, link: PeerConnection, now: number): void {
  const { peer, ribSession } = link;
  const { maximumPrefixes: maximum, maximumPrefixesWarning, maximumPrefixesRestart } = peer.config;
  const { received = 0, dropped = 0 } = ribSession?.source ?? {};
  if (received > (maximumPrefixesWarning ?? 1) * maximum && received <= maximum && !link.warned) {
    link.warned = true;
    tell(sessions, link, `${received} of at most ${maximum} prefixes`);
  }
  if (dropped > 0 && !link.dropReported) {
    link.dropReported = true;
    tell(sessions, link, `more than ${maximum} prefixes: what comes above is dropped`);
  }
  if (received <= maximum || drops(peer.config)) return;
  const data = Uint8Array.of(0, 1, 1, maximum >>> 24, maximum >>> 16, maximum >>> 8, maximum);
  sessions.fail(link, bgpError(6, 1, `${received} prefixes, the maximum is ${maximum}`, data), now);
  if (maximumPrefixesRestart === undefined || peer.current) return;
  peer.retryAt = peer.idleUntil = now + maximumPrefixesRestart * 1000;
}

/** Attributes that several peers send count for the one who sent them first. */
function checkOctets(sessions: Sessions, link: PeerConnection, now: number): void {
  const { peer, ribSession } = link;
  if (!ribSession) return;
  const held = sessions.routing.attributes.octetsOf(ribSession.source.index);
  const { maximumAttributeOctets: maximum } = peerLimits(peer.config);
  if (held <= maximum) return;
  const text = `${held} octets of path attributes are held, the maximum is ${maximum}`;
  sessions.fail(link, bgpError(6, 8, text), now);
}

/** Whether the peer's routes above the maximum are dropped, and the session goes on. */
export const drops = ({ maximumPrefixesAction }: PeerConfig): boolean => maximumPrefixesAction === 'drop';

function tell(sessions: Sessions, { peer }: PeerConnection, text: string): void {
  sessions.events.push({ type: 'limit', peer: peer.name, text });
}
