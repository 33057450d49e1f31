import { copyOctets } from '../../wire/cursor.ts';
import type { FamilyRib } from '../family-rib.ts';
import type { PrefixId, SourceId } from '../store/ids.ts';
import type { AdjRibOut, AdvertisedRoute, PreviousAdjRibOut } from './adj-rib-out.ts';
import type { AttributeExporter } from './export.ts';
import type { ExportProfile, UpdateLayout } from './export-profile.ts';
import type { PendingPrefixes } from './pending-prefixes.ts';
import { UpdateBuilder } from './update-packer.ts';

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
