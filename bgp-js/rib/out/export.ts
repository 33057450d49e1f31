/** The attributes of a route as a kind of peer gets them (RFC 4271 §5.1, RFC 4456 §8, RFC 6793 §4.2.2). */
import { pathForTwoOctets, readSegments, writeSegments } from '../../wire/as-path.ts';
import {
  AttributeType,
  Community,
  eachAttribute,
  Flag,
  Segment,
  SetFlag,
} from '../../wire/attribute-types.ts';
import { readU32, writeU16, writeU32 } from '../../wire/cursor.ts';
import { AS_TRANS } from '../../wire/open.ts';
import type { Role } from '../../wire/role.ts';
import { type Source, SourceKind } from '../source.ts';
import { type AttributeTable, AttrsKind } from '../store/attribute-table.ts';
import { changesPath, externalPath, ownPath } from './export-path.ts';
import { type ExportProfile, setsNextHop } from './export-profile.ts';
import type { UpdateLayout } from './update-builder.ts';

const { origin, asPath, nextHop, med, localPref, aggregator, originatorId, clusterList, mpReach } =
  AttributeType;
const NO_NEXT_HOP = new Uint8Array(0);
/** Up to this type code attributes are looked up by type; behind it they are copied in ascending order. */
const LAST_INDEXED = clusterList;
/** Where the metric begins in an AIGP TLV (RFC 7311 §3). */
const AIGP_METRIC = 3;

/** Whether routes from `source` are marked as about to go: those whose next hop is this speaker. */
const drains = (t: ExportProfile, source: Source): boolean =>
  t.gracefulShutdown === true && setsNextHop(t, source);

/**
 * Writes attributes for export, one set at a time, into a buffer that is reused. Positions of the set's attributes are
 * collected first because a sender may have put them in any order.
 */
export class AttributeExporter {
  readonly bytes: Uint8Array;
  /** Octets of the result. */
  length = 0;
  /** The next hop for MP_REACH_NLRI, where the layout has it there. */
  mpNextHop: Uint8Array = NO_NEXT_HOP;
  private readonly layout: UpdateLayout;
  private readonly starts = new Int32Array(LAST_INDEXED + 1);
  private readonly ends = new Int32Array(LAST_INDEXED + 1);
  private readonly others: { type: number; bytes: Uint8Array; start: number; end: number }[] = [];
  private chunk: Uint8Array = new Uint8Array(0);

  constructor(layout: UpdateLayout) {
    this.layout = layout;
    // A set is at most as long as a message; prepending, reflection and AS4_PATH make it a little longer.
    this.bytes = new Uint8Array(layout.maxLength > 4096 ? 2 * 65536 : 2 * 4096);
  }

  /**
   * Writes set `set`, learned from `source`, for peers of treatment `t`; false when it does not fit
   * a message, or when there is no next hop that the peers understand.
   */
  write(table: AttributeTable, attrs: number, source: Source, t: ExportProfile): boolean {
    this.collect(table, attrs);
    this.length = 0;
    const flags = table.flags.values[attrs];
    this.copy(origin);
    this.writeAsPath(flags, t);
    const kind = table.kindOf(attrs);
    if (!this.writeNextHop(kind, source, t)) return false;
    const ownMed = (kind & AttrsKind.medByPolicy) !== 0 || source.kind === SourceKind.local;
    if (!t.ebgp || t.routeServer || ownMed) this.copy(med);
    this.writeLocalPref(table.localPref.values[attrs], source, t);
    this.copy(AttributeType.atomicAggregate);
    this.writeAggregator(t);
    this.writeCommunities(flags, source, t);
    this.writeReflection(source, t);
    if (t.role) this.addOnlyToCustomer(flags, t.role, t.localAs);
    this.writeOthers(source, t);
    // The header, the length fields, MP_REACH_NLRI and the longest prefix must fit beside them.
    const { multiprotocol, family, pathIdBytes, maxLength } = this.layout;
    const reach = multiprotocol ? 9 + this.mpNextHop.length : 0;
    return this.length + 23 + reach + pathIdBytes + 1 + family.bits / 8 <= maxLength;
  }

  private collect(table: AttributeTable, attrs: number): void {
    this.chunk = table.chunkOf(attrs);
    const offset = table.offsetOf(attrs);
    this.starts.fill(-1);
    this.others.length = 0;
    eachAttribute(this.chunk, offset, offset + table.lengthOf(attrs), (type, _flags, _from, to, at) => {
      if (type <= LAST_INDEXED) {
        this.starts[type] = at;
        this.ends[type] = to;
      } else {
        this.others.push({ type, bytes: this.chunk, start: at, end: to });
      }
    });
  }

