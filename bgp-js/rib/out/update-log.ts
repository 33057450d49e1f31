/**
 * Encoded UPDATEs in the order in which they have to be sent, shared by the members of an update group. Each member
 * has a position; what all have passed is dropped.
 */
import { copyOctets } from '../../wire/cursor.ts';

const CHUNK_SIZE = 65536;

/** Whom an entry is for: everyone (0), everyone but source n (n), or only source n (-n). */
export type Target = number;

/** No source has this number. */
export const NOBODY = -1;

/** Numbers kept of an entry: chunk, start, end, target. */
const FIELDS = 4;

export class UpdateLog {
  /** The position behind the newest entry; positions only grow. */
  head = 0;
  /** The position of the oldest entry that is kept. */
  tail = 0;
  /** Octets from tail to head. */
  octets = 0;
  /** What the entry that `look` found is: its octets lie in `bytes` from `start` to `end`. */
  bytes: Uint8Array = new Uint8Array(0);
  start = 0;
  end = 0;
  target: Target = 0;
  /** The entries from tail to head, in a ring whose length is a power of two. */
  private ring = new Int32Array(FIELDS * 64);
  /**
   * Chunks from the one that the oldest entry is in to the newest, which to begin with is a full one, and the number of
   * the first of them.
   */
  private chunks: Uint8Array[] = [new Uint8Array(0)];
  private firstChunk = 0;
  /** Octets used of the newest chunk. */
  private used = CHUNK_SIZE;

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
    // The newest chunk stays: there may be room in it.
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

/** Whether an entry is for the member whose own routes come from source `source`. */
export function isFor(target: Target, source: number): boolean {
  return target === 0 || (target > 0 ? target !== source : -target === source);
}
