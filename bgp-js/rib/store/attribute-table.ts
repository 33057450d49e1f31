/**
 * Sets of path attributes, interned by their stored wire form: routes with the same attributes share one number. What
 * the decision process compares is kept as columns; everything else is decoded when somebody looks.
 */
import { IPAddress } from '../../ip/index.ts';
import { AttributeType, eachAttribute, SetFlag } from '../../wire/attribute-types.ts';
import { type Attributes, decodeAttributes } from '../../wire/attributes.ts';
import type { AttributeContext, AttributeScan } from '../../wire/scan-result.ts';
import { LOCAL_SOURCE } from '../source.ts';
import { Arena } from './arena.ts';
import { U8Column, U16Column, U32Column } from './column.ts';
import { FreeList } from './free-list.ts';

/**
 * From which kind of session a set came. It is a part of the key: what is sound from one kind of peer may be
 * malformed from the other, so a set that is found here has been judged for its kind.
 */
export const AttrsKind = {
  internal: 0,
  external: 1,
  /** AIGP is kept from an external peer, or dropped from an internal one. */
  unusualAigp: 2,
  /** Our local AS stands before that of the peer, which is still the neighbouring AS. */
  localAsInFront: 4,
  /** Made by a policy: judged once, when it was made. */
  policy: 16,
  /** An export policy set the MED or the next hop, which are shown as they stand; or asked for our own address. */
  medByPolicy: 32,
  nextHopKept: 64,
  nextHopSelf: 128,
} as const;

/** The kind of sets that come in this context. */
export function attrsKindOf({ ebgp, aigp, edits }: AttributeContext): number {
  const unusual = aigp !== undefined && aigp === ebgp;
  return (
    (ebgp ? AttrsKind.external : AttrsKind.internal) |
    (unusual ? AttrsKind.unusualAigp : 0) |
    (edits?.prependAs ? AttrsKind.localAsInFront : 0)
  );
}

/** Number 0 is never given out: it means "no attributes". */
export const NO_ATTRS = 0;

/** Where the next hop begins in the value of MP_REACH_NLRI (RFC 4760 §3), which the stored form has for IPv6 alone. */
const MP_NEXT_HOP = 4;

/** Unused numbers looked at when a new one is asked for and none is free. */
const RECLAIMED_AT_ONCE = 2;

/** What of a scan is kept as columns. */
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

export class AttributeTable {
  /** How many sets something refers to. */
  size = 0;
  /** How many there are, with those that nothing refers to any more. */
  private entries = 0;
  private readonly unused = new FreeList();
  /** By set: the source that is charged with its octets. By source: how many octets that makes. */
  private readonly chargedSources = new U16Column();
  private readonly chargedOctets = new U32Column();
  private end = 1;
  private readonly arena = new Arena();
  private readonly places = new U32Column();
  private readonly byteLengths = new U16Column();
  private readonly hashes = new U32Column();
  private readonly references = new U32Column();
  private readonly kinds = new U8Column();
  /** Columns of the decision process; the caller indexes `.values` by the set's number. */
  readonly localPref = new U32Column();
  readonly med = new U32Column();
  readonly asPathLength = new U16Column();
  readonly origin = new U8Column();
  readonly firstAs = new U32Column();
  /** The IPv4 next hop, where `SetFlag.ipv4NextHop` is set; see `nextHopOf`. */
  readonly nextHop = new U32Column();
  /** ORIGINATOR_ID, where `SetFlag.originatorId` is set. */
  readonly originatorId = new U32Column();
  readonly clusterListLength = new U16Column();
  /** Bits of SetFlag. */
  readonly flags = new U16Column();
  private slots = new Uint32Array(64);
  private mask = 63;
  /** Numbers to be given out again, chained through `references`; 0 ends the chain. */
  private freeList = NO_ATTRS;

  /** The set of this kind whose stored form these octets are, or NO_SET. */
  find(kind: number, bytes: Uint8Array, start: number, end: number): number {
    return this.slots[this.probe(hash(kind, bytes, start, end), kind, bytes, start, end)];
  }

