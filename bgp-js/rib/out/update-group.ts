/**
 * Peers that are shown the same routes in the same way. What the group has told its members (Adj-RIB-Out) is kept
 * once, and every change is encoded once into a log that the members read at their own pace.
 *
 * A member that falls too far behind, or comes late, leaves the log: it gets a bitmap of the prefixes that it has yet
 * to be told of, is served from the current state at its own pace, and joins the log again when the bitmap is empty.
 * So a slow peer costs one bit a prefix and no more, and the newest state is all that it is sent.
 */
import { refreshMarker } from '../../wire/refresh.ts';
import { DirtyQueue } from '../dirty-queue.ts';
import type { FamilyRib } from '../family-rib.ts';
import type { Piecewise } from '../jobs.ts';
import type { PolicyRun } from '../policy/policy-run.ts';
import { AdjRibOut, type AdvertisedRoute } from './adj-rib-out.ts';
import { AdjRibOutDiff } from './adj-rib-out-diff.ts';
import { DirectEncoder } from './direct-encoder.ts';
import { type ExportProfile, showAlike } from './export-profile.ts';
import { type GroupMember, needsFrom, newMember } from './group-member.ts';
import { LogStretch, readLog } from './log-reader.ts';
import { PendingPrefixes } from './pending-prefixes.ts';
import { PreviousAdjRibOut } from './previous-adj-rib-out.ts';
import { eachPacked, endOfRib, layoutOf, type UpdateLayout } from './update-builder.ts';
import { isFor, NOBODY, UpdateLog } from './update-log.ts';
import { UpdatePacker } from './update-packer.ts';

/** What a group needs of its surroundings. */
export interface GroupSetting {
  /** End-of-RIB markers are held back while it is closed. */
  gate: { readonly closed: boolean };
  /** Octets of log kept for the slowest member. */
  logLimit: number;
  policy: PolicyRun | null;
  /** Prefix numbers looked at in one go. */
  slice: number;
  /** Has something done later, a piece at a time. */
  later: (run: Piecewise) => void;
}

/** Octets of log kept for the slowest member before it has to leave the log: at the most, and for each member. */
export const LOG_LIMIT = 4 * 1024 * 1024;
const LOG_SHARE = 512 * 1024;
/** Prefixes encoded into the log in one go, so that an empty log is filled in a slice of well under a millisecond. */
const ENCODE_BATCH = 1024;
/** Batches in one go when nothing comes of them. */
const MAX_BATCHES = 8;
/** How often something is encoded for one pull: that takes longer than to read what is there. */
const ENCODED_AT_ONCE = 4;
/** Log entries, or octets of them, before it is worth while to see which of them all have passed. */
const TRIM_BATCH = 256;
const TRIM_OCTETS = 64 * 1024;
const NOTHING: readonly Uint8Array[] = [];

export class UpdateGroup {
  readonly profile: ExportProfile;
  readonly members = new Set<GroupMember>();
  private readonly rib: FamilyRib;
  private readonly later: (run: Piecewise) => void;
  private readonly slice: number;
  private readonly logLimit: number;
  /** While it is closed, no End-of-RIB marker is sent. */
  private readonly gate: { readonly closed: boolean };
  private readonly dirty: DirtyQueue;
  private readonly log = new UpdateLog();
  private readonly newest = new LogStretch();
  private readonly packer: UpdatePacker;
  private readonly announcer: AdjRibOutDiff;
  /** For messages to one member outside the log. */
  private readonly direct: DirectEncoder;
  private readonly layout: UpdateLayout;
  private readonly out: AdjRibOut;
  /** Members that do not follow the log. */
  private readonly behind = new Set<GroupMember>();
  /** Who held the log back when it was last trimmed. */
  private slowest: GroupMember | null = null;

  constructor(rib: FamilyRib, profile: ExportProfile, setting: Partial<GroupSetting> = {}) {
    const { gate = { closed: false }, logLimit = LOG_LIMIT, policy = null } = setting;
    const { slice = ENCODE_BATCH, later = atOnce } = setting;
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
    this.announcer = new AdjRibOutDiff(rib, this.out, this.packer, profile.addPath > 1);
    this.direct = new DirectEncoder(rib, this.out, this.packer.exporter, profile, this.layout);
    this.dirty.markAll();
    rib.addReader(this.dirty, profile.addPath > 0);
  }

