/** The attributes with which a route is advertised (RFC 4271 §5.1, RFC 4456 §8, RFC 6793 §4.2.2). */
import {
  type AsSegment,
  isPrivateAs,
  pathForTwoOctets,
  readSegments,
  writeSegments,
} from '../../wire/as-path.ts';
import {
  AttributeType,
  AttrsFlag,
  Community,
  eachAttribute,
  Flag,
  Segment,
} from '../../wire/attribute-types.ts';
import { readU32, writeU16, writeU32 } from '../../wire/cursor.ts';
import { AS_TRANS } from '../../wire/open.ts';
import type { Role } from '../../wire/role.ts';
import { type Source, SourceKind } from '../source.ts';
import { type AttributeTable, AttrsKind } from '../store/attribute-table.ts';
import type { AttrsId } from '../store/ids.ts';
import { type ExportProfile, setsNextHop, type UpdateLayout } from './export-profile.ts';

const { origin, asPath, nextHop, med, localPref, aggregator, originatorId, clusterList, mpReach } =
  AttributeType;
const NO_NEXT_HOP = new Uint8Array(0);
/** Attributes up to this type code are looked up by type; the others are copied in ascending order. */
const LAST_INDEXED = clusterList;
/** Where the metric begins in an AIGP TLV (RFC 7311 §3). */
const AIGP_METRIC = 3;

/** Whether routes from `source` are advertised as about to go (RFC 8326): those whose next hop is this speaker. */
const drains = (profile: ExportProfile, source: Source): boolean =>
  profile.gracefulShutdown === true && setsNextHop(profile, source);

