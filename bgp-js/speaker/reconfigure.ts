/** A changed configuration or state, brought to an established session without a reset. */
import { isDeepStrictEqual } from 'node:util';
import type { PolicySet } from '../rib/policy/policy-data.ts';
import type { Routing } from '../rib/routing.ts';
import { encodeRouteRefresh } from '../wire/refresh.ts';
import { importRules, ribSessionTerms, type Self } from './derive-session.ts';
import type { PeerConnection, Sessions } from './sessions.ts';

/** Shows the peer the routes as its configuration and our state are now. */
export function advertiseAgain(self: Self, routing: Routing, link: PeerConnection): void {
  const { ribSession, peer, local, connection } = link;
  const terms = connection.negotiated;
  if (ribSession && terms)
    routing.moveToUpdateGroup(ribSession, ribSessionTerms(self, peer.config, terms, local));
}

/** Asks a peer to tell all its routes again (RFC 2918); false when it does not know that. */
export function requestRefresh({ connection }: PeerConnection): boolean {
  const terms = connection.negotiated;
  if (!terms?.routeRefresh) return false;
  for (const { afi, safi } of terms.families) connection.send(encodeRouteRefresh({ afi, subtype: 0, safi }));
  return true;
}

/** Takes in and shows routes by the peer's configuration of now. True: what was taken in has to be judged again. */
export function reconfigure(self: Self, routing: Routing, link: PeerConnection): boolean {
  const { ribSession, peer, connection } = link;
  const terms = connection.negotiated;
  if (!ribSession || !terms) return false;
  const rules = importRules(self, peer.config, terms);
  const changed = !isDeepStrictEqual(rules, ribSession.rules);
  if (ribSession.source.dropped > 0 && rules.dropAbove !== ribSession.rules.dropAbove) {
    ribSession.source.dropped = 0;
    link.dropReported = false;
    requestRefresh(link);
  }
  ribSession.rules = rules;
  advertiseAgain(self, routing, link);
  return changed;
}

/**
 * Takes over a set of policies. What peers sent is judged again from Adj-RIB-In, of those alone whose import policy is
 * another one now; of what they were told only the difference is sent. Throws PolicyError, and nothing is changed then.
 */
export function changePolicies(
  set: PolicySet,
  { self, routing, connections: links }: Sessions,
  keepOthers: boolean,
): void {
  routing.policies.replace(set, keepOthers);
  const touched = new Set<number>();
  for (const link of links.values()) {
    if (reconfigure(self, routing, link) && link.ribSession) touched.add(link.ribSession.source.index);
  }
  routing.policies.dropUnused();
  if (touched.size > 0) routing.revalidate(touched);
}