  /**
   * Adds a set that `find` did not find, with the numbers of its scan; the caller refers to it with `retain`. Its octets
   * are charged to a source for as long as the set exists, also when routes of other sources come to share it: to the
   * peer that sent it or whose path it was made for, or to source 0, this speaker, for what no peer is to answer for.
   */
  add(
    kind: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    scan: AttributeNumbers,
    chargedSource: number,
  ): number {
    const h = hash(kind, bytes, start, end);
    const id = this.allocate();
    this.slots[this.probe(h, kind, bytes, start, end)] = id;
    this.places.values[id] = this.arena.store(bytes, start, end);
    this.byteLengths.values[id] = end - start;
    this.chargedSources.values[id] = chargedSource;
    this.chargedOctets.ensure(chargedSource);
    this.chargedOctets.values[chargedSource] += end - start;
    this.hashes.values[id] = h;
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
    if (++this.entries * 4 > this.slots.length * 3) this.rehash(this.slots.length * 2);
    return id;
  }

  /** The set of this table that is equal to set `id` of another one; it is added, charged to nobody, when there is none. */
  adopt(from: AttributeTable, id: number): number {
    const kind = from.kinds.values[id];
    const bytes = from.chunkOf(id);
    const start = from.offsetOf(id);
    const end = start + from.lengthOf(id);
    const known = this.find(kind, bytes, start, end);
    return known !== NO_ATTRS ? known : this.add(kind, bytes, start, end, from.scanOf(id), LOCAL_SOURCE);
  }

  /** Whether set `id` is equal to a set of another table. */
  isEqual(id: number, other: AttributeTable, otherId: number): boolean {
    if (this.kinds.values[id] !== other.kinds.values[otherId]) return false;
    const start = other.offsetOf(otherId);
    return this.equals(id, other.chunkOf(otherId), start, start + other.lengthOf(otherId));
  }

