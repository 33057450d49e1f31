/**
 * Netlink messages as bytes: a builder that packs any number of them into one buffer, and a bounded walk over
 * attributes. Header fields and attributes are in host byte order (netlink(7)). Of the machines that Node 24 supports
 * only s390x is big-endian; the agent refuses to start there.
 */
import { endianness } from 'node:os';
import type { IPAddress } from 'bgp-js/ip';
import { FLAG, MESSAGE } from './constants.ts';

if (endianness() !== 'LE') throw new Error('flatroute supports little-endian machines only');

/** Bytes of a netlink header (struct nlmsghdr). */
export const HEADER_LENGTH = 16;
const ATTRIBUTE_HEADER_LENGTH = 4;
const TYPE_MASK = 0x3fff; // without NLA_F_NESTED and NLA_F_NET_BYTEORDER
const NESTED = 0x8000;
const EXTENDED_ACK_MESSAGE = 1;

/** Packs messages one after another. @throws RangeError when the buffer is full */
export class MessageBuilder {
  readonly buffer: Buffer;
  #length = 0;
  #start = 0;

  /** `capacity` in bytes. */
  constructor(capacity = 2048) {
    this.buffer = Buffer.allocUnsafeSlow(capacity);
  }

  /** Bytes packed so far. */
  get length(): number {
    return this.#length;
  }

  /** Bytes still free. */
  get room(): number {
    return this.buffer.length - this.#length;
  }

  /** Empties the buffer. */
  reset(): void {
    this.#length = 0;
    this.#start = 0;
  }

  /** Starts a message whose fixed part has `fixedLength` zeroed bytes; returns the offset of the fixed part. */
  begin(type: number, flags: number, fixedLength: number): number {
    this.#start = this.#length;
    this.#reserve(HEADER_LENGTH + fixedLength);
    this.buffer.writeUInt16LE(type, this.#start + 4);
    this.buffer.writeUInt16LE(flags, this.#start + 6);
    return this.#start + HEADER_LENGTH;
  }

  /** Ends the message by filling in its length. The kernel's answer carries `sequence`. */
  end(sequence: number): void {
    this.buffer.writeUInt32LE(this.#length - this.#start, this.#start);
    this.buffer.writeUInt32LE(sequence, this.#start + 8);
  }

  /** Adds flags to the last message. */
  addFlags(flags: number): void {
    this.buffer.writeUInt16LE(this.buffer.readUInt16LE(this.#start + 6) | flags, this.#start + 6);
  }

  /** Appends an attribute of raw bytes. */
  bytes(type: number, value: Uint8Array): void {
    const at = this.#attribute(type, value.length);
    this.buffer.set(value, at);
  }

  /** Appends an attribute that is an address: 4 or 16 octets. */
  address(type: number, address: IPAddress): void {
    address.write(this.buffer, this.#attribute(type, address.bits >> 3));
  }

  /** Appends an attribute of 32 bits. */
  uint32(type: number, value: number): void {
    this.buffer.writeUInt32LE(value, this.#attribute(type, 4));
  }

  /** Appends an attribute that is a zero-terminated string. */
  string(type: number, value: string): void {
    this.bytes(type, Buffer.from(`${value}\0`, 'utf8'));
  }

  /** Appends bytes that are attributes already, or a fixed part inside a nest; padded to four bytes. */
  raw(bytes: Uint8Array): void {
    const at = this.#length;
    this.#reserve((bytes.length + 3) & ~3);
    this.buffer.set(bytes, at);
  }

  /** Appends an attribute that contains the attributes that `fill` appends. */
  nest(type: number, fill: () => void): void {
    const at = this.#length;
    this.#reserve(ATTRIBUTE_HEADER_LENGTH);
    fill();
    this.buffer.writeUInt16LE(this.#length - at, at);
    this.buffer.writeUInt16LE(type | NESTED, at + 2);
  }

  #attribute(type: number, length: number): number {
    const at = this.#length;
    this.#reserve(ATTRIBUTE_HEADER_LENGTH + ((length + 3) & ~3));
    this.buffer.writeUInt16LE(ATTRIBUTE_HEADER_LENGTH + length, at);
    this.buffer.writeUInt16LE(type, at + 2);
    return at + ATTRIBUTE_HEADER_LENGTH;
  }

  #reserve(length: number): void {
    if (length > this.room) {
      throw new RangeError(
        `netlink message of ${this.#length + length} bytes in a buffer of ${this.buffer.length}`,
      );
    }
    this.buffer.fill(0, this.#length, this.#length + length);
    this.#length += length;
  }
}

/**
 * Calls `visit` for each attribute in `buffer[start, end)`, with its type and the range of its value. Stops at the first
 * attribute whose length does not fit, so that nothing outside of the range is read.
 */
export function walkAttributes(
  buffer: Buffer,
  start: number,
  end: number,
  visit: (type: number, from: number, to: number) => void,
): void {
  const limit = Math.min(end, buffer.length);
  let at = start;
  while (at + ATTRIBUTE_HEADER_LENGTH <= limit) {
    const length = buffer.readUInt16LE(at);
    if (length < ATTRIBUTE_HEADER_LENGTH || at + length > limit) return;
    visit(buffer.readUInt16LE(at + 2) & TYPE_MASK, at + ATTRIBUTE_HEADER_LENGTH, at + length);
    at += (length + 3) & ~3;
  }
}

/** The value of a string attribute, without its terminator. */
export function readString(buffer: Buffer, from: number, to: number): string {
  const zero = buffer.indexOf(0, from);
  return buffer.toString('utf8', from, zero < 0 || zero > to ? to : zero);
}

/** The value of a 32-bit attribute; 0 when it is shorter. */
export function readUint32(buffer: Buffer, from: number, to: number): number {
  return to - from >= 4 ? buffer.readUInt32LE(from) : 0;
}

/** The text of an extended acknowledgement (struct nlmsgerr, NLMSGERR_ATTR_MSG), or empty. */
export function extendedAck(type: number, buffer: Buffer, start: number, end: number, flags: number): string {
  if (!(flags & FLAG.ACK_ATTRIBUTES)) return '';
  let at = start + 4;
  if (type === MESSAGE.ERROR) {
    if (end - start < 4 + HEADER_LENGTH) return '';
    // The request's header follows the errno, and its body unless the answer is capped.
    const repeated = flags & FLAG.CAPPED ? HEADER_LENGTH : buffer.readUInt32LE(at);
    at += (repeated + 3) & ~3;
  }
  let text = '';
  walkAttributes(buffer, at, end, (attribute, from, to) => {
    if (attribute === EXTENDED_ACK_MESSAGE) text = readString(buffer, from, to);
  });
  return text;
}
