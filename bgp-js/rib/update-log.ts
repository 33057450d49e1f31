/**
 * Encoded UPDATEs in the order in which they have to be sent, shared by the members of an update group. Each member
 * has a position; what all have passed is dropped.
 */
const CHUNK_SIZE = 65536;

/** Whom an entry is for: everyone (0), everyone but source n (n), or only source n (-n). */
export type Target = number;

interface Chunk {
  bytes: Uint8Array;
  used: number;
}

export interface LogEntry {
  bytes: Uint8Array;
  start: number;
  end: number;
  target: Target;
  /** How many prefixes it carries. */
  prefixes: number;
}

export class UpdateLog {
  /** The position behind the newest entry; positions only grow. */
  head = 0;
  /** The position of the oldest entry that is kept. */
  tail = 0;
  /** Octets from tail to head. */
  octets = 0;
  private entries: LogEntry[] = [];
  private chunk: Chunk = { bytes: new Uint8Array(0), used: 0 };

  append(message: Uint8Array, length: number, target: Target, prefixes: number): void {
    if (this.chunk.used + length > this.chunk.bytes.length) {
      this.chunk = { bytes: new Uint8Array(CHUNK_SIZE), used: 0 };
    }
    const { bytes, used } = this.chunk;
    bytes.set(message.subarray(0, length), used);
    this.chunk.used += length;
    this.entries.push({ bytes, start: used, end: used + length, target, prefixes });
    this.octets += length;
    this.head++;
  }

  at(position: number): LogEntry {
    return this.entries[position - this.tail];
  }

  /** Drops everything before `position`. */
  trim(position: number): void {
    const count = position - this.tail;
    if (count <= 0) return;
    for (let i = 0; i < count; i++) this.octets -= this.entries[i].end - this.entries[i].start;
    this.entries = count === this.entries.length ? [] : this.entries.slice(count);
    this.tail = position;
  }
}

/** Whether an entry is for the member whose own routes come from source `source`. */
export function isFor(target: Target, source: number): boolean {
  return target === 0 || (target > 0 ? target !== source : -target === source);
}
