import { writeU16 } from '../wire/cursor.ts';
import { MAX_MESSAGE_LENGTH, MessageType, writeHeader } from '../wire/frame.ts';
import { nlriLength } from '../wire/prefix.ts';
import type { PrefixTable } from './prefix-table.ts';

/** Packs prefixes into UPDATEs of at most 4,096 octets (RFC 4271 §4.3), one message at a time. */
export class UpdateBuilder {
  /** The message under way; valid up to `length` after `finish`. */
  readonly bytes = new Uint8Array(MAX_MESSAGE_LENGTH);
  length = 0;
  /** How many prefixes are in it; 0: no message is under way. */
  count = 0;
  private readonly prefixes: PrefixTable;
  private announcing = false;

  constructor(prefixes: PrefixTable) {
    this.prefixes = prefixes;
  }

  /** Begins a message that announces with these attributes, or one that withdraws when they are null. */
  begin(attributes: { bytes: Uint8Array; length: number } | null): void {
    this.count = 0;
    this.announcing = attributes !== null;
    this.bytes[19] = this.bytes[20] = 0;
    this.length = 21;
    if (!attributes) return;
    writeU16(this.bytes, 21, attributes.length);
    this.bytes.set(attributes.bytes.subarray(0, attributes.length), 23);
    this.length = 23 + attributes.length;
  }

  /** Whether prefix `id` still fits. */
  fits(id: number): boolean {
    const tail = this.announcing ? 0 : 2;
    return this.length + nlriLength(this.prefixes.lengthOf(id)) + tail <= MAX_MESSAGE_LENGTH;
  }

  add(id: number): void {
    this.length = this.prefixes.write(id, this.bytes, this.length);
    this.count++;
  }

  /** Completes the message. */
  finish(): void {
    if (!this.announcing) {
      writeU16(this.bytes, 19, this.length - 21);
      writeU16(this.bytes, this.length, 0);
      this.length += 2;
    }
    writeHeader(this.bytes, 0, this.length, MessageType.update);
  }
}
