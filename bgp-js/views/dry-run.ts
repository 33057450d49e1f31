/**
 * Dry run: what a change of peers and policies would do to routes, without applying it.
 *
 * A prediction by rules of its own would differ from the real change in some corner. So `dryRun` makes the change, in a
 * second RIB, the shadow, with the code that applies it to the live one:
 *
 *     openShadowSession    every established peer gets a session in the shadow, under its planned configuration
 *     copyRoutes           every route in Adj-RIB-In is imported into the shadow as it was received
 *     advertiseAll         the shadow's update groups advertise everything; the messages are thrown away
 *     compareReceived      per peer: usable routes in the live RIB against usable routes in the shadow
 *     compareAdvertised    per peer: advertised routes in the live RIB against advertised routes in the shadow
 *
 * A full table takes seconds, so all of this is a generator: it yields after every piece of work of well under a
 * millisecond. Routes may change between the pieces; the result is exact only if they do not.
 */

import type { FamilyRib } from '../rib/family-rib.ts';
import { exportAlike } from '../rib/out/export-profile.ts';
import type { UpdateGroup } from '../rib/out/update-group.ts';
import type { PolicySet } from '../rib/policy/policy-data.ts';
import type { RibSession } from '../rib/rib-session.ts';
import { Routing } from '../rib/routing.ts';
import type { Source } from '../rib/source.ts';
import {
  type AttrsId,
  LOCAL_SOURCE,
  NO_ATTRS,
  NO_PATH,
  NO_PREFIX,
  type PathId,
  type PrefixId,
  type SourceId,
} from '../rib/store/ids.ts';
import { PathState } from '../rib/store/path-table.ts';
import type { Peer } from '../session/peer.ts';
import { type PeerConfig, resetReasons } from '../session/peer-config.ts';
import { peerKey } from '../session/peer-table.ts';
import { ribSessionOptions, type Self, selfOf } from '../speaker/derive-session.ts';
import type { Speaker } from '../speaker/speaker.ts';
import { writeU32 } from '../wire/cursor.ts';
import { PATH_ID_LENGTH } from '../wire/nlri.ts';

/** The number of routes that a change would add, withdraw, and change in their attributes. */
export interface RouteChanges {
  added: number;
  withdrawn: number;
  changed: number;
}

/** What a change would do to one peer. */
export interface DryRunPeer {
  peer: string;
  session: 'stays' | 'reset' | 'added' | 'removed';
  /** The fields that need a reset of the session. */
  because: string[];
  /** Usable routes from the peer; null without a session, now or after the change. */
  received: RouteChanges | null;
  /** Routes advertised to the peer, once a session that is reset is established again; null as above. */
  advertised: RouteChanges | null;
}

/** The RIB in use, and the one with the change. */
interface Ribs {
  live: Routing;
  shadow: Routing;
}

/** A peer's session in the live RIB and in the shadow. */
interface Pair {
  live: RibSession;
  planned: RibSession;
}

/** The effect on one route; null: none. */
type Change = keyof RouteChanges | null;
type Counts = Map<Pair, RouteChanges>;

/** Paths or prefixes in one piece of work, and octets of messages. */
const PIECE = 128;
const PIECE_OCTETS = 16 * 1024;

/** What a change to these peers and policies would do to every peer. Throws PolicyError for invalid policies. */
export function* dryRun(
  speaker: Speaker,
  policies: PolicySet,
  configs: readonly PeerConfig[],
): Generator<void, DryRunPeer[]> {
  const live = speaker.routing;
  const shadow = new Routing('local', live.rib.maximumPaths, live.attributes.hashKey);
  shadow.own = live.own;
  shadow.policies.localAs = speaker.config.as;
  shadow.policies.replace(policies);
  const self = selfOf(speaker.config, shadow.policies);
  const after = new Map(configs.map((config) => [peerKey(config), config]));
  const pairs = new Map<Peer, Pair>();
  for (const peer of speaker.peers) {
    const config = after.get(peerKey(peer.config));
    const planned = config && openShadowSession(shadow, self, peer, config);
    const current = speaker.ribSessionOf(peer);
    if (planned && current) pairs.set(peer, { live: current, planned });
  }
  const all = [...pairs.values()];
  yield* copyRoutes(live, shadow, all);
  yield* advertiseAll(shadow, all);
  const received = yield* compareReceived(live, shadow, all);
  const advertised = yield* compareAdvertised(live, shadow, all);
  const result: DryRunPeer[] = [];
  for (const peer of speaker.peers) {
    const config = after.get(peerKey(peer.config));
    const because = config ? resetReasons(peer.config, config) : [];
    const session = !config ? 'removed' : because.length > 0 ? 'reset' : 'stays';
    const pair = pairs.get(peer);
    const changes = {
      received: (pair && received.get(pair)) ?? null,
      advertised: (pair && advertised.get(pair)) ?? null,
    };
    result.push({ peer: peer.name, session, because, ...changes });
  }
  const before = new Set(speaker.peers.configs().map(peerKey));
  for (const [key, { name }] of after) {
    if (before.has(key)) continue;
    result.push({ peer: name, session: 'added', because: [], received: null, advertised: null });
  }
  return result;
}

