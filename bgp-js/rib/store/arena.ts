/**
 * Octet strings in a few large chunks. A freed place is used again for a string of the same size class (multiples of
 * eight octets), so churn does not grow it.
 */
const CHUNK_BITS = 18;
const CHUNK_SIZE = 1 << CHUNK_BITS;
const CHUNK_MASK = CHUNK_SIZE - 1;

export class Arena {
  /** The last one is in use; to begin with that is a full one. */
  private readonly chunks: Uint8Array[] = [new Uint8Array(0)];
  private used = CHUNK_SIZE;
  /** Freed places by size class. */
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

  release(place: number, length: number): void {
    const size = classOf(length);
    const list = this.free.get(size);
    if (list) list.push(place);
    else this.free.set(size, [place]);
  }

  chunkOf(place: number): Uint8Array {
    return this.chunks[place >>> CHUNK_BITS];
  }

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

function classOf(length: number): number {
  return (length + 7) & ~7;
}
