/**
 * Sets of path attributes, interned by their stored wire form: routes with the same attributes share one number. What
 * the decision process compares is kept as columns; everything else is decoded when it is asked for. How long a number
 * stays a set's own: ids.ts.
 */
import { IPAddress } from '../../ip/index.ts';
import { AttributeType, AttrsFlag, eachAttribute } from '../../wire/attribute-types.ts';
import { type Attributes, decodeAttributes } from '../../wire/attributes.ts';
import type { AttributeContext, AttributeScan } from '../../wire/scan-result.ts';
import { FreeList, U8Column, U16Column, U32Column } from './column.ts';
import { type HashKey, HashTable, hashOctets } from './hash-table.ts';
import { type AttrsId, LOCAL_SOURCE, NO_ATTRS, type SourceId } from './ids.ts';

/**
 * Where a set came from. It is a part of the key, because the same octets may be valid from an internal peer and
 * malformed from an external one: a set that is found under its kind was validated for it.
 */
export const AttrsKind = {
  internal: 0,
  external: 1,
  /** AIGP is kept from an external peer, or dropped from an internal one. */
  unusualAigp: 2,
  /** Our local AS stands before that of the peer, which is still the neighbouring AS. */
  localAsInFront: 4,
  /** Made by a policy and validated then. */
  policy: 16,
  /** An export policy set the MED or the next hop, which are advertised as they are, or asked for our own address. */
  medByPolicy: 32,
  nextHopKept: 64,
  nextHopSelf: 128,
} as const;

/** The kind of sets that are received in this context. */
export function attrsKindOf({ ebgp, aigp, edits }: AttributeContext): number {
  const unusual = aigp !== undefined && aigp === ebgp;
  return (
    (ebgp ? AttrsKind.external : AttrsKind.internal) |
    (unusual ? AttrsKind.unusualAigp : 0) |
    (edits?.prependAs ? AttrsKind.localAsInFront : 0)
  );
}

/** Where the next hop begins in the value of MP_REACH_NLRI (RFC 4760 §3), which the stored form has for IPv6 alone. */
const MP_NEXT_HOP = 4;

/** Unused sets that are reclaimed whenever a new number is asked for and none is free. */
const RECLAIMED_AT_ONCE = 2;

/** The numbers of a scan that are kept as columns. */
export type AttributeNumbers = Pick<
  AttributeScan,
  | 'localPref'
  | 'med'
  | 'asPathLength'
  | 'origin'
  | 'firstAs'
  | 'nextHop'
  | 'originatorId'
  | 'clusterListLength'
  | 'flags'
>;

/** A set that `AttributeTable.add` adds. */
export interface NewAttributes {
  /** A bit set of AttrsKind. */
  kind: number;
  /** The stored form lies in `bytes` from `start` to `end`. */
  bytes: Uint8Array;
  start: number;
  end: number;
  /** What a scan of the stored form found. */
  scan: AttributeNumbers;
  /**
   * Its octets are charged to this source for as long as the set exists, also when routes of other sources come to
   * share it: to the peer that sent it or for whose path it was made, or to this speaker when no peer answers for it.
   */
  chargedSource: SourceId;
}

/** All sets of path attributes. */
export class AttributeTable {
  /** How many sets are referred to. */
  size = 0;
  /** Keeps peers from choosing attributes that are slow to find. */
  readonly hashKey: HashKey;
  private readonly unused = new FreeList<AttrsId>();
  /** By set: the source that is charged with its octets. By source: the sum. */
  private readonly chargedSources = new U16Column<SourceId>();
  private readonly chargedOctets = new U32Column();
  private end = 1;
  private readonly arena = new Arena();
  private readonly places = new U32Column();
  private readonly byteLengths = new U16Column();
  private readonly references = new U32Column();
  private readonly kinds = new U8Column();
  /** Columns of the decision process; the caller indexes `.values` by the set's number. */
  readonly localPref = new U32Column();
  readonly med = new U32Column();
  readonly asPathLength = new U16Column();
  readonly origin = new U8Column();
  readonly firstAs = new U32Column();
  /** The IPv4 next hop, where `AttrsFlag.ipv4NextHop` is set; see `nextHopOf`. */
  readonly nextHop = new U32Column();
  /** ORIGINATOR_ID, where `AttrsFlag.originatorId` is set. */
  readonly originatorId = new U32Column();
  readonly clusterListLength = new U16Column();
  /** Bits of AttrsFlag. */
  readonly flags = new U16Column();
  private readonly table = new HashTable();
  /** Numbers to be given out again, chained through `references`. */
  private freeList: AttrsId = NO_ATTRS;

  constructor(hashKey: HashKey) {
    this.hashKey = hashKey;
  }

