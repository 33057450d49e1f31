/** The header of messages, and the framer that cuts a TCP stream into messages (RFC 4271 §4.1). */
import { readU16, writeU16 } from './cursor.ts';
import { type BgpError, bgpError, HeaderError } from './error.ts';

/** Message types (RFC 4271 §4.1, RFC 2918). */
export const MessageType = { open: 1, update: 2, notification: 3, keepalive: 4, routeRefresh: 5 } as const;

/** Octets of the header: marker, length and type (RFC 4271 §4.1). */
export const HEADER_LENGTH = 19;
/** The longest message without extended messages (RFC 8654). */
export const MAX_MESSAGE_LENGTH = 4096;

/** The shortest message of each type (RFC 4271 §4.2–4.5, RFC 2918 §3); the index is the type. */
const MIN_LENGTH = [0, 29, 23, 21, 19, 23];

/** Writes the header of a message of `length` octets into `bytes` at `at`. */
export function writeHeader(bytes: Uint8Array, at: number, length: number, type: number): void {
  bytes.fill(0xff, at, at + 16);
  writeU16(bytes, at + 16, length);
  bytes[at + 18] = type;
}

/** Checks the complete header at `at` (RFC 4271 §6.1); null when it is valid. */
export function checkHeader(bytes: Uint8Array, at: number, maxLength: number): BgpError | null {
  for (let i = at; i < at + 16; i++) {
    if (bytes[i] !== 0xff)
      return bgpError(HeaderError.connectionNotSynchronized, 'the marker is not all ones');
  }
  const length = readU16(bytes, at + 16);
  const type = bytes[at + 18];
  const lengthField = () => bytes.slice(at + 16, at + 18);
  if (length < HEADER_LENGTH || length > maxLength) {
    return bgpError(
      HeaderError.badMessageLength,
      `message length ${length} is not within 19–${maxLength}`,
      lengthField(),
    );
  }
  if (type === 0 || type >= MIN_LENGTH.length) {
    return bgpError(
      HeaderError.badMessageType,
      `unknown message type ${type}`,
      bytes.slice(at + 18, at + 19),
    );
  }
  const exact = type === MessageType.keepalive;
  // RFC 7313 §5 has its own error for a ROUTE-REFRESH; a bad NOTIFICATION is not answered (RFC 4271 §6.4).
  if (type === MessageType.routeRefresh || type === MessageType.notification) return null;
  if (length < MIN_LENGTH[type] || (exact && length !== MIN_LENGTH[type])) {
    return bgpError(
      HeaderError.badMessageLength,
      `message type ${type} cannot be ${length} octets long`,
      lengthField(),
    );
  }
  return null;
}

/** The smallest buffer in which partial messages are joined, in octets. */
const INITIAL_CAPACITY = 8192;

/**
 * Cuts a TCP stream into messages. `push` takes octets in pieces of any size; `next` finds the next whole message. The
 * caller bounds the memory: it stops pushing while `pending` is large.
 */
export class Framer {
  private buffer: Uint8Array = new Uint8Array(0);
  private start = 0;
  private end = 0;
  /** Whether the buffer is our own and may have room after `end`; otherwise it is a pushed chunk. */
  private owned = false;
  /** The longest message accepted; raised once extended messages are negotiated (RFC 8654). */
  maxLength = MAX_MESSAGE_LENGTH;

  /** How many pushed octets are not consumed yet. */
  get pending(): number {
    return this.end - this.start;
  }

  /** The buffer for the offsets that `next` returns. */
  get bytes(): Uint8Array {
    return this.buffer;
  }

  /** Adds received octets. The framer owns the chunk from now on: it may become the buffer itself. */
  push(chunk: Uint8Array): void {
    const pending = this.pending;
    if (pending === 0) {
      this.buffer = chunk;
      this.start = 0;
      this.end = chunk.length;
      this.owned = false;
      return;
    }
    if (!this.owned || this.buffer.length - this.end < chunk.length) this.makeRoom(chunk.length);
    this.buffer.set(chunk, this.end);
    this.end += chunk.length;
  }

  /** Moves the pending octets to the front of our own buffer, with room for as many again and `more` octets. */
  private makeRoom(more: number): void {
    const { buffer, start, end, pending } = this;
    if (this.owned && buffer.length >= 2 * pending + more) {
      buffer.copyWithin(0, start, end);
    } else {
      this.buffer = new Uint8Array(Math.max(INITIAL_CAPACITY, 2 * (pending + more)));
      this.buffer.set(buffer.subarray(start, end));
    }
    this.owned = true;
    this.start = 0;
    this.end = pending;
  }

  /** The octets that are not consumed yet. */
  get rest(): Uint8Array {
    return this.buffer.subarray(this.start, this.end);
  }

  /** Whether `next` would return a message or an error. */
  get ready(): boolean {
    const pending = this.pending;
    if (pending < HEADER_LENGTH) return false;
    if (pending >= readU16(this.buffer, this.start + 16)) return true;
    // An invalid header is an error at once: the rest of its message may never arrive.
    return checkHeader(this.buffer, this.start, this.maxLength) !== null;
  }

  /** Consumes the next whole message and returns its offset in `bytes`; -1: none; or the error of its header. */
  next(): number | BgpError {
    if (this.pending < HEADER_LENGTH) return -1;
    const error = checkHeader(this.buffer, this.start, this.maxLength);
    if (error) return error;
    const length = readU16(this.buffer, this.start + 16);
    if (this.pending < length) return -1;
    const at = this.start;
    this.start += length;
    return at;
  }
}
