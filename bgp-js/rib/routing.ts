/**
 * The RIB with everything that feeds it and reads it: routes in, update groups out, routes of our own, and the work
 * that is done in slices. `openSession` and `closeSession` add and remove peers.
 */

import { Community, SetFlag } from '../wire/attribute-types.ts';
import { type Attributes, encodeAttributes } from '../wire/attributes.ts';
import { readU32 } from '../wire/cursor.ts';
import { FAMILIES, type Family, IPV4_UNICAST } from '../wire/families.ts';
import { PATH_ID_LENGTH } from '../wire/nlri.ts';
import type { AttributeContext } from '../wire/scan-result.ts';
import { FamilyRib } from './family-rib.ts';
import { isTooMany, type OwnNumbers, validateAttributes, validatePrefix } from './import.ts';
import { Jobs } from './jobs.ts';
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
import { LOCAL_SOURCE, type Source, SourceTable } from './source.ts';
import { AttributeTable, NO_ATTRS } from './store/attribute-table.ts';
import { AttributeInterner } from './store/intern.ts';
import { PathState } from './store/path-state.ts';

/** Path numbers looked at in one piece of background work: about a millisecond when each is taken out. */
const SLICE = 1024;

export class Routing {
  readonly attributes = new AttributeTable();
  readonly interner: AttributeInterner;
  readonly sources: SourceTable;
  readonly policies: PolicyRegistry;
  readonly ribs: ReadonlyMap<Family, FamilyRib>;
  own: OwnNumbers = { as: 0, address: null, address6: null, ranges: new Map() };
  /** End-of-RIB markers are held back while it is closed (RFC 4724 §4.1). */
  readonly endOfRibGate = { closed: false };
  /** Sizes of the work: small ones make a test pass through states that otherwise take a full table. */
  readonly limits = { slice: SLICE, logOctets: LOG_LIMIT };
  private readonly groups = new Map<string, UpdateGroup>();
  private readonly ribSessions = new Map<number, RibSession>();
  private readonly jobs = new Jobs();

