/**
 * Update groups: peers that are advertised the same routes with the same attributes.
 *
 * The problem. A reflector with a thousand clients sends each change a thousand times. Deciding and encoding for each
 * client would multiply the most expensive work by a thousand, and an Adj-RIB-Out for each client would need a thousand
 * tables. But clients read at different speeds, come and go, and one of them may stop reading for minutes.
 *
 * Why the obvious solutions fail. A single queue of encoded UPDATEs for all clients grows without limit behind the
 * slowest one. Copying the pending UPDATEs for each slow client costs as much memory and sends outdated states: a route
 * that changed a hundred times is sent a hundred times.
 *
 * How it works. Peers with equal export profiles are members of one group, and the group has
 *
 * - `out`, the group's Adj-RIB-Out: the routes advertised to members that have read the whole log;
 * - `dirty`, the prefixes that have changed in the Loc-RIB and are not yet compared with `out`;
 * - `log`, the UPDATEs that lead from one state of `out` to the next, encoded once. Each member has a position in it.
 *
 * When its transport has room, a member pulls messages (`pull`). If it is at the head of the log, `encode` compares a
 * batch of dirty prefixes with `out` (AdjRibOutDiff), appends the difference to the log (UpdatePacker) and updates
 * `out`. So the first member that pulls does the work for all. Then `readLog` returns the entries from the member's
 * position on, unchanged. A peer is not sent its own routes: each entry has a target (UpdateLog), and members skip the
 * entries that are not for them. Usually all members read the newest entries from the same position; LogStretch then
 * returns the same buffers to all of them.
 *
 * Slow members. `limitLog` drops the entries that all members have read. If the log is still too long, the members in
 * its older half leave it (`leaveLog`). The prefixes of their unread entries become `pending` (`addUnreadToPending`, in
 * slices, up to `unreadEnd`), at one bit a prefix; `encode` adds the prefixes that change later. Such a member is sent
 * the current state of its pending prefixes from `out` (`pullPending`, DirectEncoder). When no prefix is pending, it
 * follows the log again from its head. So a slow peer costs one bit a prefix and is sent only the latest state. A
 * member that joins a group with routes, or asks for a refresh, starts with all prefixes pending.
 *
 * Moving. When a session's export profile changes, its member moves to another group (`takeOver`) and is sent only the
 * difference. The Adj-RIB-Out of the old group is copied to the member as `previous`. All prefixes are pending in the
 * new group, and routes that are the same in `previous` are skipped. Prefixes that were pending in the old group are
 * invalid in `previous`, because the peer does not have their current state.
 *
 * The markers of End-of-RIB (RFC 4724 §2) and of the end of a refresh (RFC 7313 §4) are sent when a member has caught
 * up: no pending prefix, at the head of the log, and no dirty prefix.
 */
import { refreshMarker } from '../../wire/refresh.ts';
import { DirtyQueue } from '../dirty-queue.ts';
import type { FamilyRib } from '../family-rib.ts';
import type { PolicyRun } from '../policy/policy-run.ts';
import { NO_PREFIX, type PrefixId, type SourceId } from '../store/ids.ts';
import { AdjRibOut, AdjRibOutDiff, type AdvertisedRoute, PreviousAdjRibOut } from './adj-rib-out.ts';
import { type ExportProfile, exportAlike, layoutOf, type UpdateLayout } from './export-profile.ts';
import { DirectEncoder, PendingPrefixes } from './pending-prefixes.ts';
import { isFor, type LogReader, LogStretch, NO_SOURCE, readLog, UpdateLog } from './update-log.ts';
import { eachNlri, endOfRib, UpdatePacker } from './update-packer.ts';

/** A peer in an update group. */
export interface GroupMember extends LogReader {
  /** The pending prefixes of a member that does not follow the log; null if it follows the log. */
  pending: PendingPrefixes | null;
  /** Unread entries of the log before this position still have to be added to `pending`. */
  unreadEnd: number;
  /** Whether to send an End-of-RIB marker when the member has caught up for the first time. */
  endOfRibPending: boolean;
  /** Whether to send the end of an enhanced route refresh when the member has caught up (RFC 7313 §4). */
  endOfRefreshPending: boolean;
  /** The Adj-RIB-Out of its former group; null once the member has caught up in this group. */
  previous: PreviousAdjRibOut | null;
}

/** Does one slice of work, starting at `from` (0 at first). Returns the next start, or 0 at the end. */
export type SlicedWork = (from: number, budget: number) => number;