// --- the shadow ------------------------------------------------------------------------------------------------------

/** Opens a session like the peer's under `config` in the shadow; null if the peer has no session. */
function openShadowSession(shadow: Routing, self: Self, peer: Peer, config: PeerConfig): RibSession | null {
  const connection = peer.established;
  const negotiated = connection?.negotiated;
  if (!connection || !negotiated) return null;
  const { name, address } = peer;
  const { localAddress } = connection;
  return shadow.openSession(
    ribSessionOptions({ self, peer: { name, address, config }, negotiated, localAddress }),
  );
}

/** Imports all routes of Adj-RIB-In into the shadow. */
function* copyRoutes(live: Routing, shadow: Routing, pairs: readonly Pair[]): Generator<void> {
  const bySource = new Map(pairs.map((pair) => [pair.live.source.index, pair.planned]));
  // Sources without a session: graceful restart retains their routes.
  const retained = new Map<SourceId, Source>();
  for (const rib of live.ribs.values()) {
    let from = 0;
    do {
      from = rib.table.each(from, PIECE, (path, prefix) => {
        const index = rib.sourceOf(path);
        const planned = bySource.get(index);
        if (planned) return copyRoute({ live, shadow }, rib, { path, prefix }, planned);
        // The peer of a session without a counterpart would be removed, and its routes with it.
        if (live.ribSessionOf(index) !== null) return;
        if (index !== LOCAL_SOURCE && !retained.has(index)) {
          retained.set(index, shadow.sources.add(rib.sources.get(index)));
        }
        const attrs = shadow.attributes.adopt(live.attributes, rib.receivedOf(path));
        shadow.ribOf(rib.family).announce(rib.prefixes.nlri(prefix), 0, {
          source: retained.get(index)?.index ?? LOCAL_SOURCE,
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

/** Imports a route into the shadow as if the peer of the session `planned` had just advertised it. */
function copyRoute(
  { live, shadow }: Ribs,
  rib: FamilyRib,
  { path, prefix }: { path: PathId; prefix: PrefixId },
  planned: RibSession,
): void {
  const ribFamily = planned.ribFamilies.get(rib.family);
  if (!ribFamily) return;
  const nlri = rib.prefixes.nlri(prefix);
  const pathIdBytes = ribFamily.receivesPathIds ? PATH_ID_LENGTH : 0;
  const bytes = new Uint8Array(pathIdBytes + nlri.length);
  if (pathIdBytes > 0) writeU32(bytes, 0, rib.addPathIdOf(path));
  bytes.set(nlri, pathIdBytes);
  const attrs = shadow.attributes.adopt(live.attributes, rib.receivedOf(path));
  shadow.announce(planned, { ribFamily, bytes, start: 0, end: bytes.length }, attrs);
}

/** Takes all output of the shadow's update groups, so that their Adj-RIBs-Out are complete. */
function* advertiseAll(shadow: Routing, pairs: readonly Pair[]): Generator<void> {
  for (const { planned } of pairs) {
    for (const { group, member } of planned.ribFamilies.values()) {
      while (group.hasWork(member)) {
        group.pull(member, PIECE_OCTETS);
        yield;
      }
    }
  }
  while (shadow.hasWork) {
    shadow.work();
    yield;
  }
}

// --- comparisons -----------------------------------------------------------------------------------------------------

const countsFor = (pairs: readonly Pair[]): Counts =>
  new Map(pairs.map((pair) => [pair, { added: 0, withdrawn: 0, changed: 0 }]));

function count(counts: Counts, pair: Pair, change: Change, by: number): void {
  const changes = counts.get(pair);
  if (changes && change) changes[change] += by;
}

/**
 * The effect on a route with the attributes `was` in the live RIB and `is` in the shadow; NO_ATTRS: no route. `alike`:
 * equal attributes are advertised in the same form.
 */
function changeOf({ live, shadow }: Ribs, was: AttrsId, is: AttrsId, alike = true): Change {
  if (was === NO_ATTRS) return is === NO_ATTRS ? null : 'added';
  if (is === NO_ATTRS) return 'withdrawn';
  return alike && live.attributes.isEqual(was, shadow.attributes, is) ? null : 'changed';
}

/** Compares the usable routes from each peer. */
function* compareReceived(live: Routing, shadow: Routing, pairs: readonly Pair[]): Generator<void, Counts> {
  const counts = countsFor(pairs);
  const bySource = new Map(pairs.map((pair) => [pair.live.source.index, pair]));
  for (const [family, rib] of live.ribs) {
    const other = shadow.ribOf(family);
    const change = (pair: Pair, path: PathId, prefix: PrefixId): Change => {
      const id = other.prefixes.find(rib.prefixes.nlri(prefix), 0);
      const head = id === NO_PREFIX ? NO_PATH : other.headOf(id);
      const counterpart = other.table.find(head, pair.planned.source.index, rib.addPathIdOf(path));
      const was = isUsable(rib, path) ? rib.attrsOf(path) : NO_ATTRS;
      const is =
        counterpart !== NO_PATH && isUsable(other, counterpart) ? other.attrsOf(counterpart) : NO_ATTRS;
      return changeOf({ live, shadow }, was, is);
    };
    let from = 0;
    do {
      from = rib.table.each(from, PIECE, (path, prefix) => {
        const pair = bySource.get(rib.sourceOf(path));
        if (pair) count(counts, pair, change(pair, path, prefix), 1);
      });
      yield;
    } while (from !== 0);
  }
  return counts;
}

const isUsable = (rib: FamilyRib, path: PathId): boolean => rib.stateOf(path) === PathState.usable;

/** Compares the routes advertised to each peer; with ADD-PATH, the first one to each prefix. */
function* compareAdvertised(live: Routing, shadow: Routing, pairs: readonly Pair[]): Generator<void, Counts> {
  const counts = countsFor(pairs);
  for (const [family, rib] of live.ribs) {
    for (const members of byGroups(pairs, rib)) {
      yield* new GroupComparison({ live, shadow, rib, other: shadow.ribOf(family), members, counts }).run();
    }
  }
  return counts;
}

/** Pairs that share an update group in the live RIB and another one in the shadow. */
function byGroups(pairs: readonly Pair[], { family }: FamilyRib): Pair[][] {
  const numbers = new Map<UpdateGroup, number>();
  const numberOf = (group: UpdateGroup) => numbers.get(group) ?? numbers.set(group, numbers.size).size - 1;
  const sharing = new Map<string, Pair[]>();
  for (const pair of pairs) {
    const [current, planned] = [pair.live.ribFamilies.get(family), pair.planned.ribFamilies.get(family)];
    if (!current || !planned) continue;
    const key = `${numberOf(current.group)} ${numberOf(planned.group)}`;
    sharing.set(key, [...(sharing.get(key) ?? []), pair]);
  }
  return [...sharing.values()];
}

/** What a comparison works on: a family of both RIBs, and the pairs that share their update groups. */
interface GroupComparisonOptions extends Ribs {
  rib: FamilyRib;
  other: FamilyRib;
  members: readonly Pair[];
  counts: Counts;
}

/**
 * Compares what two update groups advertise. Each route is compared once for all members, and then corrected for the
 * members that it came from: a route is not advertised to its source.
 */
class GroupComparison {
  private readonly options: GroupComparisonOptions;
  private readonly current: UpdateGroup;
  private readonly planned: UpdateGroup;
  private readonly alike: boolean;
  private readonly byLive: Map<SourceId, Pair>;
  private readonly byPlanned: Map<SourceId, Pair>;
  private readonly all: RouteChanges = { added: 0, withdrawn: 0, changed: 0 };

  constructor(options: GroupComparisonOptions) {
    const { members, rib } = options;
    const [first] = members;
    const groupOf = (side: 'live' | 'planned') => first[side].ribFamilies.get(rib.family)!.group;
    this.options = options;
    this.current = groupOf('live');
    this.planned = groupOf('planned');
    this.alike = exportAlike(this.current.profile, this.planned.profile);
    this.byLive = new Map(members.map((pair) => [pair.live.source.index, pair]));
    this.byPlanned = new Map(members.map((pair) => [pair.planned.source.index, pair]));
  }

  *run(): Generator<void> {
    const { rib, other, members, counts } = this.options;
    for (let id = 0 as PrefixId; id < rib.prefixes.end; id++) {
      if (id % PIECE === 0) yield;
      if (this.current.advertised(id)) this.compare(id, other.prefixes.find(rib.prefixes.nlri(id), 0));
    }
    for (let id = 0 as PrefixId; id < other.prefixes.end; id++) {
      if (id % PIECE === 0) yield;
      if (!this.planned.advertised(id)) continue;
      const before = rib.prefixes.find(other.prefixes.nlri(id), 0);
      if (before === NO_PREFIX || !this.current.advertised(before)) this.compare(NO_PREFIX, id);
    }
    for (const pair of members) {
      for (const change of ['added', 'withdrawn', 'changed'] as const)
        count(counts, pair, change, this.all[change]);
    }
  }

  private compare(id: PrefixId, otherId: PrefixId): void {
    const { alike, byLive, byPlanned } = this;
    const { counts } = this.options;
    const was = id === NO_PREFIX ? null : this.current.advertised(id);
    const is = otherId === NO_PREFIX ? null : this.planned.advertised(otherId);
    const change = changeOf(this.options, was?.attrs ?? NO_ATTRS, is?.attrs ?? NO_ATTRS, alike);
    if (change) this.all[change]++;
    for (const source of new Set([was && byLive.get(was.source), is && byPlanned.get(is.source)])) {
      if (!source) continue;
      const ownWas = was && was.source !== source.live.source.index ? was.attrs : NO_ATTRS;
      const ownIs = is && is.source !== source.planned.source.index ? is.attrs : NO_ATTRS;
      count(counts, source, change, -1);
      count(counts, source, changeOf(this.options, ownWas, ownIs, alike), 1);
    }
  }
}
