/** Reading an update group's log: entry by entry, or a short stretch of it once for many readers. */
import { isFor, NOBODY, type UpdateLog } from './update-log.ts';

/** Who reads a log. */
export interface LogReader {
  /** The source whose own entries are not for this reader. */
  readonly source: number;
  /** The position of the next entry to be read. */
  position: number;
  /** Messages read so far. */
  updatesSent: number;
}

/** Collects entries for the reader in `parts`, neighbouring ones as one piece, until they have `limit` octets. */
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

/** Entries that are worth being collected for several readers. */
const MAX_STRETCH = 32;

/**
 * The newest entries of a log in pieces ready to be sent. A change is read by nearly all members of a group from the
 * same position on: they are given what the one before them was given, and nobody looks at the entries again.
 */
export class LogStretch {
  private from = -1;
  private to = -1;
  private octets = 0;
  private messages = 0;
  private parts: readonly Uint8Array[] = [];
  /** The sources that entries make a difference for. */
  private readonly named: number[] = [];

  /**
   * All that the reader has yet to read, which then counts as read. Null: it is more than `limit` octets, or not the
   * same as for others, and has to be read entry by entry.
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
    const anybody: LogReader = { source: NOBODY, position: from, updatesSent: 0 };
    // A new array: somebody may still hold the one before.
    const parts: Uint8Array[] = [];
    this.octets = readLog(log, anybody, Number.POSITIVE_INFINITY, parts);
    this.parts = parts;
    this.messages = anybody.updatesSent;
    this.from = from;
    this.to = log.head;
    this.named.length = 0;
    for (let position = from; position < this.to; position++) {
      log.look(position);
      if (log.target !== 0) this.named.push(Math.abs(log.target));
    }
  }
}
