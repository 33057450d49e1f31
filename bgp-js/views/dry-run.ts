/**
 * What a change of peers and policies would do, found beforehand: the same code takes what every peer has sent through
 * the RIB once more, as the new configuration says, beside the one in use; the two are compared. Nothing is applied.
 * The work is done in pieces, between which routes may come and go: the answer is as true as the routes stand still.
 */

import type { FamilyRib } from '../rib/family-rib.ts';
import type { PolicySet } from '../rib/policy/policy-data.ts';
import type { RibSession } from '../rib/rib-session.ts';
import { Routing } from '../rib/routing.ts';
import type { Source } from '../rib/source.ts';
import { LOCAL_SOURCE, type PathId, type PrefixId, type SourceId } from '../rib/store/ids.ts';
import type { Peer } from '../session/peer.ts';
import { type PeerConfig, resetReasons } from '../session/peer-config.ts';
import { peerKey } from '../session/peer-table.ts';
import { ribSessionOptions, type Self, selfOf } from '../speaker/derive-session.ts';
import type { Speaker } from '../speaker/speaker.ts';
import { writeU32 } from '../wire/cursor.ts';
import { PATH_ID_LENGTH } from '../wire/nlri.ts';
import { compareTaken, compareTold, type Pair, PIECE, type RouteChanges } from './dry-run-compare.ts';

/** What would become of one peer. */
export interface DryRunPeer {
  peer: string;
  session: 'stays' | 'reset' | 'added' | 'removed';
  /** Of a reset: the fields for which the session cannot go on. */
  because: string[];
  /** Usable routes that it gives us; null without a session now or then. */
  taken: RouteChanges | null;
  /** Routes that we tell it, once a session that is reset is up again. */
  advertised: RouteChanges | null;
}

/** Octets of messages that are made, and thrown away, in one. */
const OCTETS = 16 * 1024;

/** Plans a change to these peers and policies. Throws PolicyError for bad policies. */
export function* planChange(
  speaker: Speaker,
  policies: PolicySet,
  configs: readonly PeerConfig[],
): Generator<void, DryRunPeer[]> {
  const shadow = new Routing('local', speaker.routing.rib.maximumPaths, speaker.routing.attributes.hashKey);
  shadow.own = speaker.routing.own;
  shadow.policies.localAs = speaker.config.as;
  shadow.policies.replace(policies);
  const self = selfOf(speaker.config, shadow.policies);
  const after = new Map(configs.map((config) => [peerKey(config), config]));
  const pairs = new Map<Peer, Pair>();
  for (const peer of speaker.peers) {
    const config = after.get(peerKey(peer.config));
    const planned = config && attach(shadow, self, peer, config);
    const live = speaker.ribSessionOf(peer);
    if (planned && live) pairs.set(peer, { live, planned });
  }
  const all = [...pairs.values()];
  yield* copyRoutes(speaker, shadow, all);
  yield* settle(shadow, all);
  const taken = yield* compareTaken(speaker.routing, shadow, all);
  const advertised = yield* compareTold(speaker.routing, shadow, all);
  const result: DryRunPeer[] = [];
  for (const peer of speaker.peers) {
    const config = after.get(peerKey(peer.config));
    const because = config ? resetReasons(peer.config, config) : [];
    const session = !config ? 'removed' : because.length > 0 ? 'reset' : 'stays';
    const pair = pairs.get(peer);
    const changes = {
      taken: (pair && taken.get(pair)) ?? null,
      advertised: (pair && advertised.get(pair)) ?? null,
    };
    result.push({ peer: peer.name, session, because, ...changes });
  }
  const before = new Set(speaker.peers.configs().map(peerKey));
  for (const [key, { name }] of after) {
    if (!before.has(key))
      result.push({ peer: name, session: 'added', because: [], taken: null, advertised: null });
  }
  return result;
}

/** A session of the shadow as the peer's would be under `config`; null when it has none now. */
function attach(shadow: Routing, self: Self, peer: Peer, config: PeerConfig): RibSession | null {
  const connection = peer.established;
  const negotiated = connection?.negotiated;
  if (!connection || !negotiated) return null;
  const { name, address } = peer;
  const { localAddress } = connection;
  return shadow.openSession(
    ribSessionOptions({ self, peer: { name, address, config }, negotiated, localAddress }),
  );
}

/** Takes all routes into the shadow, as they came. */
function* copyRoutes(speaker: Speaker, shadow: Routing, pairs: readonly Pair[]): Generator<void> {
  const bySource = new Map(pairs.map(({ live, planned }) => [live.source.index, planned]));
  // Of peers that are away: their routes stay for as long as graceful restart keeps them.
  const away = new Map<SourceId, Source>();
  for (const rib of speaker.routing.ribs.values()) {
    let from = 0;
    do {
      from = rib.table.each(from, PIECE, (path, prefix) => {
        const index = rib.sourceOf(path);
        const planned = bySource.get(index);
        if (planned) return copyRoute(speaker, shadow, rib, path, prefix, planned);
        const source = rib.sources.get(index);
        const removed = speaker.routing.ribSessionOf(index) !== null;
        if (removed) return;
        if (index !== LOCAL_SOURCE && !away.has(index)) away.set(index, shadow.sources.add(source));
        const attrs = shadow.attributes.adopt(speaker.routing.attributes, rib.receivedOf(path));
        const to = shadow.ribOf(rib.family);
        to.announce(rib.prefixes.nlri(prefix), 0, {
          source: away.get(index)?.index ?? LOCAL_SOURCE,
          attrs,
          received: attrs,
          state: rib.stateOf(path),
          addPathId: rib.addPathIdOf(path),
        });
      });
      yield;
    } while (from !== 0);
  }
}

function copyRoute(
  speaker: Speaker,
  shadow: Routing,
  rib: FamilyRib,
  path: PathId,
  prefix: PrefixId,
  planned: RibSession,
): void {
  const ribFamily = planned.ribFamilies.get(rib.family);
  if (!ribFamily) return;
  const nlri = rib.prefixes.nlri(prefix);
  const pathIdBytes = ribFamily.receivesPathIds ? PATH_ID_LENGTH : 0;
  const bytes = new Uint8Array(pathIdBytes + nlri.length);
  if (pathIdBytes > 0) writeU32(bytes, 0, rib.addPathIdOf(path));
  bytes.set(nlri, pathIdBytes);
  const attrs = shadow.attributes.adopt(speaker.routing.attributes, rib.receivedOf(path));
  shadow.announce(planned, { ribFamily, bytes, start: 0, end: bytes.length }, attrs);
}

/** Has the shadow's update groups tell everything, to nobody. */
function* settle(shadow: Routing, pairs: readonly Pair[]): Generator<void> {
  for (const { planned } of pairs) {
    for (const { group, member } of planned.ribFamilies.values()) {
      while (group.hasWork(member) && group.pull(member, OCTETS).length >= 0) yield;
    }
  }
  while (shadow.hasWork) {
    shadow.work();
    yield;
  }
}