/**
 * Writes attributes for export, one set at a time, into a buffer that is reused. The positions of the set's attributes
 * are collected first, because a peer may send them in any order.
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
   * Writes a set that was learned from `source`; false when it does not fit a message, or when there is no next hop that
   * the peers understand.
   */
  write(table: AttributeTable, attrs: AttrsId, source: Source, profile: ExportProfile): boolean {
    this.collect(table, attrs);
    this.length = 0;
    const flags = table.flags.values[attrs];
    this.copy(origin);
    this.writeAsPath(flags, profile);
    const kind = table.kindOf(attrs);
    if (!this.writeNextHop(kind, source, profile)) return false;
    const ownMed = (kind & AttrsKind.medByPolicy) !== 0 || source.kind === SourceKind.local;
    if (!profile.ebgp || profile.routeServer || ownMed) this.copy(med);
    this.writeLocalPref(table.localPref.values[attrs], source, profile);
    this.copy(AttributeType.atomicAggregate);
    this.writeAggregator(profile);
    this.writeCommunities(flags, source, profile);
    this.writeReflection(source, profile);
    if (profile.role) this.addOnlyToCustomer(flags, profile.role, profile.localAs);
    this.writeOthers(source, profile);
    // The header, the length fields, MP_REACH_NLRI and the longest prefix must fit beside them.
    const { multiprotocol, family, pathIdBytes, maxLength } = this.layout;
    const reach = multiprotocol ? 9 + this.mpNextHop.length : 0;
    return this.length + 23 + reach + pathIdBytes + 1 + family.bits / 8 <= maxLength;
  }

  private collect(table: AttributeTable, attrs: AttrsId): void {
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

  private writeAsPath(flags: number, profile: ExportProfile): void {
    // Every set has one: import checks it, and a set of our own is made with it.
    const from = this.valueStart(asPath);
    const to = this.ends[asPath];
    const begin = this.length;
    if (profile.ebgp && changesPath(profile, flags)) {
      const path = writeSegments(externalPath(readSegments(this.chunk, from, to, 4), profile), 4);
      this.prepend(ownPath(profile), path, 0, path.length);
    } else if (profile.ebgp) this.prepend(ownPath(profile), this.chunk, from, to);
    else this.copy(asPath);
    if (profile.fourOctetAs) return;
    const value = begin + ((this.bytes[begin] & Flag.extended) !== 0 ? 4 : 3);
    const [path, as4Path] = pathForTwoOctets(this.bytes, value, this.length);
    this.length = begin;
    this.append(path, 0, path.length);
    if (as4Path) this.add(AttributeType.as4Path, as4Path);
  }

  /** Notes a new attribute, which is written in the order of types. */
  private add(type: number, made: Uint8Array): void {
    this.others.push({ type, bytes: made, start: 0, end: made.length });
  }

  /** Prepends AS numbers to the first sequence, or as a new one (RFC 4271 §5.1.2). */
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

  /** RFC 4271 §5.1.3, RFC 2545 §3, RFC 8950 §4; false when the peers understand none. */
  private writeNextHop(kind: number, source: Source, profile: ExportProfile): boolean {
    const byPolicy = (kind & (AttrsKind.nextHopKept | AttrsKind.nextHopSelf)) !== 0;
    const keep = byPolicy ? (kind & AttrsKind.nextHopKept) !== 0 : !setsNextHop(profile, source);
    const v4 = this.starts[nextHop] >= 0;
    this.mpNextHop = NO_NEXT_HOP;
    if (!this.layout.multiprotocol) {
      if (keep && v4) this.copy(nextHop);
      else if (keep || !profile.nextHop) return false;
      else this.word(Flag.transitive, nextHop, profile.nextHop.value);
      return true;
    }
    if (keep) this.mpNextHop = v4 ? this.storedIPv4() : this.storedMultiprotocol();
    else if (profile.nextHop6.length > 0)
      this.mpNextHop = Buffer.concat(profile.nextHop6.map((hop) => hop.toBytes()));
    else if (this.layout.family.usesUpdateFields && profile.nextHop)
      this.mpNextHop = profile.nextHop.toBytes();
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

  /** `value`: that of the set, the default where the set has no LOCAL_PREF. */
  private writeLocalPref(value: number, source: Source, profile: ExportProfile): void {
    if (profile.ebgp) return;
    this.word(Flag.transitive, localPref, drains(profile, source) ? 0 : value);
  }

  /** RFC 8326 §4.3: while this speaker drains, routes that it forwards itself are marked. */
  private writeCommunities(flags: number, source: Source, profile: ExportProfile): void {
    const { communities } = AttributeType;
    if (!drains(profile, source) || (flags & AttrsFlag.gracefulShutdown) !== 0) return this.copy(communities);
    const present = this.starts[communities] >= 0;
    const from = present ? this.valueStart(communities) : 0;
    const to = present ? this.ends[communities] : 0;
    this.header(Flag.optional | Flag.transitive, communities, to - from + 4);
    this.append(this.chunk, from, to);
    writeU32(this.bytes, this.length, Community.gracefulShutdown);
    this.length += 4;
  }

  /** RFC 9234 §5: towards customers, peers and clients of a route server, adds OTC with our AS where there is none. */
  private addOnlyToCustomer(flags: number, role: Role, as: number): void {
    if (role === 'customer' || role === 'rs-client' || (flags & AttrsFlag.onlyToCustomer) !== 0) return;
    const type = AttributeType.onlyToCustomer;
    const made = Uint8Array.of(Flag.optional | Flag.transitive, type, 4, 0, 0, 0, 0);
    writeU32(made, 3, as);
    this.add(type, made);
  }

  /** The attributes that are not indexed, in ascending order of type (RFC 4271 §5). */
  private writeOthers(source: Source, profile: ExportProfile): void {
    if (this.others.length > 1) this.others.sort((a, b) => a.type - b.type);
    for (const { type, bytes, start, end } of this.others) {
      if (type === mpReach || (type === AttributeType.aigp && !profile.aigp)) continue;
      this.append(bytes, start, end);
      if (type === AttributeType.aigp && setsNextHop(profile, source))
        this.growAigp(this.length - (end - start));
    }
  }

  /**
   * RFC 7311 §3.4: the metric grows by the distance of the next hop when that becomes ours. The dataplane resolves next
   * hops and has no metric, so that every distance counts as 1.
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
    // The metric was the largest one, and stays that.
    bytes.fill(0xff, metric, metric + 8);
  }

  private writeAggregator(profile: ExportProfile): void {
    if (profile.fourOctetAs || this.starts[aggregator] < 0) return this.copy(aggregator);
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
  private writeReflection(source: Source, profile: ExportProfile): void {
    if (profile.ebgp) return;
    const { clusterId } = profile;
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

/** Whether AS_PATH of a set with these flags needs changes beyond prepending. */
function changesPath(profile: ExportProfile, attrsFlags: number): boolean {
  return (
    Boolean(profile.removePrivateAs || profile.asOverride) || (attrsFlags & AttrsFlag.confederation) !== 0
  );
}

/**
 * AS_PATH for external peers: without segments of a confederation, which never leave it (RFC 5065 §4.1 c). The profile
 * may remove AS numbers for private use (RFC 6996 §4), though not the peer's own, by which it detects loops; and it may
 * replace the peer's AS by ours (AS override), so that sites that share an AS accept each other's routes.
 */
function externalPath(segments: readonly AsSegment[], profile: ExportProfile): AsSegment[] {
  const exported: AsSegment[] = [];
  for (const { type, ases } of segments) {
    if (type !== 'sequence' && type !== 'set') continue;
    const kept = profile.removePrivateAs
      ? ases.filter((as) => !isPrivateAs(as) || as === profile.peerAs)
      : ases;
    const replaced = profile.asOverride
      ? kept.map((as) => (as === profile.peerAs ? profile.localAs : as))
      : kept;
    if (replaced.length > 0) exported.push({ type, ases: replaced });
  }
  return exported;
}

/** The AS numbers to prepend: none for a route server (RFC 7947 §2.2.2.1), two with a local AS (RFC 7705 §3). */
function ownPath({ routeServer, localAs, globalAs }: ExportProfile): readonly number[] {
  if (routeServer) return [];
  return globalAs ? [localAs, globalAs] : [localAs];
}
