/** The frame of path attributes: flags, type, length and value (RFC 4271 §4.3), whatever they mean. */
import { Flag } from './attribute-types.ts';
import { readU16, writeU16 } from './cursor.ts';

/** Calls `visit` for every attribute between `start` and `end`; stops quietly at one that does not fit. */
export function eachAttribute(
  bytes: Uint8Array,
  start: number,
  end: number,
  visit: (type: number, flags: number, valueStart: number, valueEnd: number, at: number) => void,
): void {
  let at = start;
  while (at + 3 <= end) {
    const wide = (bytes[at] & Flag.extended) !== 0;
    const head = wide ? 4 : 3;
    if (at + head > end) return;
    const length = wide ? readU16(bytes, at + 2) : bytes[at + 2];
    const valueEnd = at + head + length;
    if (valueEnd > end) return;
    visit(bytes[at + 1], bytes[at], at + head, valueEnd, at);
    at = valueEnd;
  }
}

/** One attribute with its header; the length field is as wide as it has to be. */
export function encodeAttribute(flags: number, type: number, value: Uint8Array): Uint8Array {
  const wide = value.length > 255;
  const bytes = new Uint8Array((wide ? 4 : 3) + value.length);
  bytes[0] = wide ? flags | Flag.extended : flags & ~Flag.extended;
  bytes[1] = type;
  if (wide) writeU16(bytes, 2, value.length);
  else bytes[2] = value.length;
  bytes.set(value, wide ? 4 : 3);
  return bytes;
}
