/**
 * Connects the RIB to its sessions: imports the peers' routes, exports routes through update groups, originates this
 * speaker's routes, and runs background jobs in slices. `openSession` and `closeSession` add and remove a session.
 *
 * How an UPDATE passes through the RIB, starting from the speaker's UpdateProcessor:
 *
 * 1. `AttributeInterner.validate` (import.ts) validates the attributes and finds or adds their set (AttributeTable).
 * 2. `Routing.announce` validates the set and each prefix by the peer's rules (`validateAttributes`, `validatePrefix`)
 *    and runs the import policy (`PolicyRun.evaluate`). Rejected routes are stored too, with the reason as their state.
 * 3. `FamilyRib.announce` puts the path into Adj-RIB-In, decides, and marks the prefix in the readers' dirty queues.
 *
 * None of these steps sends anything. When its transport has room, a member of an update group pulls
 * (`UpdateGroup.pull`):
 *
 * 4. `UpdateGroup.encode` takes changed prefixes out of its queue; `AdjRibOutDiff.update` compares each with what the
 *    group has advertised, and `UpdatePacker` packs the difference into UPDATEs (export.ts writes their attributes).
 * 5. `UpdateLog` stores the UPDATEs; every member of the group sends the same octets.
 *
 * Import and export are separate, so that a peer's input does not wait for the output of a thousand others, and ten
 * changes of a prefix between two pulls cause one UPDATE.
 */

import { AttrsFlag, Community } from '../wire/attribute-types.ts';
import { type Attributes, encodeAttributes } from '../wire/attributes.ts';
import { readU32 } from '../wire/cursor.ts';
import { FAMILIES, type Family, IPV4_UNICAST } from '../wire/families.ts';
import { PATH_ID_LENGTH } from '../wire/nlri.ts';
import type { AttributeContext } from '../wire/scan-result.ts';
import { FamilyRib } from './family-rib.ts';
import { AttributeInterner, type OwnNumbers, validateAttributes, validatePrefix } from './import.ts';
import { type ExportProfile, profileKey } from './out/export-profile.ts';
import { LOG_LIMIT, UpdateGroup } from './out/update-group.ts';
import { NO_POLICY } from './policy/policy.ts';
import { PolicyRegistry } from './policy/policy-registry.ts';
import type { PolicyRun } from './policy/policy-run.ts';
import type {
  NlriField,
  RibSession,
  RibSessionFamily,
  RibSessionOptions,
  RibSessionTerms,
} from './rib-session.ts';
import { type Source, SourceTable } from './source.ts';
import { AttributeTable } from './store/attribute-table.ts';
import type { HashKey } from './store/hash-table.ts';
import {
  type AttrsId,
  LOCAL_SOURCE,
  NO_ATTRS,
  type PathId,
  type PrefixId,
  type SourceId,
} from './store/ids.ts';
import { PathState, type Route } from './store/path-table.ts';

/** How many path ids one slice of background work visits: about a millisecond if every path is removed. */
const SLICE = 1024;

/** The RIBs of all families, and the sessions that feed and read them. */
export class Routing {
  readonly attributes: AttributeTable;
  readonly interner: AttributeInterner;
  readonly sources: SourceTable;
  readonly policies: PolicyRegistry;
  readonly ribs: ReadonlyMap<Family, FamilyRib>;
  own: OwnNumbers = { as: 0, address: null, address6: null, ranges: new Map() };
  /** End-of-RIB markers are held back while it is closed (RFC 4724 §4.1). */
  readonly endOfRibGate = { closed: false };
  /** Sizes of slices and logs. Tests set small ones to reach states that otherwise need a full table. */
  readonly limits = { slice: SLICE, logOctets: LOG_LIMIT };
  private readonly groups = new Map<string, UpdateGroup>();
  private readonly ribSessions = new Map<SourceId, RibSession>();
  private readonly jobs = new Jobs();
  /** The route being announced; one object is reused for all prefixes. */
  private readonly route: Route = {
    source: LOCAL_SOURCE,
    attrs: NO_ATTRS,
    received: NO_ATTRS,
    state: PathState.usable,
    addPathId: 0,
  };