/** Options of an update group. */
export interface GroupOptions {
  /** End-of-RIB markers are held back while it is closed (RFC 4724 §4.1). */
  gate: { readonly closed: boolean };
  /** Maximum octets of log that are kept for the slowest member. */
  logLimit: number;
  /** The export policy. */
  policy: PolicyRun | null;
  /** How many prefix ids a slice of work visits. */
  slice: number;
  /** Runs work later, in slices. */
  runLater: (work: SlicedWork) => void;
}

/** Maximum octets of log before the slowest members leave it: in total, and for each member of the group. */
export const LOG_LIMIT = 4 * 1024 * 1024;
const LOG_SHARE = 512 * 1024;
/** Prefixes in one batch of encoding, which takes well under a millisecond. */
const ENCODE_BATCH = 1024;
/** Maximum batches in a row that append nothing to the log. */
const MAX_BATCHES = 8;
/** Maximum number of encodings in one pull: encoding takes longer than reading the log. */
const ENCODED_AT_ONCE = 4;
/** The log is not trimmed while it has fewer entries and fewer octets than these. */
const TRIM_BATCH = 256;
const TRIM_OCTETS = 64 * 1024;
const NOTHING: readonly Uint8Array[] = [];

/** The peers with one export profile, their Adj-RIB-Out and their log of UPDATEs. */
export class UpdateGroup {
  readonly profile: ExportProfile;
  readonly members = new Set<GroupMember>();
  private readonly rib: FamilyRib;
  private readonly runLater: (work: SlicedWork) => void;
  private readonly slice: number;
  private readonly logLimit: number;
  private readonly gate: { readonly closed: boolean };
  private readonly dirty: DirtyQueue;
  private readonly log = new UpdateLog();
  private readonly newest = new LogStretch();
  private readonly packer: UpdatePacker;
  private readonly diff: AdjRibOutDiff;
  private readonly direct: DirectEncoder;
  private readonly layout: UpdateLayout;
  private readonly out: AdjRibOut;
  /** Members that do not follow the log. */
  private readonly behind = new Set<GroupMember>();
  /** The member that needed the oldest entry when the log was last trimmed. */
  private slowest: GroupMember | null = null;

  constructor(rib: FamilyRib, profile: ExportProfile, options: Partial<GroupOptions> = {}) {
    const { gate = { closed: false }, logLimit = LOG_LIMIT, policy = null } = options;
    const { slice = ENCODE_BATCH, runLater = runNow } = options;
    this.gate = gate;
    this.layout = layoutOf(rib.family, profile);
    this.rib = rib;
    this.logLimit = logLimit;
    this.runLater = runLater;
    this.slice = slice;
    this.profile = profile;
    this.out = new AdjRibOut(rib.prefixes, rib.attributes, Math.max(1, profile.addPath));
    this.dirty = new DirtyQueue(rib.prefixes);
    this.packer = new UpdatePacker(rib, profile, this.layout, this.log, policy);
    this.diff = new AdjRibOutDiff(rib, this.out, this.packer, profile.addPath > 1);
    this.direct = new DirectEncoder(rib, this.out, this.packer.exporter, profile, this.layout);
    this.dirty.markAll();
    rib.addReader(this.dirty, profile.addPath > 0);
  }

  /** Adds a member, which is sent the whole Adj-RIB-Out and then an End-of-RIB marker. */
  join(source: SourceId): GroupMember {
    const member: GroupMember = {
      source,
      position: this.log.head,
      pending: null,
      unreadEnd: 0,
      endOfRibPending: true,
      endOfRefreshPending: false,
      previous: null,
      updatesSent: 0,
    };
    if (this.out.size > 0) this.setPending(member).addAll(true);
    this.members.add(member);
    return member;
  }

  /** Sends all routes to the member again (RFC 2918), followed by an end marker with `enhanced` (RFC 7313). */
  refresh(member: GroupMember, enhanced: boolean): void {
    const pending = member.pending ?? this.leaveLog(member);
    this.releasePrevious(member);
    member.endOfRefreshPending = enhanced;
    pending.addAll(false);
  }