  /** Adds a member, which is sent the whole of Adj-RIB-Out and then an End-of-RIB marker. */
  join(source: number): GroupMember {
    const member = newMember(source, this.log.head);
    if (this.out.size > 0) this.setBehind(member).addAll(true);
    this.members.add(member);
    return member;
  }

  /** Tells the member everything again (RFC 2918); with `enhanced` it is told where that ends (RFC 7313). */
  refresh(member: GroupMember, enhanced: boolean): void {
    const behind = member.behind ?? this.leaveLog(member);
    this.forgetFormer(member);
    member.owesEndOfRefresh = enhanced;
    behind.addAll(false);
  }

  /**
   * A member comes from another group as `was`, and leaves that one: it is told what differs, also of what it had yet to
   * be told there. Where the groups show the same routes alike, what it knows already is not told again.
   */
  takeOver(member: GroupMember, from: UpdateGroup, was: GroupMember): void {
    const behind = member.behind ?? this.setBehind(member);
    behind.addAll(false);
    behind.addWithdrawn(from.out);
    const pending = was.behind ?? from.leaveLog(was);
    from.noteUnread(was, Number.POSITIVE_INFINITY);
    const alike = showAlike(this.profile, from.profile) && this.out.width === 1;
    const previous = alike ? new PreviousAdjRibOut(from.out.copy()) : null;
    for (let id = pending.next(0); id >= 0; id = pending.next(id + 1)) {
      behind.add(id);
      previous?.invalidate(id);
    }
    member.previous = previous;
    member.owesEndOfRib = was.owesEndOfRib;
    member.owesEndOfRefresh = was.owesEndOfRefresh;
    from.leave(was);
  }

  leave(member: GroupMember): void {
    this.members.delete(member);
    this.behind.delete(member);
    if (this.slowest === member) this.slowest = null;
    this.forgetFormer(member);
    const { behind } = member;
    member.behind = null;
    if (behind) this.later((from, budget) => behind.clear(from, budget));
  }

  /** Lets go of the RIB; the group must have no members. */
  dispose(): void {
    this.rib.removeReader(this.dirty);
    this.later((from, budget) => this.dirty.clear(from, budget));
    this.later((from, budget) => this.out.clear(from, budget));
  }

  private forgetFormer(member: GroupMember): void {
    const { previous } = member;
    member.previous = null;
    if (previous) this.later((from, budget) => previous.clear(from, budget));
  }

  /** Whether anything is waiting for the member. */
  hasWork(member: GroupMember): boolean {
    if (member.behind) return true;
    return member.position < this.log.head || this.dirty.size > 0 || this.mayEnd(member);
  }

  /** Whether the End-of-RIB marker is owed and may be sent. */
  private mayEnd(member: GroupMember): boolean {
    return member.owesEndOfRib && !this.gate.closed;
  }

  /** Octets in the log. */
  get logOctets(): number {
    return this.log.octets;
  }

  /** How many prefixes the group has announced. */
  get announced(): number {
    return this.out.size;
  }

  /** What the group has told its members of `prefix`, all but the source itself; null: nothing. */
  advertised(prefix: number): AdvertisedRoute | null {
    return this.out.get(prefix);
  }