  /** The numbers of a set, as its scan gave them. */
  private scanOf(id: number): AttributeNumbers {
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

  retain(id: number): void {
    if (this.references.values[id]++ === 0) this.size++;
  }

  /** Gives a reference back; after the last one the number may be given to another set. */
  release(id: number): void {
    if (--this.references.values[id] > 0) return;
    this.size--;
    this.unused.add(id);
  }

  /** Lets go of a set that was added but never retained. */
  releaseUnused(id: number): void {
    if (this.references.values[id] === 0) this.unused.add(id);
  }

  /** Whether there is something to reclaim. */
  get hasUnused(): boolean {
    return this.unused.size > 0;
  }

  /** Takes out sets that nothing refers to, at most `budget` of them. */
  reclaim(budget: number): void {
    for (let i = 0; i < budget; i++) {
      const id = this.unused.take();
      if (id < 0) return;
      if (this.references.values[id] === 0) this.remove(id);
    }
  }

  /** Octets that are charged to a source. */
  octetsOf(source: number): number {
    return source < this.chargedOctets.values.length ? this.chargedOctets.values[source] : 0;
  }

  /** Where the value of an attribute of a set lies in `chunkOf`, or null when the set has none of this type. */
  valueOf(id: number, type: number): { start: number; end: number } | null {
    const at = this.offsetOf(id);
    let found: { start: number; end: number } | null = null;
    eachAttribute(this.chunkOf(id), at, at + this.lengthOf(id), (each, _flags, start, end) => {
      if (each === type) found = { start, end };
    });
    return found;
  }

  /** The next hop of a set, of IPv6 the first one (RFC 2545 §3); null: it has none, as some routes of our own. */
  nextHopOf(id: number): IPAddress | null {
    if ((this.flags.values[id] & SetFlag.ipv4NextHop) !== 0) return IPAddress.v4(this.nextHop.values[id]);
    const reach = this.valueOf(id, AttributeType.mpReach);
    return reach && IPAddress.read(this.chunkOf(id), reach.start + MP_NEXT_HOP, 6);
  }

  /** One of SetKind. */
  kindOf(id: number): number {
    return this.kinds.values[id];
  }

  /** The buffer that holds the stored form of set `id`, from `offsetOf` over `lengthOf` octets. */
  chunkOf(id: number): Uint8Array {
    return this.arena.chunkOf(this.places.values[id]);
  }

  offsetOf(id: number): number {
    return this.arena.offsetOf(this.places.values[id]);
  }

  lengthOf(id: number): number {
    return this.byteLengths.values[id];
  }

  /** The set as an object, for people. */
  decode(id: number): Attributes {
    const at = this.offsetOf(id);
    return decodeAttributes(this.chunkOf(id), at, at + this.lengthOf(id));
  }

  private probe(h: number, kind: number, bytes: Uint8Array, start: number, end: number): number {
    let slot = h & this.mask;
    for (;;) {
      const id = this.slots[slot];
      if (id === NO_ATTRS) return slot;
      if (
        this.hashes.values[id] === h &&
        this.kinds.values[id] === kind &&
        this.equals(id, bytes, start, end)
      ) {
        return slot;
      }
      slot = (slot + 1) & this.mask;
    }
  }

  private equals(id: number, bytes: Uint8Array, start: number, end: number): boolean {
    if (this.byteLengths.values[id] !== end - start) return false;
    const chunk = this.chunkOf(id);
    const at = this.offsetOf(id) - start;
    for (let i = start; i < end; i++) if (chunk[at + i] !== bytes[i]) return false;
    return true;
  }

  private allocate(): number {
    if (this.freeList === NO_ATTRS) this.reclaim(RECLAIMED_AT_ONCE);
    if (this.freeList !== NO_ATTRS) {
      const free = this.freeList;
      this.freeList = this.references.values[free];
      return free;
    }
    const id = this.end++;
    // All columns grow alike, so the first tells whether there is room.
    if (id >= this.places.values.length) for (const column of this.columns()) column.ensure(id);
    return id;
  }

  private columns(): (U8Column | U16Column | U32Column)[] {
    const { places, byteLengths, hashes, references, kinds, localPref, med, asPathLength } = this;
    const { origin, firstAs, nextHop, originatorId, clusterListLength, flags } = this;
    const own = [this.chargedSources, places, byteLengths, hashes, references, kinds];
    const compared = [localPref, med, asPathLength, origin, firstAs, nextHop, originatorId];
    return [...own, ...compared, clusterListLength, flags];
  }

  private rehash(size: number): void {
    const old = this.slots;
    this.slots = new Uint32Array(size);
    this.mask = size - 1;
    for (const id of old) {
      if (id === NO_ATTRS) continue;
      let slot = this.hashes.values[id] & this.mask;
      while (this.slots[slot] !== NO_ATTRS) slot = (slot + 1) & this.mask;
      this.slots[slot] = id;
    }
  }

  private remove(id: number): void {
    let gap = this.hashes.values[id] & this.mask;
    while (this.slots[gap] !== id) gap = (gap + 1) & this.mask;
    let slot = gap;
    for (;;) {
      slot = (slot + 1) & this.mask;
      const other = this.slots[slot];
      if (other === NO_ATTRS) break;
      const home = this.hashes.values[other] & this.mask;
      if (((slot - home) & this.mask) >= ((slot - gap) & this.mask)) {
        this.slots[gap] = other;
        gap = slot;
      }
    }
    this.slots[gap] = NO_ATTRS;
    this.arena.release(this.places.values[id], this.byteLengths.values[id]);
    this.chargedOctets.values[this.chargedSources.values[id]] -= this.byteLengths.values[id];
    this.references.values[id] = this.freeList;
    this.freeList = id;
    this.entries--;
  }
}

/** FNV-1a over the octets, with a final mix. */
function hash(kind: number, bytes: Uint8Array, start: number, end: number): number {
  let h = 0x811c9dc5 ^ kind;
  for (let i = start; i < end; i++) h = Math.imul(h ^ bytes[i], 0x01000193);
  h ^= h >>> 15;
  h = Math.imul(h, 0x85ebca6b);
  return (h ^ (h >>> 13)) >>> 0;
}
