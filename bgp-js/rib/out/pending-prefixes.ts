/** Members of an update group that do not follow its log: what is pending for them, and how it is encoded. */
import { copyOctets } from '../../wire/cursor.ts';
import type { FamilyRib } from '../family-rib.ts';
import { Bitmap } from '../store/column.ts';
import type { PrefixId, SourceId } from '../store/ids.ts';
import type { PrefixTable } from '../store/prefix-table.ts';
import type { AdjRibOut, AdvertisedRoute, PreviousAdjRibOut } from './adj-rib-out.ts';
import type { AttributeExporter } from './export.ts';
import type { ExportProfile, UpdateLayout } from './export-profile.ts';
import { UpdateBuilder } from './update-packer.ts';

/**
 * The prefixes whose state has yet to be sent to a member that does not follow the log; one bit for each. Pending
 * prefixes are held, so that a pending withdrawal can still name its prefix.
 */
export class PendingPrefixes {
  private readonly prefixes: PrefixTable;
  private readonly out: AdjRibOut;
  private readonly slice: number;
  private readonly marks = new Bitmap<PrefixId>();
  /** Advertised prefixes from here on are pending too, without a mark and a hold; `next` marks them in slices. */
  private unmarked = Number.POSITIVE_INFINITY;
  /** The member was sent nothing from `unmarked` on. */
  private isNew = false;

  /**
   * @param out the Adj-RIB-Out of the member's group.
   * @param slice how many prefix numbers `next` marks at once.
   */
  constructor(prefixes: PrefixTable, out: AdjRibOut, slice: number) {
    this.prefixes = prefixes;
    this.out = out;
    this.slice = slice;
  }

  /** Adds all advertised prefixes. `isNew`: the member was sent nothing yet. */
  addAll(isNew: boolean): void {
    this.unmarked = 0;
    this.isNew = isNew;
  }

  /** Adds a prefix whose route changed. */
  add(id: PrefixId): void {
    if (id >= this.unmarked && (this.isNew || this.out.has(id))) return;
    this.mark(id);
  }

  /** Adds the prefixes that another group has advertised and the member's group has not. */
  addWithdrawn(out: AdjRibOut): void {
    for (let id = 0 as PrefixId; id < out.end; id++) if (out.has(id) && !this.out.has(id)) this.mark(id);
  }

  /** The first pending prefix at or behind `from`, or a negative number. */
  next(from: number): PrefixId {
    let id = this.marks.next(from);
    while (this.unmarked < this.out.end && (id < 0 || id >= this.unmarked)) {
      this.markSlice();
      id = this.marks.next(from);
    }
    return id;
  }

  /** Removes a prefix whose state was sent. */
  remove(id: PrefixId): void {
    if (this.marks.remove(id)) this.prefixes.release(id);
  }

  /** Whether nothing is pending. */
  get isEmpty(): boolean {
    return this.marks.count === 0 && this.unmarked >= this.out.end;
  }

  /** Removes everything, at most `budget` prefixes from `from` on; returns where to go on, or 0 when all is done. */
  clear(from: number, budget: number): number {
    this.unmarked = Number.POSITIVE_INFINITY;
    let id = this.marks.next(from);
    for (let left = budget; id >= 0 && left > 0; left--) {
      this.remove(id);
      id = this.marks.next(id + 1);
    }
    return Math.max(0, id);
  }

  private mark(id: PrefixId): void {
    if (this.marks.add(id)) this.prefixes.hold(id);
  }

  private markSlice(): void {
    const { out, unmarked } = this;
    const end = Math.min(out.end, unmarked + this.slice);
    for (let id = unmarked as PrefixId; id < end; id++) if (out.has(id)) this.mark(id);
    this.unmarked = end;
  }
}

const CHUNK_SIZE = 65536;

/** A member that does not follow the log of its group. */
export interface DirectReader {
  /** The source that its own routes come from; these are not sent to it. */
  readonly source: SourceId;
  /** The prefixes whose state it has yet to be sent. */
  pending: PendingPrefixes;
  /** What it was advertised by the group that it came from; what is the same here is not sent again. */
  previous: PreviousAdjRibOut | null;
}