  /**
   * Moves `old`, a member of the group `from`, to this group as `member`. The peer is sent the routes of this group and
   * withdrawals of the others. If both groups export the same attributes, routes that it already has are skipped.
   */
  takeOver(member: GroupMember, from: UpdateGroup, old: GroupMember): void {
    const pending = member.pending ?? this.setPending(member);
    pending.addAll(false);
    pending.addWithdrawn(from.out);
    const oldPending = old.pending ?? from.leaveLog(old);
    from.addUnreadToPending(old, Number.POSITIVE_INFINITY);
    const sameAttributes = exportAlike(this.profile, from.profile) && this.out.width === 1;
    const previous = sameAttributes ? new PreviousAdjRibOut(from.out.copy()) : null;
    for (let id = oldPending.next(0); id >= 0; id = oldPending.next(id + 1)) {
      pending.add(id);
      previous?.invalidate(id);
    }
    member.previous = previous;
    member.endOfRibPending = old.endOfRibPending;
    member.endOfRefreshPending = old.endOfRefreshPending;
    from.remove(old);
  }

  /** Removes a member. */
  remove(member: GroupMember): void {
    this.members.delete(member);
    this.behind.delete(member);
    if (this.slowest === member) this.slowest = null;
    this.releasePrevious(member);
    const { pending } = member;
    member.pending = null;
    if (pending) this.runLater((from, budget) => pending.clear(from, budget));
  }

  /** Detaches the group from the RIB; it must have no members. */
  dispose(): void {
    this.rib.removeReader(this.dirty);
    this.runLater((from, budget) => this.dirty.clear(from, budget));
    this.runLater((from, budget) => this.out.clear(from, budget));
  }

  private releasePrevious(member: GroupMember): void {
    const { previous } = member;
    member.previous = null;
    if (previous) this.runLater((from, budget) => previous.clear(from, budget));
  }

  /** Whether `pull` may return messages for the member. */
  hasWork(member: GroupMember): boolean {
    if (member.pending) return true;
    return member.position < this.log.head || this.dirty.size > 0 || this.canSendEndOfRib(member);
  }

  /** Whether an End-of-RIB marker is pending and may be sent now. */
  private canSendEndOfRib(member: GroupMember): boolean {
    return member.endOfRibPending && !this.gate.closed;
  }

  /** Octets in the log. */
  get logOctets(): number {
    return this.log.octets;
  }

  /** How many routes the group has advertised. */
  get advertisedRoutes(): number {
    return this.out.size;
  }

  /** The route advertised in a slot of `prefix`, to all members but its source; null if there is none. */
  advertised(prefix: PrefixId, slot = 0): AdvertisedRoute | null {
    return this.out.get(prefix, slot);
  }

  /**
   * Returns whole messages for the member, about `limit` octets at most; [] if it has caught up. They count as sent. Do
   * not modify them: other members share the same buffers.
   */
  pull(member: GroupMember, limit: number): readonly Uint8Array[] {
    if (
      !member.pending &&
      this.dirty.size === 0 &&
      !member.endOfRefreshPending &&
      !this.canSendEndOfRib(member)
    ) {
      if (member.position === this.log.head) return NOTHING;
      const parts = this.newest.read(this.log, member, limit);
      if (parts) {
        this.limitLog();
        return parts;
      }
    }
    return this.collect(member, limit);
  }

  private collect(member: GroupMember, limit: number): Uint8Array[] {
    const parts: Uint8Array[] = [];
    // Encodes dirty prefixes first, so that the member is not sent a state that is about to change.
    if (member.pending && this.dirty.size > 0) {
      this.encode();
      this.limitLog();
      if (this.dirty.size > 0) return parts;
    }
    let octets = member.pending ? this.pullPending(member, limit, parts) : 0;
    for (let encoded = 0; octets < limit && !member.pending; ) {
      if (member.position === this.log.head && (encoded++ === ENCODED_AT_ONCE || !this.encode())) break;
      octets += readLog(this.log, member, limit - octets, parts);
    }
    const isCaughtUp = !member.pending && member.position === this.log.head && this.dirty.size === 0;
    if (isCaughtUp && member.endOfRefreshPending) {
      member.endOfRefreshPending = false;
      parts.push(refreshMarker(this.rib.family, 2));
    }
    if (isCaughtUp && this.canSendEndOfRib(member)) {
      member.endOfRibPending = false;
      parts.push(endOfRib(this.layout));
    }
    this.limitLog();
    return parts;
  }

  // --- the log ---------------------------------------------------------------------------------------------------