  /**
   * @param localName the name of this speaker as a source of routes.
   * @param maximumPaths how many equal paths may form one multipath set; 1: no multipath.
   * @param hashKey the key of the hash tables, which peers must not know.
   */
  constructor(localName: string, maximumPaths: number, hashKey: HashKey) {
    this.attributes = new AttributeTable(hashKey);
    this.sources = new SourceTable(localName, (index) => this.attributes.octetsOf(index) > 0);
    this.policies = new PolicyRegistry(this.attributes);
    this.interner = new AttributeInterner(this.attributes);
    this.ribs = new Map(
      FAMILIES.map((family) => [family, new FamilyRib(family, this.attributes, this.sources)]),
    );
    for (const rib of this.ribs.values()) rib.maximumPaths = maximumPaths;
  }

  /** The RIB of IPv4 unicast. */
  get rib(): FamilyRib {
    return this.ribOf(IPV4_UNICAST);
  }

  /** The RIB of a family. Throws when there is none. */
  ribOf(family: Family): FamilyRib {
    const rib = this.ribs.get(family);
    if (!rib) throw new Error(`no RIB of ${family.name}`);
    return rib;
  }

  // --- sessions ----------------------------------------------------------------------------------------------------

  /**
   * Opens a session with a peer. With `retained` it reuses that source; the peer confirms its stale routes by
   * advertising them again.
   */
  openSession(options: RibSessionOptions, retained: Source | null = null): RibSession {
    const { context, rules, families } = options;
    const source = retained ? Object.assign(retained, options.source) : this.sources.add(options.source);
    const ribFamilyList = families.map(({ family, profile, receivesPathIds }): RibSessionFamily => {
      const group = this.groupFor(family, profile);
      const rib = this.ribOf(family);
      const member = group.join(source.index);
      return { rib, receivesPathIds, group, member, hasEndOfRib: false, refreshing: false };
    });
    const ribFamilies = new Map(ribFamilyList.map((ribFamily) => [ribFamily.rib.family, ribFamily]));
    const countedPolicy = rules.policy;
    const ribSession = { source, context, rules, ribFamilies, ribFamilyList, countedPolicy };
    this.ribSessions.set(source.index, ribSession);
    return ribSession;
  }

  /** The session whose routes come from this source, or null. */
  ribSessionOf(source: SourceId): RibSession | null {
    return this.ribSessions.get(source) ?? null;
  }

  /** Closes a session and removes its routes, a slice at a time. */
  closeSession(ribSession: RibSession): void {
    this.removeFromGroups(ribSession);
    this.removeSource(ribSession.source);
  }

  /**
   * Closes a session and marks its routes as stale (RFC 4724 §4.2); routes that were stale before are removed. Pass the
   * returned source to `openSession` when the peer returns, otherwise to `removeSource`.
   */
  retainSession(ribSession: RibSession): Source {
    this.removeFromGroups(ribSession);
    for (const rib of this.ribs.values()) rib.newGeneration(ribSession.source.index);
    return ribSession.source;
  }

  private removeFromGroups(ribSession: RibSession): void {
    this.ribSessions.delete(ribSession.source.index);
    for (const { group, member } of ribSession.ribFamilies.values()) {
      group.remove(member);
      this.removeIfEmpty(group);
    }
  }

  /** Removes all routes of a source that has no session, a slice at a time, and then the source. */
  removeSource(source: Source): void {
    const { index } = source;
    for (const rib of this.ribs.values()) this.jobs.add((from) => rib.sweep(index, from, this.limits.slice));
    this.jobs.add(
      () => 0,
      () => {
        this.sources.remove(index);
        this.policies.clearMemos();
      },
    );
  }