/** Encodes the present Adj-RIB-Out of an update group for single members, past the log. */
export class DirectEncoder {
  private readonly rib: FamilyRib;
  private readonly out: AdjRibOut;
  private readonly exporter: AttributeExporter;
  private readonly profile: ExportProfile;
  private readonly builder: UpdateBuilder;
  /** Octets and messages made so far. */
  octets = 0;
  messages = 0;
  /** Messages lie behind each other in a chunk; what `flush` has handed out is not written to again. */
  private chunk: Uint8Array = new Uint8Array(0);
  private flushed = 0;
  private used = 0;

  constructor(
    rib: FamilyRib,
    out: AdjRibOut,
    exporter: AttributeExporter,
    profile: ExportProfile,
    layout: UpdateLayout,
  ) {
    this.rib = rib;
    this.out = out;
    this.exporter = exporter;
    this.profile = profile;
    this.builder = new UpdateBuilder(rib.prefixes, layout);
  }

  /**
   * Encodes pending prefixes of a member from `first` on, and removes them from its pending ones. Returns the next
   * pending prefix, or a negative number. The messages are in `parts` after `flush`.
   */
  encode(reader: DirectReader, first: PrefixId, parts: Uint8Array[]): PrefixId {
    return this.out.width === 1
      ? this.encodeRun(reader, first, parts)
      : this.encodeSlots(reader, first, parts);
  }

  /** Hands out the messages made so far. */
  flush(parts: Uint8Array[]): void {
    if (this.used > this.flushed) parts.push(this.chunk.subarray(this.flushed, this.used));
    this.flushed = this.used;
  }

  /** Encodes one message for successive pending prefixes with the same route. */
  private encodeRun(reader: DirectReader, first: PrefixId, parts: Uint8Array[]): PrefixId {
    const { source, pending, previous } = reader;
    const route = this.routeFor(source, first, 0);
    if (previous?.match(first, route, source)) return done(pending, first);
    this.begin(route);
    let id = first;
    while (id >= 0) {
      const other = id === first ? route : this.routeFor(source, id, 0);
      if (other?.attrs !== route?.attrs || other?.source !== route?.source || !this.builder.fits(id)) break;
      if (previous?.match(id, other, source)) break;
      this.builder.add(id, 1);
      previous?.invalidate(id);
      id = done(pending, id);
    }
    this.finish(parts);
    return id;
  }

  /** ADD-PATH: encodes a message for every slot of one prefix, whether advertised or not. */
  private encodeSlots({ source, pending }: DirectReader, id: PrefixId, parts: Uint8Array[]): PrefixId {
    for (let slot = 0; slot < this.out.width; slot++) {
      this.begin(this.routeFor(source, id, slot));
      this.builder.add(id, slot + 1);
      this.finish(parts);
    }
    return done(pending, id);
  }

  private begin(route: AdvertisedRoute | null): void {
    if (route) {
      const from = this.rib.sources.get(route.source);
      this.exporter.write(this.rib.attributes, route.attrs, from, this.profile);
    }
    this.builder.begin(route ? this.exporter : null);
  }

  private finish(parts: Uint8Array[]): void {
    const { builder } = this;
    builder.finish();
    if (this.used + builder.length > this.chunk.length) {
      this.flush(parts);
      this.chunk = new Uint8Array(CHUNK_SIZE);
      this.flushed = this.used = 0;
    }
    this.used = copyOctets(builder.bytes, 0, builder.length, this.chunk, this.used);
    this.octets += builder.length;
    this.messages++;
  }

  /** The route in a slot as this member sees it; null when it is its own, or when its source was removed meanwhile. */
  private routeFor(source: SourceId, id: PrefixId, slot: number): AdvertisedRoute | null {
    const route = this.out.get(id, slot);
    if (!route || route.source === source) return null;
    return this.rib.sources.find(route.source) ? route : null;
  }
}

/** Removes a prefix from the pending ones; returns the next one, or a negative number. */
function done(pending: PendingPrefixes, id: PrefixId): PrefixId {
  pending.remove(id);
  return pending.next(id + 1);
}
