/**
 * Update groups: peers that are advertised the same routes with the same attributes.
 *
 * The problem. A reflector with a thousand clients sends each change a thousand times. Deciding and encoding per client
 * would multiply the dearest work by a thousand, and an Adj-RIB-Out per client would need a thousand tables. But clients
 * read at different speeds, come and go, and one of them may stop reading for minutes.
 *
 * Why the obvious fails. One queue of encoded UPDATEs for all, from which each client sends in turn, grows without end
 * behind the slowest client. Copying pending UPDATEs for a slow client costs as much memory, and sends it states that
 * are long over: a route that changed a hundred times is sent a hundred times.
 *
 * How it works. Peers with equal export profiles are members of one group, and the group has
 *
 * - `out`, its one Adj-RIB-Out: what members that have read everything know;
 * - `dirty`, the prefixes that changed in the Loc-RIB and were not compared with `out` yet;
 * - `log`, the UPDATEs that lead from one state of `out` to the next, encoded once. Each member has a position in it.
 *
 * A member sends when its transport has room, by `pull`. If it is at the end of the log, `encode` compares a batch of
 * dirty prefixes with `out` (AdjRibOutDiff), appends the difference to the log (UpdatePacker) and notes it in `out`; so
 * the first member that comes does the work for all. Then `readLog` hands out entries from the member's position on, as
 * they lie in the log. A member's own routes are not for it: an entry has a target (UpdateLog), and the member skips
 * entries for others. Usually all members read the newest entries from the same position, and LogStretch hands all of
 * them the same parts.
 *
 * Members behind. `keepLogShort` drops what all members have read. When the log is too long all the same, members in
 * its older half leave it (`leaveLog`): the prefixes of the entries that they have not read become their `pending` ones
 * (`noteUnread`, in slices, up to `unreadEnd`), one bit for each, and every change from then on adds its prefix as well
 * (`encode`). Such a member is sent the present state of its pending prefixes out of `out` (`pullPending`,
 * DirectEncoder), and follows the log again, from its head, when none is left. So a slow peer costs one bit a prefix,
 * and is sent the latest state only. A member that joins a group with routes starts like that, with everything pending,
 * and so does one that asks for a refresh.
 *
 * Moving. When a session's profile changes, its member moves to another group (`takeOver`), and only the difference must
 * be sent. What the old group had advertised is copied as the member's `previous` Adj-RIB-Out; everything is pending in
 * the new group, and what is the same in `previous` is skipped. What was pending in the old group is pending here too,
 * and not known in `previous`.
 *
 * End-of-RIB (RFC 4724 §2) and the end of a refresh (RFC 7313 §4) are owed to a member, and sent when it has caught up:
 * nothing pending, at the head of the log, and nothing dirty.
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
import { eachPacked, endOfRib, UpdatePacker } from './update-packer.ts';

/** A peer in an update group. */
export interface GroupMember extends LogReader {
  /** What has yet to be sent to a member that does not follow the log; null: it does. */
  pending: PendingPrefixes | null;
  /** Entries of the log before this position that the member has not read are to be noted in `pending`. */
  unreadEnd: number;
  /** An End-of-RIB marker is owed when the member has caught up for the first time. */
  owesEndOfRib: boolean;
  /** The end of an enhanced route refresh is owed when it has caught up (RFC 7313 §4). */
  owesEndOfRefresh: boolean;
  /** What it was advertised by the group that it came from, until it has caught up here. */
  previous: PreviousAdjRibOut | null;
}

/** Does a slice of work from `from` on, which is 0 at first; returns where to go on, or 0 when all is done. */
export type SlicedWork = (from: number, budget: number) => number;

/** What a group needs of its surroundings. */
export interface GroupOptions {
  /** End-of-RIB markers are held back while it is closed (RFC 4724 §4.1). */
  gate: { readonly closed: boolean };
  /** Octets of log kept for the slowest member. */
  logLimit: number;
  /** The export policy. */
  policy: PolicyRun | null;
  /** How many prefix numbers a slice of work passes. */
  slice: number;
  /** Has work done later, in slices. */
  later: (work: SlicedWork) => void;
}