  constructor(localName: string, maximumPaths: number) {
    this.sources = new SourceTable(localName);
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

  ribOf(family: Family): FamilyRib {
    const rib = this.ribs.get(family);
    if (!rib) throw new Error(`no RIB of ${family.name}`);
    return rib;
  }

  // --- sessions ----------------------------------------------------------------------------------------------------

  /** Opens a session. With `retained` it continues as that source, whose stale routes the peer confirms or not. */
  openSession(options: RibSessionOptions, retained: Source | null = null): RibSession {
    const { context, rules, families } = options;
    const source = retained ? Object.assign(retained, options.source) : this.sources.add(options.source);
    const ribFamilyList = families.map(({ family, profile, receivesPathIds }): RibSessionFamily => {
      const group = this.groupFor(family, profile);
      const rib = this.ribOf(family);
      const member = group.join(source.index);
      return { rib, receivesPathIds, group, member, heardAll: false, refreshing: false };
    });
    const ribFamilies = new Map(ribFamilyList.map((ribFamily) => [ribFamily.rib.family, ribFamily]));
    const countedPolicy = rules.policy;
    const ribSession = { source, context, rules, ribFamilies, ribFamilyList, countedPolicy };
    this.ribSessions.set(source.index, ribSession);
    return ribSession;
  }

  /** The session whose routes come from this source, or null. */
  ribSessionOf(source: number): RibSession | null {
    return this.ribSessions.get(source) ?? null;
  }

  /** The session ended: its routes go, a slice at a time. */
  closeSession(ribSession: RibSession): void {
    this.leave(ribSession);
    this.removeSource(ribSession.source);
  }

  /**
   * The session ended, but its routes stay as stale ones (RFC 4724 §4.2); those that were stale before go. The source
   * is given to `openSession` when the peer returns, or to `removeSource`.
   */
  retainSession(ribSession: RibSession): Source {
    this.leave(ribSession);
    for (const rib of this.ribs.values()) rib.newGeneration(ribSession.source.index);
    return ribSession.source;
  }

  private leave(ribSession: RibSession): void {
    this.ribSessions.delete(ribSession.source.index);
    for (const { group, member } of ribSession.ribFamilies.values()) {
      group.leave(member);
      this.dropIfEmpty(group);
    }
  }

  /** Sweeps all routes of a source that has no session, and then the source. */
  removeSource(source: Source): void {
    const { index } = source;
    for (const rib of this.ribs.values()) this.jobs.add((from) => rib.sweep(index, from, this.limits.slice));
    this.jobs.add(
      () => 0,
      () => {
        this.sources.remove(index);
        this.policies.forget();
      },
    );
  }

  /** Makes all routes of a source in one family stale, until each is announced again or swept (RFC 7313 §4). */
  beginRefresh(source: Source, family: Family): void {
    this.ribOf(family).newGeneration(source.index);
  }

  /** Sweeps what is still stale of a source in one family. */
  sweepStale(source: Source, family: Family): void {
    const rib = this.ribOf(family);
    this.addStaleJob(rib, source, (from) => rib.sweepStale(source.index, from, this.limits.slice));
  }

  /** Marks the stale routes of a source in one family as long-lived ones, the last resort (RFC 9494 §4.2). */
  makeLongLived(source: Source, family: Family): void {
    const rib = this.ribOf(family);
    const nlri = new Uint8Array(1 + family.bits / 8);
    this.addStaleJob(rib, source, (from) =>
      rib.eachStale(source.index, from, this.limits.slice, (path, prefix) => {
        const attrs = rib.attrsOf(path);
        if ((this.attributes.flags.values[attrs] & SetFlag.noLlgr) !== 0) {
          rib.prefixes.write(prefix, nlri, 0);
          rib.withdraw(source.index, nlri, 0, rib.pathIdOf(path));
          return;
        }
        const marked = this.interner.withCommunity(attrs, Community.llgrStale, source.index);
        rib.change(path, marked, rib.stateOf(path), rib.receivedOf(path));
        this.attributes.releaseUnused(marked);
      }),
    );
  }

  /**
   * Work on the routes of a source that are stale now. A new generation ends it: that has dealt with them, and what is
   * stale from then on has to be told again first.
   */
  private addStaleJob(rib: FamilyRib, { index }: Source, run: (from: number) => number): void {
    const epoch = rib.table.epochOf(index);
    this.jobs.add((from) => (rib.table.epochOf(index) === epoch ? run(from) : 0));
  }

  /** Shows a session the routes in another way from now on; it is sent the difference. */
  moveToUpdateGroup(ribSession: RibSession, terms: readonly RibSessionTerms[]): void {
    for (const { family, profile } of terms) {
      const ribFamily = ribSession.ribFamilies.get(family);
      const group = this.groupFor(family, profile);
      if (!ribFamily || ribFamily.group === group) continue;
      const { group: old, member: previous } = ribFamily;
      ribFamily.group = group;
      ribFamily.member = group.join(ribSession.source.index);
      group.takeOver(ribFamily.member, old, previous);
      this.dropIfEmpty(old);
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
      later: (run) => this.jobs.add((from) => run(from, this.limits.slice)),
    });
    this.groups.set(key, group);
    return group;
  }

  private dropIfEmpty(group: UpdateGroup): void {
    if (group.members.size > 0) return;
    for (const [key, candidate] of this.groups) if (candidate === group) this.groups.delete(key);
    group.dispose();
  }

  // --- routes in -----------------------------------------------------------------------------------------------------

  /** Imports the routes of a valid NLRI field, with attributes that were interned. */
  announce(ribSession: RibSession, { ribFamily, bytes, start, end }: NlriField, attrs: number): void {
    const { source, rules } = ribSession;
    const { rib, receivesPathIds } = ribFamily;
    const pathIdBytes = receivesPathIds ? PATH_ID_LENGTH : 0;
    const verdict = validateAttributes(this.attributes, attrs, rules, this.own);
    const policy = this.policies.run(rules.policy, 'import', rib.family);
    for (let at = start; at < end; at += 1 + ((bytes[at] + 7) >> 3)) {
      const pathId = pathIdBytes === 0 ? 0 : readU32(bytes, at);
      at += pathIdBytes;
      if (isTooMany(rib, source, rules, bytes, at, pathId)) {
        source.dropped++;
        continue;
      }
      const state =
        verdict === PathState.usable ? validatePrefix(rib.family, bytes, at, rules, this.own) : verdict;
      if (!policy || state !== PathState.usable) rib.announce(source.index, bytes, at, attrs, state, pathId);
      else {
        const result = policy.evaluate(attrs, source, bytes, at, true);
        rib.announce(source.index, bytes, at, result || attrs, policyState(policy, result), pathId, attrs);
      }
    }
  }