  private append(from: Uint8Array, start: number, end: number): void {
    const { bytes } = this;
    let at = this.length;
    for (let i = start; i < end; i++) bytes[at++] = from[i];
    this.length = at;
  }

  private copy(type: number): void {
    if (this.starts[type] >= 0) this.append(this.chunk, this.starts[type], this.ends[type]);
  }

  private header(flags: number, type: number, length: number): void {
    const { bytes } = this;
    const wide = length > 255;
    bytes[this.length] = wide ? flags | Flag.extended : flags;
    bytes[this.length + 1] = type;
    if (wide) writeU16(bytes, this.length + 2, length);
    else bytes[this.length + 2] = length;
    this.length += wide ? 4 : 3;
  }

  private word(flags: number, type: number, value: number): void {
    this.header(flags, type, 4);
    writeU32(this.bytes, this.length, value);
    this.length += 4;
  }

  /** Where the value of an attribute begins. */
  private valueStart(type: number): number {
    const start = this.starts[type];
    return start + ((this.chunk[start] & Flag.extended) !== 0 ? 4 : 3);
  }

  private writeAsPath(flags: number, t: ExportProfile): void {
    const present = this.starts[asPath] >= 0;
    const from = present ? this.valueStart(asPath) : 0;
    const to = present ? this.ends[asPath] : 0;
    const begin = this.length;
    if (t.ebgp && changesPath(t, flags)) {
      const path = writeSegments(externalPath(readSegments(this.chunk, from, to, 4), t), 4);
      this.prepend(ownPath(t), path, 0, path.length);
    } else if (t.ebgp) this.prepend(ownPath(t), this.chunk, from, to);
    else if (present) this.copy(asPath);
    else this.header(Flag.transitive, asPath, 0);
    if (t.fourOctetAs) return;
    const value = begin + ((this.bytes[begin] & Flag.extended) !== 0 ? 4 : 3);
    const [path, as4Path] = pathForTwoOctets(this.bytes, value, this.length);
    this.length = begin;
    this.append(path, 0, path.length);
    if (as4Path) this.add(AttributeType.as4Path, as4Path);
  }

  /** Keeps a made attribute, to be written in its turn. */
  private add(type: number, made: Uint8Array): void {
    this.others.push({ type, bytes: made, start: 0, end: made.length });
  }

  /** RFC 4271 §5.1.2: our AS goes to the front of the leading sequence, or into a new one. */
  private prepend(ases: readonly number[], path: Uint8Array, from: number, to: number): void {
    const added = ases.length;
    const joins = to - from >= 2 && path[from] === Segment.sequence && path[from + 1] + added <= 255;
    const opens = added > 0 && !joins;
    this.header(Flag.transitive, asPath, to - from + 4 * added + (opens ? 2 : 0));
    if (added > 0) {
      this.bytes[this.length] = Segment.sequence;
      this.bytes[this.length + 1] = joins ? path[from + 1] + added : added;
      this.length += 2;
      for (const as of ases) {
        writeU32(this.bytes, this.length, as);
        this.length += 4;
      }
    }
    this.append(path, added > 0 && joins ? from + 2 : from, to);
  }

  /** RFC 4271 §5.1.3, RFC 2545 §3, RFC 8950 §4; false when there is none that the peers understand. */
  private writeNextHop(kind: number, source: Source, t: ExportProfile): boolean {
    const byPolicy = (kind & (AttrsKind.nextHopKept | AttrsKind.nextHopSelf)) !== 0;
    const keep = byPolicy ? (kind & AttrsKind.nextHopKept) !== 0 : !setsNextHop(t, source);
    const v4 = this.starts[nextHop] >= 0;
    this.mpNextHop = NO_NEXT_HOP;
    if (!this.layout.multiprotocol) {
      if (keep && v4) this.copy(nextHop);
      else if (keep || !t.nextHop) return false;
      else this.word(Flag.transitive, nextHop, t.nextHop.value);
      return true;
    }
    if (keep) this.mpNextHop = v4 ? this.storedIPv4() : this.storedMultiprotocol();
    else if (t.nextHop6.length > 0) this.mpNextHop = Buffer.concat(t.nextHop6.map((hop) => hop.toBytes()));
    else if (this.layout.family.usesUpdateFields && t.nextHop) this.mpNextHop = t.nextHop.toBytes();
    return this.mpNextHop.length > 0;
  }

  private storedIPv4(): Uint8Array {
    const at = this.valueStart(nextHop);
    return this.chunk.subarray(at, at + 4);
  }