  /**
   * Whole messages for the member, at most about `limit` octets; [] when it has caught up. What is returned counts as
   * sent, and is given to other members as well.
   */
  pull(member: GroupMember, limit: number): readonly Uint8Array[] {
    if (!member.behind && this.dirty.size === 0 && !member.owesEndOfRefresh && !this.mayEnd(member)) {
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
    // Changes that are not encoded yet come first: a member must not be told of a state that is about to change.
    if (member.behind && this.dirty.size > 0) {
      this.encode();
      this.keepLogShort();
      if (this.dirty.size > 0) return parts;
    }
    let octets = member.behind ? this.pullBehind(member, limit, parts) : 0;
    for (let encoded = 0; octets < limit && !member.behind; ) {
      if (member.position === this.log.head && (encoded++ === ENCODED_AT_ONCE || !this.encode())) break;
      octets += readLog(this.log, member, limit - octets, parts);
    }
    const current = !member.behind && member.position === this.log.head && this.dirty.size === 0;
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

  /** Drops what all have read; a member that holds back too much has to leave the log. */
  private keepLogShort(): void {
    const { log } = this;
    // The more members share the log, the more work it saves.
    const limit = Math.min(this.logLimit, LOG_SHARE * this.members.size);
    if (log.head - log.tail < TRIM_BATCH && log.octets < Math.min(limit, TRIM_OCTETS)) return;
    // To trim is to look at all members, and of no use while the one that holds the log back is where it was.
    if (log.octets <= limit && this.slowest && needsFrom(this.slowest) <= log.tail) return;
    this.trim();
    if (log.octets <= limit) return;
    const half = log.tail + ((log.head - log.tail) >> 1);
    for (const member of this.members) {
      if (!member.behind && member.position < half) this.leaveLog(member);
    }
    // It takes a while to note what those have not read, but the log must not grow for ever meanwhile.
    if (log.octets > 2 * limit) {
      for (const member of this.behind) this.noteUnread(member, Number.POSITIVE_INFINITY);
    }
    this.trim();
  }

  /** Drops what nobody needs any more. */
  private trim(): void {
    let from = this.log.head;
    this.slowest = null;
    for (const member of this.members) {
      const needed = needsFrom(member);
      if (needed >= from) continue;
      from = needed;
      this.slowest = member;
    }
    this.log.trim(from);
  }

  /**
   * Looks at changed prefixes and appends what the members have to be told; false when that was nothing. It stops after
   * a few batches even then, so that a long queue of changes without effect is worked off in slices.
   */
  private encode(): boolean {
    const { log, rib } = this;
    const headBefore = log.head;
    this.packer.setReader(this.onlyReader());
    for (let batch = 0; batch < MAX_BATCHES && this.dirty.size > 0 && log.head === headBefore; batch++) {
      for (let i = 0; i < ENCODE_BATCH; i++) {
        const id = this.dirty.take();
        if (id < 0) break;
        if (this.announcer.update(id)) {
          for (const { behind } of this.behind) behind?.add(id);
        }
        rib.prefixes.release(id);
      }
      this.packer.flush();
    }
    return log.head > headBefore;
  }

  /** The source of the only member that follows the log, NOBODY, or null when there are several. */
  private onlyReader(): number | null {
    const readers = this.members.size - this.behind.size;
    if (readers === 0) return NOBODY;
    if (readers > 1) return null;
    for (const { behind, source } of this.members) if (!behind) return source;
    return null;
  }

  // --- members that do not follow the log --------------------------------------------------------------------------

  private setBehind(member: GroupMember): PendingPrefixes {
    const pending = new PendingPrefixes(this.rib.prefixes, this.out, this.slice);
    member.behind = pending;
    this.behind.add(member);
    return pending;
  }

  /** From now on the member is told what is noted for it; what it has not read of the log is noted by and by. */
  private leaveLog(member: GroupMember): PendingPrefixes {
    const pending = this.setBehind(member);
    member.unread = this.log.head;
    this.later((_from, budget) => this.noteUnread(member, budget));
    return pending;
  }

  /** Notes what the member has not read, about `budget` prefixes of it; 0 when that is all. */
  private noteUnread(member: GroupMember, budget: number): number {
    const { behind, source, unread } = member;
    if (!behind) return 0;
    for (let left = budget; member.position < unread && left > 0; member.position++) {
      this.log.look(member.position);
      const { bytes, start, end, target } = this.log;
      if (!isFor(target, source)) continue;
      eachPacked(bytes, start, end, this.layout, (at) => {
        // A prefix that is gone from the RIB by now comes back for as long as its withdrawal is owed.
        behind.add(this.rib.prefixes.intern(bytes, at));
        left--;
      });
    }
    return Math.max(0, unread - member.position);
  }

  /** Encodes the current state of prefixes that the member has yet to be told. */
  private pullBehind(member: GroupMember, limit: number, parts: Uint8Array[]): number {
    const pending = member.behind;
    if (!pending) return 0;
    this.noteUnread(member, ENCODE_BATCH);
    const { direct } = this;
    const { octets, messages } = direct;
    let id = pending.next(0);
    while (id >= 0 && direct.octets - octets < limit) {
      id = direct.encode(pending, id, member.source, parts, member.previous);
    }
    direct.flush(parts);
    member.updatesSent += direct.messages - messages;
    if (pending.isEmpty && member.position >= member.unread) {
      member.behind = null;
      this.forgetFormer(member);
      this.behind.delete(member);
      member.position = this.log.head;
    }
    return direct.octets - octets;
  }
}

function atOnce(run: Piecewise): void {
  run(0, Number.POSITIVE_INFINITY);
}
