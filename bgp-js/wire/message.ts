/** Any BGP message between octets and objects. */
import { DecodeFailure, readU16 } from './cursor.ts';
import { type BgpError, bgpError, HeaderError } from './error.ts';
import { checkHeader, HEADER_LENGTH, MAX_MESSAGE_LENGTH, MessageType, writeHeader } from './frame.ts';
import { decodeNotification, encodeNotification, type Notification } from './notification.ts';
import type { OpenMessage } from './open.ts';
import { decodeOpen, encodeOpen } from './open.ts';
import { decodeRouteRefresh, encodeRouteRefresh, type RouteRefresh } from './refresh.ts';
import { emptySections, encodeUpdate, splitUpdate } from './update.ts';

/** Any BGP message; the fields of an UPDATE stay in wire form. */
export type Message =
  | { type: 'open'; open: OpenMessage }
  | { type: 'update'; withdrawn: Uint8Array; attributes: Uint8Array; nlri: Uint8Array }
  | { type: 'notification'; notification: Notification }
  | { type: 'keepalive' }
  | { type: 'route-refresh'; refresh: RouteRefresh };

/** A KEEPALIVE (RFC 4271 §4.4). */
export const KEEPALIVE: Uint8Array = (() => {
  const bytes = new Uint8Array(HEADER_LENGTH);
  writeHeader(bytes, 0, HEADER_LENGTH, MessageType.keepalive);
  return bytes;
})();

/** Runs a decoder; returns the error of a DecodeFailure that it throws. */
export function caught<T>(decode: () => T): T | BgpError {
  try {
    return decode();
  } catch (failure) {
    if (failure instanceof DecodeFailure) return failure.error;
    throw failure;
  }
}

/** Whether the result of a decoder is an error. */
export function isError(result: object): result is BgpError {
  return 'handling' in result;
}

/**
 * Decodes the one message in `bytes`. Malformed messages return their error; nothing is thrown. The attributes of an
 * UPDATE are only located here: `scanAttributes` checks them.
 */
export function decodeMessage(bytes: Uint8Array, maxLength = MAX_MESSAGE_LENGTH): Message | BgpError {
  if (bytes.length < HEADER_LENGTH) return headerTooShort(bytes);
  const error = checkHeader(bytes, 0, maxLength);
  if (error) return error;
  const length = readU16(bytes, 16);
  if (length !== bytes.length) return headerTooShort(bytes);
  return caught(() => decodeBody(bytes, length));
}

function headerTooShort(bytes: Uint8Array): BgpError {
  return bgpError(
    HeaderError.badMessageLength,
    `${bytes.length} octets are not one message`,
    bytes.slice(16, 18),
  );
}

function decodeBody(bytes: Uint8Array, end: number): Message | BgpError {
  const start = HEADER_LENGTH;
  switch (bytes[18]) {
    case MessageType.open:
      return { type: 'open', open: decodeOpen(bytes, start, end) };
    case MessageType.notification:
      return { type: 'notification', notification: decodeNotification(bytes, start, end) };
    case MessageType.keepalive:
      return { type: 'keepalive' };
    case MessageType.routeRefresh:
      return { type: 'route-refresh', refresh: decodeRouteRefresh(bytes, start, end) };
    default: {
      const sections = emptySections();
      const error = splitUpdate(bytes, start, end, sections);
      if (error) return error;
      return {
        type: 'update',
        withdrawn: bytes.slice(sections.withdrawnStart, sections.withdrawnEnd),
        attributes: bytes.slice(sections.attributesStart, sections.attributesEnd),
        nlri: bytes.slice(sections.nlriStart, sections.nlriEnd),
      };
    }
  }
}

/** Encodes a message; the counterpart of {@link decodeMessage}. */
export function encodeMessage(message: Message, maxLength = MAX_MESSAGE_LENGTH): Uint8Array {
  switch (message.type) {
    case 'open':
      return encodeOpen(message.open);
    case 'update':
      return encodeUpdate(message.withdrawn, message.attributes, message.nlri, maxLength);
    case 'notification':
      return encodeNotification(message.notification);
    case 'keepalive':
      return KEEPALIVE.slice();
    case 'route-refresh':
      return encodeRouteRefresh(message.refresh);
  }
}
