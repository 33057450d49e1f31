import { copyOctets } from '../../wire/cursor.ts';
import type { FamilyRib } from '../family-rib.ts';
import type { AdjRibOut, AdvertisedRoute } from './adj-rib-out.ts';
import type { AttributeExporter } from './export.ts';
import type { ExportProfile } from './export-profile.ts';
import type { PendingPrefixes } from './pending-prefixes.ts';
import type { PreviousAdjRibOut } from './previous-adj-rib-out.ts';
import { UpdateBuilder, type UpdateLayout } from './update-builder.ts';

const CHUNK_SIZE = 65536;

/** Encodes the present state of an update group for one member, beside the log: for those who do not follow it. */
export class DirectEncoder {
  private readonly rib: FamilyRib;
  private readonly out: AdjRibOut;
  private readonly exporter: AttributeExporter;
  private readonly profile: ExportProfile;
  private readonly single: UpdateBuilder;
  /** Octets and messages made so far. */
  octets = 0;
  messages = 0;
  /** Messages lie behind each other in chunks; what was handed out is not written again. */
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
    this.single = new UpdateBuilder(rib.prefixes, layout);
  }

  /**
   * Messages about marked prefixes from `first` on, for the member whose own routes come from `source`; clears their
   * marks. `former`: what the member was told before it came to the group; what is still so is not told again. Returns
   * the next marked prefix, or -1. The messages are in `parts` after `flush`.
   */
  encode(
    pending: PendingPrefixes,
    first: number,
    source: number,
    parts: Uint8Array[],
    previous: PreviousAdjRibOut | null,
  ): number {
    return this.out.width === 1
      ? this.encodeRun(pending, first, source, parts, previous)
      : this.encodeSlots(pending, first, source, parts);
  }

  /** Hands out the messages made so far. */
  flush(parts: Uint8Array[]): void {
    if (this.used > this.flushed) parts.push(this.chunk.subarray(this.flushed, this.used));
    this.flushed = this.used;
  }

  /** One message for marked prefixes from `first` on that share their fate; clears their marks. Returns the next one. */
  private encodeRun(
    pending: PendingPrefixes,
    first: number,
    source: number,
    parts: Uint8Array[],
    previous: PreviousAdjRibOut | null,
  ): number {
    const route = this.toldTo(source, first, 0);
    if (previous?.match(first, route, source)) return done(pending, first);
    this.beginSingle(route);
    let id = first;
    while (id >= 0) {
      const other = id === first ? route : this.toldTo(source, id, 0);
      if (other?.attrs !== route?.attrs || other?.source !== route?.source || !this.single.fits(id)) break;
      if (previous?.match(id, other, source)) break;
      this.single.add(id, 1);
      previous?.invalidate(id);
      id = done(pending, id);
    }
    this.endSingle(parts);
    return id;
  }

  /** ADD-PATH: a message for every slot of one prefix, whether announced or not. */
  private encodeSlots(pending: PendingPrefixes, id: number, source: number, parts: Uint8Array[]): number {
    for (let slot = 0; slot < this.out.width; slot++) {
      this.beginSingle(this.toldTo(source, id, slot));
      this.single.add(id, slot + 1);
      this.endSingle(parts);
    }
    return done(pending, id);
  }

  private beginSingle(route: AdvertisedRoute | null): void {
    if (route) {
      const from = this.rib.sources.get(route.source);
      this.exporter.write(this.rib.attributes, route.attrs, from, this.profile);
    }
    this.single.begin(route ? this.exporter : null);
  }

  private endSingle(parts: Uint8Array[]): void {
    const { single } = this;
    single.finish();
    if (this.used + single.length > this.chunk.length) {
      this.flush(parts);
      this.chunk = new Uint8Array(CHUNK_SIZE);
      this.flushed = this.used = 0;
    }
    this.used = copyOctets(single.bytes, 0, single.length, this.chunk, this.used);
    this.octets += single.length;
    this.messages++;
  }

  /** The route that the group's state has for this member. One whose source has gone is about to change: none. */
  private toldTo(source: number, id: number, slot: number): AdvertisedRoute | null {
    const route = this.out.get(id, slot);
    if (!route || route.source === source) return null;
    return this.rib.sources.find(route.source) ? route : null;
  }
}

/** The member was told of a prefix; returns the next one, or -1. */
function done(pending: PendingPrefixes, id: number): number {
  pending.remove(id);
  return pending.next(id + 1);
}
