/** OPEN messages (RFC 4271 §4.2). */
import { decodeCapabilities, type RawCapability } from './capability.ts';
import { Cursor, DecodeFailure, writeU16, writeU32 } from './cursor.ts';
import { type BgpError, bgpError, OpenError } from './error.ts';
import { HEADER_LENGTH, MessageType, writeHeader } from './frame.ts';

/** The two-octet stand-in of an AS number that needs four (RFC 6793 §9). */
export const AS_TRANS = 23456;

/** An OPEN (RFC 4271 §4.2). Its values are checked by `negotiate` (session/negotiate.ts). */
export interface OpenMessage {
  version: number;
  /** The two-octet field "My Autonomous System". */
  as: number;
  /** Seconds. */
  holdTime: number;
  /** BGP identifier as an unsigned number. */
  identifier: number;
  capabilities: RawCapability[];
}

const truncated = (): BgpError => bgpError(OpenError.unspecific, 'an optional parameter runs past the OPEN');

/** Decodes the body of an OPEN between `start` and `end`. Throws DecodeFailure. */
export function decodeOpen(bytes: Uint8Array, start: number, end: number): OpenMessage {
  const cursor = new Cursor(bytes, start, end, truncated);
  const message: OpenMessage = {
    version: cursor.u8(),
    as: cursor.u16(),
    holdTime: cursor.u16(),
    identifier: cursor.u32(),
    capabilities: [],
  };
  // The layout of what follows is only defined for version 4.
  if (message.version === 4) decodeParameters(cursor, message.capabilities);
  return message;
}

/** Optional parameters, in the short form or in the extended one of RFC 9072 §2. */
function decodeParameters(cursor: Cursor, capabilities: RawCapability[]): void {
  let length = cursor.u8();
  let extended = false;
  // RFC 9072 §2: type 255 marks the extended form; the length before it is ignored, but not 0.
  if (length > 0 && cursor.remaining > 0 && cursor.bytes[cursor.position] === 255) {
    cursor.u8();
    length = cursor.u16();
    extended = true;
  }
  const parameters = cursor.sub(length, truncated);
  while (parameters.remaining > 0) {
    const type = parameters.u8();
    const size = extended ? parameters.u16() : parameters.u8();
    const value = parameters.sub(size, truncated);
    if (type === 2) decodeCapabilities(value, capabilities);
    else
      throw new DecodeFailure(
        bgpError(OpenError.unsupportedOptionalParameter, `optional parameter type ${type} is not supported`),
      );
  }
}

/** Encodes an OPEN, all capabilities in one optional parameter; in the form of RFC 9072 if they do not fit otherwise. */
export function encodeOpen(message: OpenMessage): Uint8Array {
  const size = message.capabilities.reduce((sum, { value }) => sum + 2 + value.length, 0);
  const extended = size + 2 > 254;
  const parameters = size === 0 ? 0 : size + (extended ? 3 : 2);
  const bytes = new Uint8Array(HEADER_LENGTH + 10 + (extended ? 3 : 0) + parameters);
  writeHeader(bytes, 0, bytes.length, MessageType.open);
  bytes[19] = message.version;
  writeU16(bytes, 20, message.as);
  writeU16(bytes, 22, message.holdTime);
  writeU32(bytes, 24, message.identifier);
  let at = 29;
  if (extended) {
    bytes.set([255, 255], 28);
    writeU16(bytes, 30, parameters);
    bytes[32] = 2;
    writeU16(bytes, 33, size);
    at = 35;
  } else {
    bytes[28] = parameters;
    if (size > 0) bytes.set([2, size], 29);
    at = 31;
  }
  for (const { code, value } of message.capabilities) {
    bytes.set([code, value.length], at);
    bytes.set(value, at + 2);
    at += 2 + value.length;
  }
  return bytes;
}