  /** Withdraws the routes of a valid NLRI field. */
  withdraw(ribSession: RibSession, { ribFamily, bytes, start, end }: NlriField): void {
    const { rib, receivesPathIds } = ribFamily;
    const pathIdBytes = receivesPathIds ? PATH_ID_LENGTH : 0;
    for (let at = start; at < end; at += 1 + ((bytes[at] + 7) >> 3)) {
      const pathId = pathIdBytes === 0 ? 0 : readU32(bytes, at);
      at += pathIdBytes;
      rib.withdraw(ribSession.source.index, bytes, at, pathId);
    }
  }

  /** Lets go of a set that was interned; it goes when no route came to use it. */
  drop(attrs: number): void {
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
    this.ribOf(family).announce(LOCAL_SOURCE, nlri, 0, attrs, PathState.usable);
    this.drop(attrs);
  }

  withdrawOwn(family: Family, nlri: Uint8Array): void {
    this.ribOf(family).withdraw(LOCAL_SOURCE, nlri, 0);
  }

  // --- work in slices ------------------------------------------------------------------------------------------------

  /** Judges learned routes again after the rules or our own ranges changed: all, or those of some sources. */
  revalidate(only: ReadonlySet<number> | null = null): void {
    const judged = [...this.ribSessions.values()].map((ribSession) => ({
      attachment: ribSession,
      by: ribSession.rules.policy,
    }));
    for (const rib of this.ribs.values()) {
      const nlri = new Uint8Array(1 + rib.family.bits / 8);
      this.jobs.add((from) =>
        rib.table.each(from, this.limits.slice, (path, prefix) => {
          if (!only || only.has(rib.sourceOf(path))) this.rejudgeOne(rib, path, prefix, nlri);
        }),
      );
    }
    this.jobs.add(
      () => 0,
      () => {
        for (const { attachment: ribSession, by } of judged) ribSession.countedPolicy = by;
      },
    );
  }

  private rejudgeOne(rib: FamilyRib, path: number, prefix: number, nlri: Uint8Array): void {
    const ribSession = this.ribSessions.get(rib.sourceOf(path));
    if (!ribSession) return;
    const { source, rules } = ribSession;
    const attrs = rib.receivedOf(path);
    rib.prefixes.write(prefix, nlri, 0);
    const verdict = validateAttributes(this.attributes, attrs, rules, this.own);
    const state =
      verdict === PathState.usable ? validatePrefix(rib.family, nlri, 0, rules, this.own) : verdict;
    const policy = this.policies.run(rules.policy, 'import', rib.family);
    if (!policy || state !== PathState.usable) {
      rib.change(path, attrs, state);
      return;
    }
    // A route that is judged again by the same policy is no further hit.
    const result = policy.evaluate(attrs, source, nlri, 0, rules.policy !== ribSession.countedPolicy);
    rib.change(path, result || attrs, policyState(policy, result), attrs);
  }

  setMaximumPaths(count: number): void {
    for (const rib of this.ribs.values()) {
      if (count === rib.maximumPaths) continue;
      rib.maximumPaths = count;
      this.jobs.add((from) => rib.redecide(from, this.limits.slice));
    }
  }

  get hasWork(): boolean {
    return this.jobs.waiting;
  }

  /** Does one slice of background work. */
  work(): void {
    this.jobs.work();
  }

  /** Whether remains of routes that went can be cleared away, for which there is time. */
  get hasRemains(): boolean {
    let some = this.attributes.hasUnused;
    for (const rib of this.ribs.values()) some ||= rib.prefixes.hasUnused;
    return some;
  }

  /** Clears a slice of them away. */
  clearRemains(): void {
    this.attributes.reclaim(this.limits.slice);
    for (const rib of this.ribs.values()) rib.prefixes.reclaim(this.limits.slice);
  }
}

/** The state of a path of which a policy made `result`. */
function policyState({ policy }: PolicyRun, result: number): number {
  if (result !== NO_ATTRS) return PathState.usable;
  return policy === NO_POLICY ? PathState.noPolicy : PathState.refusedByPolicy;
}