  /** The set of this kind whose stored form lies in `bytes` from `start` to `end`, or NO_ATTRS. */
  find(kind: number, bytes: Uint8Array, start: number, end: number): AttrsId {
    const hash = hashOctets(this.hashKey, bytes, start, end, kind);
    const { slots, mask, hashes } = this.table;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const id = slots[slot] as AttrsId;
      if (id === NO_ATTRS) return NO_ATTRS;
      if (
        hashes.values[id] === hash &&
        this.kinds.values[id] === kind &&
        this.equals(id, bytes, start, end)
      ) {
        return id;
      }
    }
  }

  /** Adds a set that `find` did not find; the caller retains it. */
  add({ kind, bytes, start, end, scan, chargedSource }: NewAttributes): AttrsId {
    const id = this.allocate();
    this.table.add(id, hashOctets(this.hashKey, bytes, start, end, kind));
    this.places.values[id] = this.arena.store(bytes, start, end);
    this.byteLengths.values[id] = end - start;
    this.chargedSources.values[id] = chargedSource;
    this.chargedOctets.ensure(chargedSource);
    this.chargedOctets.values[chargedSource] += end - start;
    this.references.values[id] = 0;
    this.kinds.values[id] = kind;
    this.localPref.values[id] = scan.localPref;
    this.med.values[id] = scan.med;
    this.asPathLength.values[id] = scan.asPathLength;
    this.origin.values[id] = scan.origin;
    this.firstAs.values[id] = scan.firstAs;
    this.nextHop.values[id] = scan.nextHop;
    this.originatorId.values[id] = scan.originatorId;
    this.clusterListLength.values[id] = scan.clusterListLength;
    this.flags.values[id] = scan.flags;
    return id;
  }

  /** The set of this table that is equal to set `id` of another one; added, and charged to no peer, when there is none. */
  adopt(from: AttributeTable, id: AttrsId): AttrsId {
    const kind = from.kinds.values[id];
    const bytes = from.chunkOf(id);
    const start = from.offsetOf(id);
    const end = start + from.lengthOf(id);
    const known = this.find(kind, bytes, start, end);
    if (known !== NO_ATTRS) return known;
    return this.add({ kind, bytes, start, end, scan: from.scanOf(id), chargedSource: LOCAL_SOURCE });
  }

  /** Whether set `id` is equal to a set of another table. */
  isEqual(id: AttrsId, other: AttributeTable, otherId: AttrsId): boolean {
    if (this.kinds.values[id] !== other.kinds.values[otherId]) return false;
    const start = other.offsetOf(otherId);
    return this.equals(id, other.chunkOf(otherId), start, start + other.lengthOf(otherId));
  }

  /** The numbers of a set, as its scan found them. */
  private scanOf(id: AttrsId): AttributeNumbers {
    return {
      localPref: this.localPref.values[id],
      med: this.med.values[id],
      asPathLength: this.asPathLength.values[id],
      origin: this.origin.values[id],
      firstAs: this.firstAs.values[id],
      nextHop: this.nextHop.values[id],
      originatorId: this.originatorId.values[id],
      clusterListLength: this.clusterListLength.values[id],
      flags: this.flags.values[id],
    };
  }

  /** Keeps a set alive until the same caller releases it. */
  retain(id: AttrsId): void {
    if (this.references.values[id]++ === 0) this.size++;
  }

  /** Ends a reference; after the last one the set may be reclaimed. */
  release(id: AttrsId): void {
    if (--this.references.values[id] > 0) return;
    this.size--;
    this.unused.add(id);
  }

  /** Lets a set that was added and never retained be reclaimed. */
  releaseUnused(id: AttrsId): void {
    if (this.references.values[id] === 0) this.unused.add(id);
  }

  /** Whether there may be something to reclaim. */
  get hasUnused(): boolean {
    return this.unused.size > 0;
  }

  /** Removes sets that are not referred to, at most `budget` of them. */
  reclaim(budget: number): void {
    for (let i = 0; i < budget; i++) {
      const id = this.unused.take();
      if (id === null) return;
      if (this.references.values[id] === 0) this.remove(id);
    }
  }

  /** Octets that are charged to a source. */
  octetsOf(source: SourceId): number {
    return source < this.chargedOctets.values.length ? this.chargedOctets.values[source] : 0;
  }

  /** Where the value of an attribute of a set lies in `chunkOf`, or null when the set has none of this type. */
  valueOf(id: AttrsId, type: number): { start: number; end: number } | null {
    const at = this.offsetOf(id);
    let found: { start: number; end: number } | null = null;
    eachAttribute(this.chunkOf(id), at, at + this.lengthOf(id), (each, _flags, start, end) => {
      if (each === type) found = { start, end };
    });
    return found;
  }

  /** The next hop of a set, of IPv6 the first one (RFC 2545 §3); null when it has none, as some routes of our own. */
  nextHopOf(id: AttrsId): IPAddress | null {
    if ((this.flags.values[id] & AttrsFlag.ipv4NextHop) !== 0) return IPAddress.v4(this.nextHop.values[id]);
    const reach = this.valueOf(id, AttributeType.mpReach);
    return reach && IPAddress.read(this.chunkOf(id), reach.start + MP_NEXT_HOP, 6);
  }

  /** The bit set of AttrsKind of a set. */
  kindOf(id: AttrsId): number {
    return this.kinds.values[id];
  }

  /** The buffer that holds the stored form of set `id`, from `offsetOf` over `lengthOf` octets. */
  chunkOf(id: AttrsId): Uint8Array {
    return this.arena.chunkOf(this.places.values[id]);
  }

  /** Where the stored form begins in `chunkOf`. */
  offsetOf(id: AttrsId): number {
    return this.arena.offsetOf(this.places.values[id]);
  }

  /** Octets of the stored form. */
  lengthOf(id: AttrsId): number {
    return this.byteLengths.values[id];
  }

  /** The set as an object. */
  decode(id: AttrsId): Attributes {
    const at = this.offsetOf(id);
    return decodeAttributes(this.chunkOf(id), at, at + this.lengthOf(id));
  }

  /** The most slots that a search passes; see HashTable. */
  longestProbe(): number {
    return this.table.longestProbe();
  }

  private equals(id: AttrsId, bytes: Uint8Array, start: number, end: number): boolean {
    if (this.byteLengths.values[id] !== end - start) return false;
    const chunk = this.chunkOf(id);
    const at = this.offsetOf(id) - start;
    for (let i = start; i < end; i++) if (chunk[at + i] !== bytes[i]) return false;
    return true;
  }

  private allocate(): AttrsId {
    if (this.freeList === NO_ATTRS) this.reclaim(RECLAIMED_AT_ONCE);
    if (this.freeList !== NO_ATTRS) {
      const free = this.freeList;
      this.freeList = this.references.values[free] as AttrsId;
      return free;
    }
    const id = this.end++ as AttrsId;
    // All columns grow alike, so that the length of one is that of all.
    if (id >= this.places.values.length) for (const column of this.columns()) column.ensure(id);
    return id;
  }

  private columns(): (U8Column | U16Column | U32Column)[] {
    const { chargedSources, places, byteLengths, references, kinds, localPref, med, asPathLength } = this;
    const { origin, firstAs, nextHop, originatorId, clusterListLength, flags } = this;
    const own = [chargedSources, places, byteLengths, references, kinds];
    const compared = [localPref, med, asPathLength, origin, firstAs, nextHop, originatorId];
    return [...own, ...compared, clusterListLength, flags];
  }

  private remove(id: AttrsId): void {
    this.table.remove(id);
    this.arena.release(this.places.values[id], this.byteLengths.values[id]);
    this.chargedOctets.values[this.chargedSources.values[id]] -= this.byteLengths.values[id];
    this.references.values[id] = this.freeList;
    this.freeList = id;
  }
}