  /** The next hop of the stored MP_REACH_NLRI: AFI, SAFI, its length, and then the next hop itself. */
  private storedMultiprotocol(): Uint8Array {
    const stored = this.others.find(({ type }) => type === mpReach);
    if (!stored) return NO_NEXT_HOP;
    const { bytes, start } = stored;
    const at = start + ((bytes[start] & Flag.extended) !== 0 ? 4 : 3);
    return bytes.subarray(at + 4, at + 4 + bytes[at + 3]);
  }

  /** `value`: that of the set, also where the attribute is not there. */
  private writeLocalPref(value: number, source: Source, t: ExportProfile): void {
    if (t.ebgp) return;
    this.word(Flag.transitive, localPref, drains(t, source) ? 0 : value);
  }

  /** RFC 8326 §4.3: while this speaker drains, what it forwards itself is marked. */
  private writeCommunities(flags: number, source: Source, t: ExportProfile): void {
    const { communities } = AttributeType;
    if (!drains(t, source) || (flags & SetFlag.gracefulShutdown) !== 0) return this.copy(communities);
    const present = this.starts[communities] >= 0;
    const from = present ? this.valueStart(communities) : 0;
    const to = present ? this.ends[communities] : 0;
    this.header(Flag.optional | Flag.transitive, communities, to - from + 4);
    this.append(this.chunk, from, to);
    writeU32(this.bytes, this.length, Community.gracefulShutdown);
    this.length += 4;
  }

  /** RFC 9234 §5: towards customers, peers and clients of a route server, OTC with our AS where there is none. */
  private addOnlyToCustomer(flags: number, role: Role, as: number): void {
    if (role === 'customer' || role === 'rs-client' || (flags & SetFlag.onlyToCustomer) !== 0) return;
    const type = AttributeType.onlyToCustomer;
    const made = Uint8Array.of(Flag.optional | Flag.transitive, type, 4, 0, 0, 0, 0);
    writeU32(made, 3, as);
    this.add(type, made);
  }

  /** The attributes behind the indexed ones, in ascending order of type (RFC 4271 §5). */
  private writeOthers(source: Source, t: ExportProfile): void {
    if (this.others.length > 1) this.others.sort((a, b) => a.type - b.type);
    for (const { type, bytes, start, end } of this.others) {
      if (type === mpReach || (type === AttributeType.aigp && !t.aigp)) continue;
      this.append(bytes, start, end);
      if (type === AttributeType.aigp && setsNextHop(t, source)) this.growAigp(this.length - (end - start));
    }
  }

  /**
   * RFC 7311 §3.4: the metric grows by the way to the next hop when that becomes ours. Next hops are resolved by the
   * dataplane, which has no metric, so that every way counts as 1.
   */
  private growAigp(at: number): void {
    const { bytes } = this;
    const tlv = at + ((bytes[at] & Flag.extended) !== 0 ? 4 : 3);
    const metric = tlv + AIGP_METRIC;
    if (bytes[tlv] !== 1) return;
    for (let i = metric + 7; i >= metric; i--) {
      bytes[i]++;
      if (bytes[i] !== 0) return;
    }
    // It was the largest metric, and stays that.
    bytes.fill(0xff, metric, metric + 8);
  }

  private writeAggregator(t: ExportProfile): void {
    if (t.fourOctetAs || this.starts[aggregator] < 0) return this.copy(aggregator);
    const from = this.valueStart(aggregator);
    const as = readU32(this.chunk, from);
    const flags = Flag.optional | Flag.transitive;
    this.header(flags, aggregator, 6);
    writeU16(this.bytes, this.length, as > 0xffff ? AS_TRANS : as);
    this.length += 2;
    this.append(this.chunk, from + 4, from + 8);
    if (as > 0xffff) {
      const value = this.chunk.slice(from, from + 8);
      const made = Uint8Array.of(flags, AttributeType.as4Aggregator, 8, ...value);
      this.add(AttributeType.as4Aggregator, made);
    }
  }

  /** ORIGINATOR_ID and CLUSTER_LIST of a reflected route (RFC 4456 §8); never sent outside the AS. */
  private writeReflection(source: Source, t: ExportProfile): void {
    if (t.ebgp) return;
    const { clusterId } = t;
    const reflected = source.kind === SourceKind.internal || source.kind === SourceKind.client;
    if (!reflected || clusterId === null) {
      this.copy(originatorId);
      this.copy(clusterList);
      return;
    }
    if (this.starts[originatorId] >= 0) this.copy(originatorId);
    else this.word(Flag.optional, originatorId, source.routerId);
    const present = this.starts[clusterList] >= 0;
    const from = present ? this.valueStart(clusterList) : 0;
    const to = present ? this.ends[clusterList] : 0;
    this.header(Flag.optional, clusterList, to - from + 4);
    writeU32(this.bytes, this.length, clusterId);
    this.length += 4;
    this.append(this.chunk, from, to);
  }
}
