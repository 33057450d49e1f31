/** UPDATE messages (RFC 4271 §4.3). */
import { readU16, writeU16 } from './cursor.ts';
import { type BgpError, bgpError, UpdateError } from './error.ts';
import { HEADER_LENGTH, MAX_MESSAGE_LENGTH, MessageType, writeHeader } from './frame.ts';

/** The bounds of an UPDATE's three fields in its buffer (RFC 4271 §4.3). One object is reused for all messages. */
export interface UpdateSections {
  withdrawnStart: number;
  withdrawnEnd: number;
  attributesStart: number;
  attributesEnd: number;
  nlriStart: number;
  nlriEnd: number;
}

/** Sections for `splitUpdate` to fill. */
export function emptySections(): UpdateSections {
  return {
    withdrawnStart: 0,
    withdrawnEnd: 0,
    attributesStart: 0,
    attributesEnd: 0,
    nlriStart: 0,
    nlriEnd: 0,
  };
}

/**
 * Finds the fields of an UPDATE whose body, of at least 4 octets, lies between `start` and `end`. It does not read their
 * contents. Lengths that do not fit the message are a Malformed Attribute List (RFC 4271 §6.3).
 */
export function splitUpdate(
  bytes: Uint8Array,
  start: number,
  end: number,
  into: UpdateSections,
): BgpError | null {
  const withdrawnLength = readU16(bytes, start);
  if (start + 2 + withdrawnLength + 2 > end) {
    return bgpError(
      UpdateError.malformedAttributeList,
      `withdrawn routes of ${withdrawnLength} octets do not fit the message`,
    );
  }
  into.withdrawnStart = start + 2;
  into.withdrawnEnd = into.withdrawnStart + withdrawnLength;
  const attributesLength = readU16(bytes, into.withdrawnEnd);
  into.attributesStart = into.withdrawnEnd + 2;
  into.attributesEnd = into.attributesStart + attributesLength;
  if (into.attributesEnd > end) {
    return bgpError(
      UpdateError.malformedAttributeList,
      `attributes of ${attributesLength} octets do not fit the message`,
    );
  }
  into.nlriStart = into.attributesEnd;
  into.nlriEnd = end;
  return null;
}

/** Encodes an UPDATE from its three fields in wire form. Throws RangeError when it is longer than `maxLength` octets. */
export function encodeUpdate(
  withdrawn: Uint8Array,
  attributes: Uint8Array,
  nlri: Uint8Array,
  maxLength = MAX_MESSAGE_LENGTH,
): Uint8Array {
  const length = HEADER_LENGTH + 4 + withdrawn.length + attributes.length + nlri.length;
  if (length > maxLength)
    throw new RangeError(`an UPDATE of ${length} octets does not fit a message of ${maxLength}`);
  const bytes = new Uint8Array(length);
  writeHeader(bytes, 0, length, MessageType.update);
  writeU16(bytes, 19, withdrawn.length);
  bytes.set(withdrawn, 21);
  const at = 21 + withdrawn.length;
  writeU16(bytes, at, attributes.length);
  bytes.set(attributes, at + 2);
  bytes.set(nlri, at + 2 + attributes.length);
  return bytes;
}
