/** Octets and messages from the hexadecimal text that tests write. */
import assert from 'node:assert/strict';

/** 16 octets of ones: the marker of every message, in hexadecimal. */
export const MARKER = 'ff'.repeat(16);

/** Octets from hexadecimal digits; blanks are ignored. */
export function hex(text: string): Uint8Array {
  const digits = text.replace(/\s+/g, '');
  assert.match(digits, /^([0-9a-f]{2})*$/, 'hexadecimal, in whole octets');
  return Uint8Array.from(Buffer.from(digits, 'hex'));
}

/** Hexadecimal digits of octets: a failed comparison of these is easy to read. */
export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
}

/** A message with a valid header: marker, length, type, and the body. */
export function message(type: number, body: string | Uint8Array): Uint8Array {
  const content = typeof body === 'string' ? hex(body) : body;
  const length = 19 + content.length;
  return Uint8Array.of(...hex(MARKER), length >> 8, length & 255, type, ...content);
}

/** An UPDATE from its three fields, with valid lengths. */
export function update(withdrawn: string, attributes: string, nlri: string): Uint8Array {
  const [w, a] = [hex(withdrawn), hex(attributes)];
  return message(
    2,
    Uint8Array.of(w.length >> 8, w.length & 255, ...w, a.length >> 8, a.length & 255, ...a, ...hex(nlri)),
  );
}
