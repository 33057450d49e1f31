/** The routes of peers in the RIB as it is and in the one as it would be, counted by what becomes of them. */

import type { FamilyRib } from '../rib/family-rib.ts';
import { exportAlike } from '../rib/out/export-profile.ts';
import type { UpdateGroup } from '../rib/out/update-group.ts';
import type { RibSession } from '../rib/rib-session.ts';
import type { Routing } from '../rib/routing.ts';
import {
  type AttrsId,
  NO_ATTRS,
  NO_PATH,
  NO_PREFIX,
  type PathId,
  type PrefixId,
  type SourceId,
} from '../rib/store/ids.ts';
import { PathState } from '../rib/store/path-table.ts';

/** Routes that would come, go, and become others. */
export interface RouteChanges {
  added: number;
  withdrawn: number;
  changed: number;
}

/** A peer's place in the RIB as it is, and in the one as it would be. */
export interface Pair {
  live: RibSession;
  planned: RibSession;
}

/** Paths or prefixes that are looked at in one piece of work. */
export const PIECE = 128;

/** What becomes of a route; null: nothing. */
type Change = keyof RouteChanges | null;
type Counts = Map<Pair, RouteChanges>;

const countsFor = (pairs: readonly Pair[]): Counts =>
  new Map(pairs.map((pair) => [pair, { added: 0, withdrawn: 0, changed: 0 }]));

function add(counts: Counts, pair: Pair | undefined, change: Change, by: number): void {
  const changes = pair && counts.get(pair);
  if (changes && change) changes[change] += by;
}

/** Usable routes from the peers. */
export function* compareTaken(
  live: Routing,
  shadow: Routing,
  pairs: readonly Pair[],
): Generator<void, Counts> {
  const counts = countsFor(pairs);
  const bySource = new Map(pairs.map((pair) => [pair.live.source.index, pair]));
  for (const [family, rib] of live.ribs) {
    const other = shadow.ribOf(family);
    const change = (pair: Pair, path: PathId, prefix: PrefixId): Change => {
      const id = other.prefixes.find(rib.prefixes.nlri(prefix), 0);
      const head = id === NO_PREFIX ? NO_PATH : other.headOf(id);
      const then = other.table.find(head, pair.planned.source.index, rib.addPathIdOf(path));
      const was = isUsable(rib, path) ? rib.attrsOf(path) : NO_ATTRS;
      const is = then !== NO_PATH && isUsable(other, then) ? other.attrsOf(then) : NO_ATTRS;
      return changeOf(live, was, shadow, is);
    };
    let from = 0;
    do {
      from = rib.table.each(from, PIECE, (path, prefix) => {
        const pair = bySource.get(rib.sourceOf(path));
        if (pair) add(counts, pair, change(pair, path, prefix), 1);
      });
      yield;
    } while (from !== 0);
  }
  return counts;
}

/** NO_ATTRS: no route. */
function changeOf(live: Routing, was: AttrsId, shadow: Routing, is: AttrsId, alike = true): Change {
  if (was === NO_ATTRS) return is === NO_ATTRS ? null : 'added';
  if (is === NO_ATTRS) return 'withdrawn';
  return alike && live.attributes.isEqual(was, shadow.attributes, is) ? null : 'changed';
}

/** Routes that the peers are told; with ADD-PATH, the first one to each prefix. */
export function* compareTold(
  live: Routing,
  shadow: Routing,
  pairs: readonly Pair[],
): Generator<void, Counts> {
  const counts = countsFor(pairs);
  for (const [family, rib] of live.ribs) {
    for (const members of byGroups(pairs, rib)) {
      const compare = new ToldComparison(live, shadow, rib, shadow.ribOf(family), members, counts);
      yield* compare.run();
    }
  }
  return counts;
}