  /** Marks all routes of a source in one family as stale, until each is advertised again or swept (RFC 7313 §4). */
  beginRefresh(source: Source, family: Family): void {
    this.ribOf(family).newGeneration(source.index);
  }

  /** Removes the routes of a source in one family that are still stale. */
  sweepStale(source: Source, family: Family): void {
    const rib = this.ribOf(family);
    this.addStaleJob(rib, source, (from) => rib.sweepStale(source.index, from, this.limits.slice));
  }

  /** Marks the stale routes of a source in one family as long-lived stale, the least preferred (RFC 9494 §4.2). */
  markLongLived(source: Source, family: Family): void {
    const rib = this.ribOf(family);
    const nlri = new Uint8Array(1 + family.bits / 8);
    this.addStaleJob(rib, source, (from) =>
      rib.eachStale(source.index, from, this.limits.slice, (path, prefix) => {
        const attrs = rib.attrsOf(path);
        if ((this.attributes.flags.values[attrs] & AttrsFlag.noLlgr) !== 0) {
          rib.prefixes.write(prefix, nlri, 0);
          rib.withdraw(source.index, nlri, 0, rib.addPathIdOf(path));
          return;
        }
        const marked = this.interner.withCommunity(attrs, Community.llgrStale, source.index);
        rib.change(path, marked, rib.stateOf(path), rib.receivedOf(path));
        this.attributes.releaseUnused(marked);
      }),
    );
  }

  /**
   * Adds a job that processes the currently stale routes of a source. The job ends when a new generation begins: these
   * routes have then been removed, and other routes are stale.
   */
  private addStaleJob(rib: FamilyRib, { index }: Source, run: (from: number) => number): void {
    const epoch = rib.table.epochOf(index);
    this.jobs.add((from) => (rib.table.epochOf(index) === epoch ? run(from) : 0));
  }

  /** Applies new export terms to a session and sends the difference to its peer. */
  moveToUpdateGroup(ribSession: RibSession, terms: readonly RibSessionTerms[]): void {
    for (const { family, profile } of terms) {
      const ribFamily = ribSession.ribFamilies.get(family);
      const group = this.groupFor(family, profile);
      if (!ribFamily || ribFamily.group === group) continue;
      const { group: old, member: previous } = ribFamily;
      ribFamily.group = group;
      ribFamily.member = group.join(ribSession.source.index);
      group.takeOver(ribFamily.member, old, previous);
      this.removeIfEmpty(old);
    }
  }

  private groupFor(family: Family, profile: ExportProfile): UpdateGroup {
    const key = `${family.name} ${profileKey(profile)}`;
    const known = this.groups.get(key);
    if (known) return known;
    const group = new UpdateGroup(this.ribOf(family), profile, {
      gate: this.endOfRibGate,
      logLimit: this.limits.logOctets,
      policy: this.policies.run(profile.policy, 'export', family),
      slice: this.limits.slice,
      runLater: (run) => this.jobs.add((from) => run(from, this.limits.slice)),
    });
    this.groups.set(key, group);
    return group;
  }

  private removeIfEmpty(group: UpdateGroup): void {
    if (group.members.size > 0) return;
    for (const [key, candidate] of this.groups) if (candidate === group) this.groups.delete(key);
    group.dispose();
  }

  // --- routes in -----------------------------------------------------------------------------------------------------

