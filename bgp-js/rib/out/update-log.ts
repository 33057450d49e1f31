/**
 * Encoded UPDATEs in the order in which they have to be sent, shared by the members of an update group. Each member
 * reads from its own position on; entries that all have passed are dropped.
 */
import { copyOctets } from '../../wire/cursor.ts';
import type { SourceId } from '../store/ids.ts';

const CHUNK_SIZE = 65536;

/**
 * For which members an entry is, by the source that a member's own routes come from: all (0), all but source n (n), or
 * source n alone (-n).
 */
export type Target = number;

/** For all members but source `source`, whose own route it is. This speaker is no member: then it is for all. */
export const except = (source: SourceId): Target => source;

/** For source `source` alone. */
export const only = (source: SourceId): Target => -source;

/** No source has this number. */
export const NO_SOURCE = -1 as SourceId;

/** Whether an entry is for the member whose own routes come from source `source`. */
export function isFor(target: Target, source: SourceId): boolean {
  return target === 0 || (target > 0 ? target !== source : -target === source);
}

/** Numbers kept of an entry: chunk, start, end, target. */
const FIELDS = 4;

/** The log of an update group. */
export class UpdateLog {
  /** The position behind the newest entry; positions only grow. */
  head = 0;
  /** The position of the oldest entry that is kept. */
  tail = 0;
  /** Octets from tail to head. */
  octets = 0;
  /** The entry that `look` found: its octets lie in `bytes` from `start` to `end`. */
  bytes: Uint8Array = new Uint8Array(0);
  start = 0;
  end = 0;
  target: Target = 0;
  /** The entries from tail to head, in a ring whose length is a power of two. */
  private ring = new Int32Array(FIELDS * 64);
  /**
   * Chunks from the one of the oldest entry to the newest, and the number of the first of them. The first, empty one
   * counts as full.
   */
  private chunks: Uint8Array[] = [new Uint8Array(0)];
  private firstChunk = 0;
  /** Octets used of the newest chunk. */
  private used = CHUNK_SIZE;

  /** Copies a message of `length` octets to the end. */
  append(message: Uint8Array, length: number, target: Target): void {
    if (this.used + length > CHUNK_SIZE) {
      this.chunks.push(new Uint8Array(CHUNK_SIZE));
      this.used = 0;
    }
    const chunk = this.chunks.length - 1;
    copyOctets(message, 0, length, this.chunks[chunk], this.used);
    if ((this.head - this.tail + 1) * FIELDS > this.ring.length) this.grow();
    const at = this.placeOf(this.head++);
    this.ring[at] = this.firstChunk + chunk;
    this.ring[at + 1] = this.used;
    this.used += length;
    this.ring[at + 2] = this.used;
    this.ring[at + 3] = target;
    this.octets += length;
  }

  /** Puts the entry at a position from tail to head into the fields of this object. */
  look(position: number): void {
    const at = this.placeOf(position);
    this.bytes = this.chunks[this.ring[at] - this.firstChunk];
    this.start = this.ring[at + 1];
    this.end = this.ring[at + 2];
    this.target = this.ring[at + 3];
  }

  /** Drops everything before `position`. */
  trim(position: number): void {
    if (position <= this.tail) return;
    for (let i = this.tail; i < position; i++) {
      const at = this.placeOf(i);
      this.octets -= this.ring[at + 2] - this.ring[at + 1];
    }
    this.tail = position;
    // The newest chunk stays, because there may be room in it.
    const first =
      position < this.head ? this.ring[this.placeOf(position)] : this.firstChunk + this.chunks.length - 1;
    if (first === this.firstChunk) return;
    this.chunks = this.chunks.slice(first - this.firstChunk);
    this.firstChunk = first;
  }

  private placeOf(position: number): number {
    return (position * FIELDS) & (this.ring.length - 1);
  }

  private grow(): void {
    const { ring } = this;
    this.ring = new Int32Array(ring.length * 2);
    for (let i = this.tail; i < this.head; i++) {
      const from = (i * FIELDS) & (ring.length - 1);
      this.ring.set(ring.subarray(from, from + FIELDS), this.placeOf(i));
    }
  }
}

/** A reader of a log. */
export interface LogReader {
  /** The source whose own entries are not for this reader. */
  readonly source: SourceId;
  /** The position of the next entry to be read. */
  position: number;
  /** Messages read so far. */
  updatesSent: number;
}

/**
 * Collects entries for the reader in `parts`, adjacent ones as one part, until they have `limit` octets. Returns their
 * octets.
 */
export function readLog(log: UpdateLog, reader: LogReader, limit: number, parts: Uint8Array[]): number {
  let octets = 0;
  let bytes: Uint8Array | null = null;
  let start = 0;
  let end = 0;
  while (reader.position < log.head && octets < limit) {
    log.look(reader.position++);
    if (!isFor(log.target, reader.source)) continue;
    octets += log.end - log.start;
    reader.updatesSent++;
    if (bytes === log.bytes && end === log.start) {
      end = log.end;
      continue;
    }
    if (bytes) parts.push(bytes.subarray(start, end));
    ({ bytes, start, end } = log);
  }
  if (bytes) parts.push(bytes.subarray(start, end));
  return octets;
}

/** A stretch of more entries than this is not collected for several readers. */
const MAX_STRETCH = 32;

/**
 * The newest entries of a log as parts that are ready to be sent. Nearly all members of a group read a change from the
 * same position on: each gets the parts that were collected for the first, and passes no entry itself.
 */
export class LogStretch {
  private from = -1;
  private to = -1;
  private octets = 0;
  private messages = 0;
  private parts: readonly Uint8Array[] = [];
  /** The sources for which the stretch differs. */
  private readonly named: number[] = [];

  /**
   * Reads all entries that the reader has not read. Null when these are more than `limit` octets, or others for this
   * reader than for the rest; then `readLog` reads them.
   */
  read(log: UpdateLog, reader: LogReader, limit: number): readonly Uint8Array[] | null {
    if (log.head - reader.position > MAX_STRETCH) return null;
    if (reader.position !== this.from || log.head !== this.to) this.collect(log, reader.position);
    if (this.octets > limit || this.named.includes(reader.source)) return null;
    reader.position = this.to;
    reader.updatesSent += this.messages;
    return this.parts;
  }

  private collect(log: UpdateLog, from: number): void {
    const reader: LogReader = { source: NO_SOURCE, position: from, updatesSent: 0 };
    // A new array, because a reader may still hold the one before.
    const parts: Uint8Array[] = [];
    this.octets = readLog(log, reader, Number.POSITIVE_INFINITY, parts);
    this.parts = parts;
    this.messages = reader.updatesSent;
    this.from = from;
    this.to = log.head;
    this.named.length = 0;
    for (let position = from; position < this.to; position++) {
      log.look(position);
      if (log.target !== 0) this.named.push(Math.abs(log.target));
    }
  }
}