/** Octets of log kept for the slowest member before it has to leave the log: at most, and for each member. */
export const LOG_LIMIT = 4 * 1024 * 1024;
const LOG_SHARE = 512 * 1024;
/** Prefixes encoded into the log at once, so that this takes well under a millisecond. */
const ENCODE_BATCH = 1024;
/** Batches at once while they have no effect. */
const MAX_BATCHES = 8;
/** How often one pull encodes: that takes longer than reading what the log has. */
const ENCODED_AT_ONCE = 4;
/** Entries of the log, or their octets, that make it worthwhile to see which of them all members have passed. */
const TRIM_BATCH = 256;
const TRIM_OCTETS = 64 * 1024;
const NOTHING: readonly Uint8Array[] = [];

/** Peers with one export profile, their Adj-RIB-Out and the log that they read. */
export class UpdateGroup {
  readonly profile: ExportProfile;
  readonly members = new Set<GroupMember>();
  private readonly rib: FamilyRib;
  private readonly later: (work: SlicedWork) => void;
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
  /** The member for which entries of the log were kept when it was last trimmed. */
  private slowest: GroupMember | null = null;

  constructor(rib: FamilyRib, profile: ExportProfile, options: Partial<GroupOptions> = {}) {
    const { gate = { closed: false }, logLimit = LOG_LIMIT, policy = null } = options;
    const { slice = ENCODE_BATCH, later = atOnce } = options;
    this.gate = gate;
    this.layout = layoutOf(rib.family, profile);
    this.rib = rib;
    this.logLimit = logLimit;
    this.later = later;
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
      owesEndOfRib: true,
      owesEndOfRefresh: false,
      previous: null,
      updatesSent: 0,
    };
    if (this.out.size > 0) this.setPending(member).addAll(true);
    this.members.add(member);
    return member;
  }

  /** Sends the member all routes again (RFC 2918); with `enhanced`, then a marker of the end (RFC 7313). */
  refresh(member: GroupMember, enhanced: boolean): void {
    const pending = member.pending ?? this.leaveLog(member);
    this.releasePrevious(member);
    member.owesEndOfRefresh = enhanced;
    pending.addAll(false);
  }

  /**
   * Moves a member of another group, `old` there, here: it is sent what differs, and what it had yet to be sent there.
   * Where both groups advertise routes with the same attributes, what it knows already is not sent again.
   */
  takeOver(member: GroupMember, from: UpdateGroup, old: GroupMember): void {
    const pending = member.pending ?? this.setPending(member);
    pending.addAll(false);
    pending.addWithdrawn(from.out);
    const oldPending = old.pending ?? from.leaveLog(old);
    from.noteUnread(old, Number.POSITIVE_INFINITY);
    const alike = exportAlike(this.profile, from.profile) && this.out.width === 1;
    const previous = alike ? new PreviousAdjRibOut(from.out.copy()) : null;
    for (let id = oldPending.next(0); id >= 0; id = oldPending.next(id + 1)) {
      pending.add(id);
      previous?.invalidate(id);
    }
    member.previous = previous;
    member.owesEndOfRib = old.owesEndOfRib;
    member.owesEndOfRefresh = old.owesEndOfRefresh;
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
    if (pending) this.later((from, budget) => pending.clear(from, budget));
  }

  /** Detaches the group from the RIB; it must have no members. */
  dispose(): void {
    this.rib.removeReader(this.dirty);
    this.later((from, budget) => this.dirty.clear(from, budget));
    this.later((from, budget) => this.out.clear(from, budget));
  }

  private releasePrevious(member: GroupMember): void {
    const { previous } = member;
    member.previous = null;
    if (previous) this.later((from, budget) => previous.clear(from, budget));
  }

  /** Whether `pull` may have something for the member. */
  hasWork(member: GroupMember): boolean {
    if (member.pending) return true;
    return member.position < this.log.head || this.dirty.size > 0 || this.mayEnd(member);
  }

  /** Whether an End-of-RIB marker is owed and may be sent. */
  private mayEnd(member: GroupMember): boolean {
    return member.owesEndOfRib && !this.gate.closed;
  }

  /** Octets in the log. */
  get logOctets(): number {
    return this.log.octets;
  }

  /** How many routes the group has advertised. */
  get advertisedRoutes(): number {
    return this.out.size;
  }

  /** The route in a slot of `prefix`, which the group has advertised to all members but its source; null: none. */
  advertised(prefix: PrefixId, slot = 0): AdvertisedRoute | null {
    return this.out.get(prefix, slot);
  }

  /**
   * Whole messages for the member, about `limit` octets at most; [] when it has caught up. They count as sent, and must
   * not be written to, because other members get the same ones.
   */
  pull(member: GroupMember, limit: number): readonly Uint8Array[] {
    if (!member.pending && this.dirty.size === 0 && !member.owesEndOfRefresh && !this.mayEnd(member)) {
      if (member.position === this.log.head) return NOTHING;
      const parts = this.newest.read(this.log, member, limit);
      if (parts) {
        this.keepLogShort();
        return parts;
      }
    }
    return this.collect(member, limit);
  }

  private collect(member: GroupMember, limit: number): Uint8Array[] {
    const parts: Uint8Array[] = [];
    // Encodes first, because the present state must not be sent to a member while part of it is about to change.
    if (member.pending && this.dirty.size > 0) {
      this.encode();
      this.keepLogShort();
      if (this.dirty.size > 0) return parts;
    }
    let octets = member.pending ? this.pullPending(member, limit, parts) : 0;
    for (let encoded = 0; octets < limit && !member.pending; ) {
      if (member.position === this.log.head && (encoded++ === ENCODED_AT_ONCE || !this.encode())) break;
      octets += readLog(this.log, member, limit - octets, parts);
    }
    const current = !member.pending && member.position === this.log.head && this.dirty.size === 0;
    if (current && member.owesEndOfRefresh) {
      member.owesEndOfRefresh = false;
      parts.push(refreshMarker(this.rib.family, 2));
    }
    if (current && this.mayEnd(member)) {
      member.owesEndOfRib = false;
      parts.push(endOfRib(this.layout));
    }
    this.keepLogShort();
    return parts;
  }

  // --- the log ---------------------------------------------------------------------------------------------------

  /** Drops what all have read; members for which too much would have to be kept leave the log. */
  private keepLogShort(): void {
    const { log } = this;
    // The more members share the log, the more work it saves.
    const limit = Math.min(this.logLimit, LOG_SHARE * this.members.size);
    if (log.head - log.tail < TRIM_BATCH && log.octets < Math.min(limit, TRIM_OCTETS)) return;
    // Trimming passes all members, and is useless while the slowest one has not moved.
    if (log.octets <= limit && this.slowest && neededFrom(this.slowest) <= log.tail) return;
    this.trim();
    if (log.octets <= limit) return;
    const half = log.tail + ((log.head - log.tail) >> 1);
    for (const member of this.members) {
      if (!member.pending && member.position < half) this.leaveLog(member);
    }
    // Noting unread entries takes many slices, but the log must not grow without end meanwhile.
    if (log.octets > 2 * limit) {
      for (const member of this.behind) this.noteUnread(member, Number.POSITIVE_INFINITY);
    }
    this.trim();
  }

  /** Drops the entries that no member needs any more. */
  private trim(): void {
    let from = this.log.head;
    this.slowest = null;
    for (const member of this.members) {
      const needed = neededFrom(member);
      if (needed >= from) continue;
      from = needed;
      this.slowest = member;
    }
    this.log.trim(from);
  }

  /**
   * Compares dirty prefixes with the Adj-RIB-Out and appends the difference to the log; false when there is none. Stops
   * after a few batches even then, so that a long queue of changes without effect is worked off in slices.
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

  /** Takes a member off the log; the entries that it has not read are noted in slices. */
  private leaveLog(member: GroupMember): PendingPrefixes {
    const pending = this.setPending(member);
    member.unreadEnd = this.log.head;
    this.later((_from, budget) => this.noteUnread(member, budget));
    return pending;
  }

  /** Adds the prefixes of entries that the member has not read to its pending ones, about `budget`; 0 when all are. */
  private noteUnread(member: GroupMember, budget: number): number {
    const { pending, source, unreadEnd } = member;
    if (!pending) return 0;
    for (let left = budget; member.position < unreadEnd && left > 0; member.position++) {
      this.log.look(member.position);
      const { bytes, start, end, target } = this.log;
      if (!isFor(target, source)) continue;
      eachPacked(bytes, start, end, this.layout, (at) => {
        // The RIB may have lost the prefix meanwhile; it exists again for as long as its withdrawal is pending.
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
    this.noteUnread(member, ENCODE_BATCH);
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
function neededFrom({ pending, position, unreadEnd }: GroupMember): number {
  return !pending || position < unreadEnd ? position : Number.POSITIVE_INFINITY;
}

function atOnce(work: SlicedWork): void {
  work(0, Number.POSITIVE_INFINITY);
}
