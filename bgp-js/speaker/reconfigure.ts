/** Changes to established sessions that need no reset: configuration, policies, and route refresh in both directions. */
import { isDeepStrictEqual } from 'node:util';
import type { PolicySet } from '../rib/policy/policy-data.ts';
import type { Routing } from '../rib/routing.ts';
import type { SourceId } from '../rib/store/ids.ts';
import type { PeerConnection } from '../session/peer.ts';
import type { Family } from '../wire/families.ts';
import { encodeRouteRefresh, refreshMarker } from '../wire/refresh.ts';
import { exportTerms, importRules, type Self } from './derive-session.ts';

/** Markers of enhanced route refresh (RFC 7313 §3.2): the peer begins, and ends, to advertise its routes again. */
const BEGIN_OF_REFRESH = 1;
const END_OF_REFRESH = 2;

/** What the functions here need of the speaker. */
interface Context {
  self: Self;
  routing: Routing;
}

/** Moves a session to the update groups for its present configuration; the peer is sent the difference. */
export function applyExport({ self, routing }: Context, connection: PeerConnection): void {
  const { ribSession, peer, localAddress, negotiated } = connection;
  if (!ribSession || !negotiated) return;
  routing.moveToUpdateGroup(ribSession, exportTerms({ self, peer, negotiated, localAddress }));
}

/** Applies a peer's changed configuration to its session. True: its routes have to be validated again. */
export function reconfigure(context: Context, connection: PeerConnection): boolean {
  const { ribSession, peer, localAddress, negotiated } = connection;
  if (!ribSession || !negotiated) return false;
  const rules = importRules({ self: context.self, peer, negotiated, localAddress });
  const changed = !isDeepStrictEqual(rules, ribSession.rules);
  if (ribSession.source.dropped > 0 && rules.dropAbove !== ribSession.rules.dropAbove) {
    // The dropped routes are not in the Adj-RIB-In: only the peer can supply them.
    ribSession.source.dropped = 0;
    connection.warnedOfDrops = false;
    requestRefresh(connection);
  }
  ribSession.rules = rules;
  applyExport(context, connection);
  return changed;
}

/**
 * Replaces the policies. Only routes whose import policy changed are validated again, from Adj-RIB-In, and only the
 * difference is advertised. `keepOthers`: policies that `set` does not name stay. Throws PolicyError, and changes
 * nothing then.
 */
export function changePolicies(
  context: Context,
  connections: Iterable<PeerConnection>,
  set: PolicySet,
  keepOthers: boolean,
): void {
  const { routing } = context;
  routing.policies.replace(set, keepOthers);
  const changed = new Set<SourceId>();
  for (const connection of connections) {
    const needsValidation = reconfigure(context, connection);
    if (needsValidation && connection.ribSession) changed.add(connection.ribSession.source.index);
  }
  routing.policies.dropUnused();
  if (changed.size > 0) routing.revalidate(changed);
}

/** Asks a peer to advertise all its routes again (RFC 2918); false when it does not support that. */
export function requestRefresh(connection: PeerConnection): boolean {
  const { negotiated } = connection;
  if (!negotiated?.routeRefresh) return false;
  for (const { afi, safi } of negotiated.families) {
    connection.send(encodeRouteRefresh({ afi, subtype: 0, safi }));
  }
  return true;
}

/** Answers a ROUTE-REFRESH: a request (RFC 2918), or a marker of the peer's own refresh (RFC 7313). */
export function answerRefresh(
  routing: Routing,
  connection: PeerConnection,
  family: Family,
  subtype: number,
): void {
  const { ribSession, negotiated } = connection;
  const ribFamily = ribSession?.ribFamilies.get(family);
  if (!ribSession || !ribFamily || !negotiated) return;
  const { group, member } = ribFamily;
  const { enhancedRefresh, restart } = negotiated;
  if (subtype === 0) {
    // RFC 7313 §4: with graceful restart, no markers before our End-of-RIB marker.
    const marked = enhancedRefresh && !(restart && member.endOfRibPending);
    if (marked) connection.sendOnce(refreshMarker(family, BEGIN_OF_REFRESH));
    group.refresh(member, marked);
  } else if (subtype === BEGIN_OF_REFRESH && enhancedRefresh) {
    // Routes retained over the peer's restart are swept at its End-of-RIB marker, not before.
    if (restart && !ribFamily.hasEndOfRib) return;
    ribFamily.refreshing = true;
    routing.beginRefresh(ribSession.source, family);
  } else if (subtype === END_OF_REFRESH && ribFamily.refreshing) {
    ribFamily.refreshing = false;
    routing.sweepStale(ribSession.source, family);
  }
}