const CHUNK_BITS = 18;
const CHUNK_SIZE = 1 << CHUNK_BITS;
const CHUNK_MASK = CHUNK_SIZE - 1;

/**
 * Octet strings in a few large chunks, so that they cost no objects. A released place is reused for a string of the same
 * size class, a multiple of eight octets, so that churn does not make the arena grow.
 */
class Arena {
  /** Space is allocated from the last chunk; the first, empty one counts as full. */
  private readonly chunks: Uint8Array[] = [new Uint8Array(0)];
  private used = CHUNK_SIZE;
  /** Released places by size class. */
  private readonly free = new Map<number, number[]>();

  /** Copies `bytes` from `start` to `end` in; returns the place. */
  store(bytes: Uint8Array, start: number, end: number): number {
    const size = classOf(end - start);
    const place = this.free.get(size)?.pop() ?? this.allocate(size);
    const chunk = this.chunks[place >>> CHUNK_BITS];
    const at = place & CHUNK_MASK;
    for (let i = start; i < end; i++) chunk[at + i - start] = bytes[i];
    return place;
  }

  /** Lets the place of a string of `length` octets be reused. */
  release(place: number, length: number): void {
    const size = classOf(length);
    const list = this.free.get(size);
    if (list) list.push(place);
    else this.free.set(size, [place]);
  }

  /** The chunk that contains a place. */
  chunkOf(place: number): Uint8Array {
    return this.chunks[place >>> CHUNK_BITS];
  }

  /** The offset of a place in its chunk. */
  offsetOf(place: number): number {
    return place & CHUNK_MASK;
  }

  private allocate(size: number): number {
    if (this.used + size > CHUNK_SIZE) {
      this.chunks.push(new Uint8Array(CHUNK_SIZE));
      this.used = 0;
    }
    const place = (this.chunks.length - 1) * CHUNK_SIZE + this.used;
    this.used += size;
    return place;
  }
}

/** The size class of a string: its length, rounded up to a multiple of eight. */
function classOf(length: number): number {
  return (length + 7) & ~7;
}