/** Peers that share their update groups, now and then. */
function byGroups(pairs: readonly Pair[], { family }: FamilyRib): Pair[][] {
  const numbers = new Map<UpdateGroup, number>();
  const numberOf = (group: UpdateGroup) => numbers.get(group) ?? numbers.set(group, numbers.size).size - 1;
  const sharing = new Map<string, Pair[]>();
  for (const pair of pairs) {
    const [now, then] = [pair.live.ribFamilies.get(family), pair.planned.ribFamilies.get(family)];
    if (!now || !then) continue;
    const key = `${numberOf(now.group)} ${numberOf(then.group)}`;
    sharing.set(key, [...(sharing.get(key) ?? []), pair]);
  }
  return [...sharing.values()];
}

/** The routes of two update groups: counted for all members at once, and set right for those who gave them. */
class ToldComparison {
  private readonly live: Routing;
  private readonly shadow: Routing;
  private readonly rib: FamilyRib;
  private readonly other: FamilyRib;
  private readonly members: readonly Pair[];
  private readonly counts: Counts;
  private readonly current: UpdateGroup;
  private readonly planned: UpdateGroup;
  private readonly alike: boolean;
  private readonly byLive: Map<SourceId, Pair>;
  private readonly byPlanned: Map<SourceId, Pair>;
  private readonly all: RouteChanges = { added: 0, withdrawn: 0, changed: 0 };

  constructor(
    live: Routing,
    shadow: Routing,
    rib: FamilyRib,
    other: FamilyRib,
    members: readonly Pair[],
    counts: Counts,
  ) {
    this.live = live;
    this.shadow = shadow;
    this.rib = rib;
    this.other = other;
    this.members = members;
    this.counts = counts;
    const [first] = members;
    const groupOf = (side: 'live' | 'planned') => first[side].ribFamilies.get(rib.family)!.group;
    this.current = groupOf('live');
    this.planned = groupOf('planned');
    this.alike = exportAlike(this.current.profile, this.planned.profile);
    this.byLive = new Map(members.map((pair) => [pair.live.source.index, pair]));
    this.byPlanned = new Map(members.map((pair) => [pair.planned.source.index, pair]));
  }

  *run(): Generator<void> {
    const { rib, other } = this;
    for (let id = 0 as PrefixId; id < rib.prefixes.end; id++) {
      if (id % PIECE === 0) yield;
      if (this.current.advertised(id)) this.look(id, other.prefixes.find(rib.prefixes.nlri(id), 0));
    }
    for (let id = 0 as PrefixId; id < other.prefixes.end; id++) {
      if (id % PIECE === 0) yield;
      if (!this.planned.advertised(id)) continue;
      const before = rib.prefixes.find(other.prefixes.nlri(id), 0);
      if (before === NO_PREFIX || !this.current.advertised(before)) this.look(NO_PREFIX, id);
    }
    for (const pair of this.members) {
      for (const change of ['added', 'withdrawn', 'changed'] as const)
        add(this.counts, pair, change, this.all[change]);
    }
  }

  private look(id: PrefixId, otherId: PrefixId): void {
    const { live, shadow, alike, counts } = this;
    const was = id === NO_PREFIX ? null : this.current.advertised(id);
    const is = otherId === NO_PREFIX ? null : this.planned.advertised(otherId);
    const change = changeOf(live, was?.attrs ?? NO_ATTRS, shadow, is?.attrs ?? NO_ATTRS, alike);
    if (change) this.all[change]++;
    // Who gave the route is not told it.
    const givers = new Set([was && this.byLive.get(was.source), is && this.byPlanned.get(is.source)]);
    for (const giver of givers) {
      if (!giver) continue;
      const ownWas = was && was.source !== giver.live.source.index ? was.attrs : NO_ATTRS;
      const ownIs = is && is.source !== giver.planned.source.index ? is.attrs : NO_ATTRS;
      add(counts, giver, change, -1);
      add(counts, giver, changeOf(live, ownWas, shadow, ownIs, alike), 1);
    }
  }
}

const isUsable = (rib: FamilyRib, path: PathId): boolean => rib.stateOf(path) === PathState.usable;