  /** Drops entries that all members have read. If the log is still too long, the slowest members leave it. */
  private limitLog(): void {
    const { log } = this;
    // The more members share the log, the more work it saves.
    const limit = Math.min(this.logLimit, LOG_SHARE * this.members.size);
    if (log.head - log.tail < TRIM_BATCH && log.octets < Math.min(limit, TRIM_OCTETS)) return;
    // Trimming visits all members, and drops nothing while the slowest one has not moved.
    if (log.octets <= limit && this.slowest && firstNeeded(this.slowest) <= log.tail) return;
    this.trim();
    if (log.octets <= limit) return;
    const half = log.tail + ((log.head - log.tail) >> 1);
    for (const member of this.members) {
      if (!member.pending && member.position < half) this.leaveLog(member);
    }
    // Adding unread entries in slices takes time, but the log must not grow without limit meanwhile.
    if (log.octets > 2 * limit) {
      for (const member of this.behind) this.addUnreadToPending(member, Number.POSITIVE_INFINITY);
    }
    this.trim();
  }

  /** Drops the entries that no member needs any more. */
  private trim(): void {
    let from = this.log.head;
    this.slowest = null;
    for (const member of this.members) {
      const needed = firstNeeded(member);
      if (needed >= from) continue;
      from = needed;
      this.slowest = member;
    }
    this.log.trim(from);
  }

  /**
   * Compares dirty prefixes with the Adj-RIB-Out and appends the difference to the log. Returns false if it appended
   * nothing. Stops after a few batches in any case, so that a long queue of changes without effect is processed in
   * slices.
   */
  private encode(): boolean {
    const { log, rib } = this;
    const headBefore = log.head;
    this.packer.setReader(this.onlyReader());
    for (let batch = 0; batch < MAX_BATCHES && this.dirty.size > 0 && log.head === headBefore; batch++) {
      for (let i = 0; i < ENCODE_BATCH; i++) {
        const id = this.dirty.take();
        if (id === NO_PREFIX) break;
        if (this.diff.update(id)) {
          for (const { pending } of this.behind) pending?.add(id);
        }
        rib.prefixes.release(id);
      }
      this.packer.flush();
    }
    return log.head > headBefore;
  }

  /** The source of the only member that follows the log, NO_SOURCE, or null when several do. */
  private onlyReader(): SourceId | null {
    const readers = this.members.size - this.behind.size;
    if (readers === 0) return NO_SOURCE;
    if (readers > 1) return null;
    for (const { pending, source } of this.members) if (!pending) return source;
    return null;
  }

  // --- members that do not follow the log --------------------------------------------------------------------------

  private setPending(member: GroupMember): PendingPrefixes {
    const pending = new PendingPrefixes(this.rib.prefixes, this.out, this.slice);
    member.pending = pending;
    this.behind.add(member);
    return pending;
  }

  /** Makes a member leave the log; its unread entries become pending in slices. */
  private leaveLog(member: GroupMember): PendingPrefixes {
    const pending = this.setPending(member);
    member.unreadEnd = this.log.head;
    this.runLater((_from, budget) => this.addUnreadToPending(member, budget));
    return pending;
  }

  /** Adds about `budget` prefixes of unread entries to the member's pending ones. Returns how many entries are left. */
  private addUnreadToPending(member: GroupMember, budget: number): number {
    const { pending, source, unreadEnd } = member;
    if (!pending) return 0;
    for (let left = budget; member.position < unreadEnd && left > 0; member.position++) {
      this.log.look(member.position);
      const { bytes, start, end, target } = this.log;
      if (!isFor(target, source)) continue;
      eachNlri(bytes, start, end, this.layout, (at) => {
        // If the RIB has removed the prefix, it is interned again while its withdrawal is pending.
        pending.add(this.rib.prefixes.intern(bytes, at));
        left--;
      });
    }
    return Math.max(0, unreadEnd - member.position);
  }

  /** Encodes the present state of the member's pending prefixes. */
  private pullPending(member: GroupMember, limit: number, parts: Uint8Array[]): number {
    const { source, pending, previous } = member;
    if (!pending) return 0;
    this.addUnreadToPending(member, ENCODE_BATCH);
    const { direct } = this;
    const { octets, messages } = direct;
    const reader = { source, pending, previous };
    let id = pending.next(0);
    while (id >= 0 && direct.octets - octets < limit) id = direct.encode(reader, id, parts);
    direct.flush(parts);
    member.updatesSent += direct.messages - messages;
    if (pending.isEmpty && member.position >= member.unreadEnd) {
      member.pending = null;
      this.releasePrevious(member);
      this.behind.delete(member);
      member.position = this.log.head;
    }
    return direct.octets - octets;
  }
}

/** The first entry of the log that a member still needs. */
function firstNeeded({ pending, position, unreadEnd }: GroupMember): number {
  return !pending || position < unreadEnd ? position : Number.POSITIVE_INFINITY;
}

function runNow(work: SlicedWork): void {
  work(0, Number.POSITIVE_INFINITY);
}