  /** Imports the routes of a valid NLRI field, with interned attributes. */
  announce(ribSession: RibSession, { ribFamily, bytes, start, end }: NlriField, attrs: AttrsId): void {
    const { source, rules } = ribSession;
    const { rib, receivesPathIds } = ribFamily;
    const { route, own } = this;
    const { dropAbove: maximum = Number.POSITIVE_INFINITY } = rules;
    const pathIdBytes = receivesPathIds ? PATH_ID_LENGTH : 0;
    const attrsState = validateAttributes(this.attributes, attrs, rules, own);
    const policy = this.policies.run(rules.policy, 'import', rib.family);
    route.source = source.index;
    route.attrs = route.received = attrs;
    for (let at = start; at < end; at += 1 + ((bytes[at] + 7) >> 3)) {
      route.addPathId = pathIdBytes === 0 ? 0 : readU32(bytes, at);
      at += pathIdBytes;
      // Drops a route above the prefix limit, unless it replaces another one.
      if (source.received >= maximum && !rib.hasPath(source.index, bytes, at, route.addPathId)) {
        source.dropped++;
        continue;
      }
      route.state =
        attrsState === PathState.usable ? validatePrefix(rib.family, bytes, at, rules, own) : attrsState;
      if (policy) {
        route.attrs = attrs;
        if (route.state === PathState.usable) {
          const result = policy.evaluate(attrs, source, bytes, at, true);
          route.attrs = result || attrs;
          route.state = policyState(policy, result);
        }
      }
      rib.announce(bytes, at, route);
    }
  }

  /** Withdraws the routes of a valid NLRI field. */
  withdraw(ribSession: RibSession, { ribFamily, bytes, start, end }: NlriField): void {
    const { rib, receivesPathIds } = ribFamily;
    const pathIdBytes = receivesPathIds ? PATH_ID_LENGTH : 0;
    for (let at = start; at < end; at += 1 + ((bytes[at] + 7) >> 3)) {
      const addPathId = pathIdBytes === 0 ? 0 : readU32(bytes, at);
      at += pathIdBytes;
      rib.withdraw(ribSession.source.index, bytes, at, addPathId);
    }
  }

  /** Releases the reference that `AttributeInterner.validate` returned. */
  releaseAttrs(attrs: AttrsId): void {
    if (attrs !== NO_ATTRS) this.attributes.release(attrs);
  }

  // --- routes of our own -----------------------------------------------------------------------------------------------

  /** Originates a route, or changes one; `nlri` is the prefix in wire form. Throws RangeError for bad attributes. */
  originate(family: Family, nlri: Uint8Array, attributes: Attributes, context: AttributeContext): void {
    const bytes = encodeAttributes(attributes);
    const local = { ...context, ebgp: false, fourOctetAs: true };
    const attrs = this.interner.validate({
      bytes,
      start: 0,
      end: bytes.length,
      context: local,
      usesUpdateFields: true,
      chargedSource: LOCAL_SOURCE,
    });
    if (attrs === NO_ATTRS) throw new RangeError(this.interner.error?.text ?? 'the attributes are malformed');
    const { route } = this;
    route.source = LOCAL_SOURCE;
    route.attrs = route.received = attrs;
    route.state = PathState.usable;
    route.addPathId = 0;
    this.ribOf(family).announce(nlri, 0, route);
    this.releaseAttrs(attrs);
  }

  /** Withdraws a route of our own. */
  withdrawOwn(family: Family, nlri: Uint8Array): void {
    this.ribOf(family).withdraw(LOCAL_SOURCE, nlri, 0);
  }

  // --- work in slices ------------------------------------------------------------------------------------------------

  /** Revalidates learned routes after the rules or our own ranges have changed: all, or those of the given sources. */
  revalidate(only: ReadonlySet<SourceId> | null = null): void {
    const counted = [...this.ribSessions.values()].map((ribSession) => ({
      ribSession,
      policy: ribSession.rules.policy,
    }));
    for (const rib of this.ribs.values()) {
      const nlri = new Uint8Array(1 + rib.family.bits / 8);
      this.jobs.add((from) =>
        rib.table.each(from, this.limits.slice, (path, prefix) => {
          if (!only || only.has(rib.sourceOf(path))) this.revalidateOne(rib, path, prefix, nlri);
        }),
      );
    }
    this.jobs.add(
      () => 0,
      () => {
        for (const { ribSession, policy } of counted) ribSession.countedPolicy = policy;
      },
    );
  }

