/** The attributes of a route as a kind of peer gets them (RFC 4271 §5.1, RFC 4456 §8, RFC 6793 §4.2.2). */
import { pathForTwoOctets } from '../wire/as4.ts';
import { AttributeType, Flag } from '../wire/attribute-types.ts';
import { readU32, writeU16, writeU32 } from '../wire/cursor.ts';
import { AS_TRANS } from '../wire/open.ts';
import { eachAttribute } from '../wire/tlv.ts';
import type { AttributeTable } from './attribute-table.ts';
import { type Source, SourceKind } from './source.ts';
import type { ExportTreatment } from './treatment.ts';

const { origin, asPath, nextHop, med, localPref, aggregator, originatorId, clusterList } = AttributeType;
/** Up to this type code attributes are looked up by type; behind it they are copied in ascending order. */
const LAST_INDEXED = clusterList;

/**
 * Writes attributes for export, one set at a time, into a buffer that is reused. Positions of the set's attributes are
 * collected first because a sender may have put them in any order.
 */
export class AttributeExporter {
  readonly bytes = new Uint8Array(8192);
  /** Octets of the result. */
  length = 0;
  private readonly starts = new Int32Array(LAST_INDEXED + 1);
  private readonly ends = new Int32Array(LAST_INDEXED + 1);
  private readonly others: { type: number; start: number; end: number }[] = [];
  private chunk: Uint8Array = new Uint8Array(0);

  /** Writes set `set`, learned from `source`, for peers of treatment `t`; false when it does not fit a message. */
  write(table: AttributeTable, set: number, source: Source, t: ExportTreatment): boolean {
    this.collect(table, set);
    this.length = 0;
    this.copy(origin);
    this.writeAsPath(t);
    this.writeNextHop(source, t);
    if (!t.ebgp || source.kind === SourceKind.local) this.copy(med);
    this.writeLocalPref(t);
    this.copy(AttributeType.atomicAggregate);
    this.writeAggregator(t);
    this.copy(AttributeType.communities);
    this.writeReflection(source, t);
    for (const { start, end } of this.others) this.append(this.chunk, start, end);
    // The header, both length fields and the longest IPv4 prefix must fit beside them.
    return this.length + 23 + 5 <= 4096;
  }

  private collect(table: AttributeTable, set: number): void {
    this.chunk = table.chunkOf(set);
    const offset = table.offsetOf(set);
    this.starts.fill(-1);
    this.others.length = 0;
    eachAttribute(this.chunk, offset, offset + table.lengthOf(set), (type, _flags, _from, to, at) => {
      if (type <= LAST_INDEXED) {
        this.starts[type] = at;
        this.ends[type] = to;
      } else {
        this.others.push({ type, start: at, end: to });
      }
    });
    if (this.others.length > 1) this.others.sort((a, b) => a.type - b.type);
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

  private writeAsPath(t: ExportTreatment): void {
    const present = this.starts[asPath] >= 0;
    const from = present ? this.valueStart(asPath) : 0;
    const to = present ? this.ends[asPath] : 0;
    const begin = this.length;
    if (t.ebgp) this.prepend(t.localAs, from, to);
    else if (present) this.copy(asPath);
    else this.header(Flag.transitive, asPath, 0);
    if (t.fourOctetAs) return;
    const value = begin + ((this.bytes[begin] & Flag.extended) !== 0 ? 4 : 3);
    const [path, as4Path] = pathForTwoOctets(this.bytes, value, this.length);
    this.length = begin;
    this.append(path, 0, path.length);
    if (as4Path) this.others.push({ type: AttributeType.as4Path, ...this.park(as4Path) });
  }

  /** Keeps a made attribute behind the set's own, to be written in its turn. */
  private park(attribute: Uint8Array): { start: number; end: number } {
    const joined = new Uint8Array(this.chunk.length + attribute.length);
    joined.set(this.chunk);
    joined.set(attribute, this.chunk.length);
    const start = this.chunk.length;
    this.chunk = joined;
    return { start, end: joined.length };
  }

  /** RFC 4271 §5.1.2: our AS goes to the front of the leading sequence, or into a new one. */
  private prepend(as: number, from: number, to: number): void {
    const joins = to - from >= 2 && this.chunk[from] === 2 && this.chunk[from + 1] < 255;
    const length = to - from + (joins ? 4 : 6);
    this.header(Flag.transitive, asPath, length);
    this.bytes[this.length] = 2;
    this.bytes[this.length + 1] = joins ? this.chunk[from + 1] + 1 : 1;
    writeU32(this.bytes, this.length + 2, as);
    this.length += 6;
    this.append(this.chunk, joins ? from + 2 : from, to);
  }

  private writeNextHop(source: Source, t: ExportTreatment): void {
    const fromInside = source.kind === SourceKind.internal || source.kind === SourceKind.client;
    const keep = !t.ebgp && fromInside && !t.nextHopSelf && this.starts[nextHop] >= 0;
    if (keep) this.copy(nextHop);
    else this.word(Flag.transitive, nextHop, t.nextHop);
  }

  private writeLocalPref(t: ExportTreatment): void {
    if (t.ebgp) return;
    if (this.starts[localPref] >= 0) this.copy(localPref);
    else this.word(Flag.transitive, localPref, 100);
  }

  private writeAggregator(t: ExportTreatment): void {
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
      this.others.push({ type: AttributeType.as4Aggregator, ...this.park(made) });
    }
  }

  /** ORIGINATOR_ID and CLUSTER_LIST of a reflected route (RFC 4456 §8); never sent outside the AS. */
  private writeReflection(source: Source, t: ExportTreatment): void {
    if (t.ebgp) return;
    const reflected = source.kind === SourceKind.internal || source.kind === SourceKind.client;
    if (!reflected) {
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
    writeU32(this.bytes, this.length, t.clusterId);
    this.length += 4;
    this.append(this.chunk, from, to);
  }
}