  private revalidateOne(rib: FamilyRib, path: PathId, prefix: PrefixId, nlri: Uint8Array): void {
    const ribSession = this.ribSessions.get(rib.sourceOf(path));
    if (!ribSession) return;
    const { source, rules } = ribSession;
    const attrs = rib.receivedOf(path);
    rib.prefixes.write(prefix, nlri, 0);
    const attrsState = validateAttributes(this.attributes, attrs, rules, this.own);
    const state =
      attrsState === PathState.usable ? validatePrefix(rib.family, nlri, 0, rules, this.own) : attrsState;
    const policy = this.policies.run(rules.policy, 'import', rib.family);
    if (!policy || state !== PathState.usable) {
      this.changePath(rib, path, attrs, state, attrs);
      return;
    }
    // Counts hits only if the policy differs from the one that was counted before.
    const result = policy.evaluate(attrs, source, nlri, 0, rules.policy !== ribSession.countedPolicy);
    this.changePath(rib, path, result || attrs, policyState(policy, result), attrs);
  }

  /** Changes a path. A long-lived stale path stays marked until its peer advertises it again (RFC 9494 §4.2). */
  private changePath(rib: FamilyRib, path: PathId, attrs: AttrsId, state: number, received: AttrsId): void {
    const isMarked = (this.attributes.flags.values[rib.attrsOf(path)] & AttrsFlag.llgrStale) !== 0;
    if (!isMarked || !rib.isStale(path)) {
      rib.change(path, attrs, state, received);
      return;
    }
    const marked = this.interner.withCommunity(attrs, Community.llgrStale, rib.sourceOf(path));
    rib.change(path, marked, state, received);
    this.attributes.releaseUnused(marked);
  }

  /** Changes how many equal paths may form one multipath set, and reruns the decision process for every prefix. */
  setMaximumPaths(count: number): void {
    for (const rib of this.ribs.values()) {
      if (count === rib.maximumPaths) continue;
      rib.maximumPaths = count;
      this.jobs.add((from) => rib.rerunDecision(from, this.limits.slice));
    }
  }

  /** Whether background work is waiting. */
  get hasWork(): boolean {
    return this.jobs.waiting;
  }

  /** Does one slice of background work. */
  work(): void {
    this.jobs.work();
  }

  /** Whether unused attribute sets or prefixes can be reclaimed; see ids.ts. */
  get hasUnused(): boolean {
    let some = this.attributes.hasUnused;
    for (const rib of this.ribs.values()) some ||= rib.prefixes.hasUnused;
    return some;
  }

  /** Reclaims a slice of the unused attribute sets and prefixes. Call when there is no other work. */
  reclaim(): void {
    this.attributes.reclaim(this.limits.slice);
    for (const rib of this.ribs.values()) rib.prefixes.reclaim(this.limits.slice);
  }
}

/** The state of a path whose import policy returned `result`. */
function policyState({ policy }: PolicyRun, result: AttrsId): number {
  if (result !== NO_ATTRS) return PathState.usable;
  return policy === NO_POLICY ? PathState.noPolicy : PathState.refusedByPolicy;
}

/** A queue of background jobs. Each job runs a slice at a time until it is done; then the next one starts. */
export class Jobs {
  private list: { run: (from: number) => number; from: number; done: () => void }[] = [];

  /** Whether a job is waiting. */
  get waiting(): boolean {
    return this.list.length > 0;
  }

  /**
   * Adds a job. `run` processes one slice, starting at `from` (0 at first), and returns where the next slice starts, or
   * 0 at the end. Then `done` is called.
   */
  add(run: (from: number) => number, done: () => void = () => {}): void {
    this.list.push({ run, from: 0, done });
  }

  /** Does one slice of the oldest job. */
  work(): void {
    const job = this.list[0];
    if (!job) return;
    job.from = job.run(job.from);
    if (job.from !== 0) return;
    this.list.shift();
    job.done();
  }
}
