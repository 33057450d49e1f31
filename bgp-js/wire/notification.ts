import { DecodeFailure } from './cursor.ts';
import { type BgpError, bgpError, hexExcerpt } from './error.ts';
import { HEADER_LENGTH, MessageType, writeHeader } from './frame.ts';

/** A NOTIFICATION (RFC 4271 §4.5). */
export interface Notification {
  code: number;
  subcode: number;
  data: Uint8Array;
}

/** Names of every code and subcode: RFC 4271 §4.5, 4486, 5492, 6608, 7313, 8538, 9234, 9384, 9687. */
const CODES: Record<number, { name: string; subcodes: Record<number, string> }> = {
  1: {
    name: 'Message Header Error',
    subcodes: { 1: 'Connection Not Synchronized', 2: 'Bad Message Length', 3: 'Bad Message Type' },
  },
  2: {
    name: 'OPEN Message Error',
    subcodes: {
      1: 'Unsupported Version Number',
      2: 'Bad Peer AS',
      3: 'Bad BGP Identifier',
      4: 'Unsupported Optional Parameter',
      5: 'Authentication Failure (deprecated)',
      6: 'Unacceptable Hold Time',
      7: 'Unsupported Capability',
      11: 'Role Mismatch',
    },
  },
  3: {
    name: 'UPDATE Message Error',
    subcodes: {
      1: 'Malformed Attribute List',
      2: 'Unrecognized Well-known Attribute',
      3: 'Missing Well-known Attribute',
      4: 'Attribute Flags Error',
      5: 'Attribute Length Error',
      6: 'Invalid ORIGIN Attribute',
      7: 'AS Routing Loop (deprecated)',
      8: 'Invalid NEXT_HOP Attribute',
      9: 'Optional Attribute Error',
      10: 'Invalid Network Field',
      11: 'Malformed AS_PATH',
    },
  },
  4: { name: 'Hold Timer Expired', subcodes: {} },
  5: {
    name: 'Finite State Machine Error',
    subcodes: {
      1: 'Unexpected Message in OpenSent',
      2: 'Unexpected Message in OpenConfirm',
      3: 'Unexpected Message in Established',
    },
  },
  6: {
    name: 'Cease',
    subcodes: {
      1: 'Maximum Number of Prefixes Reached',
      2: 'Administrative Shutdown',
      3: 'Peer De-configured',
      4: 'Administrative Reset',
      5: 'Connection Rejected',
      6: 'Other Configuration Change',
      7: 'Connection Collision Resolution',
      8: 'Out of Resources',
      9: 'Hard Reset',
      10: 'BFD Down',
    },
  },
  7: { name: 'ROUTE-REFRESH Message Error', subcodes: { 1: 'Invalid Message Length' } },
  8: { name: 'Send Hold Timer Expired', subcodes: {} },
};

/** The name of a code and subcode in words, for instance "Cease: Administrative Shutdown (6/2)". */
export function notificationName(code: number, subcode: number): string {
  const known = CODES[code];
  const number = `(${code}/${subcode})`;
  if (!known) return `unknown error ${number}`;
  const detail = known.subcodes[subcode] ?? (subcode === 0 ? null : 'unknown subcode');
  return detail ? `${known.name}: ${detail} ${number}` : `${known.name} ${number}`;
}

/** Cease subcodes that may carry a shutdown message (RFC 9003 §2). */
const carriesText = (n: { code: number; subcode: number }): boolean =>
  n.code === 6 && (n.subcode === 2 || n.subcode === 4);

const CONTROL = /[\p{Cc}\p{Cf}\u2028\u2029]/gu;

/** The shutdown message of a Cease (RFC 9003), made safe to log; null when there is none. */
export function shutdownMessage(notification: Notification): string | null {
  if (!carriesText(notification) || notification.data.length < 1) return null;
  const length = Math.min(notification.data[0], notification.data.length - 1);
  if (length === 0) return null;
  const text = Buffer.from(notification.data.subarray(1, 1 + length)).toString('utf8');
  return text.replace(CONTROL, '\ufffd');
}

/** The data field of a Cease with a shutdown message; longer texts are cut between characters at 255 octets. */
export function shutdownData(text: string): Uint8Array {
  let exported = text;
  while (Buffer.byteLength(exported) > 255) exported = [...exported].slice(0, -1).join('');
  const bytes = Buffer.from(exported, 'utf8');
  return bytes.length === 0 ? new Uint8Array(0) : Uint8Array.from([bytes.length, ...bytes]);
}

/** A NOTIFICATION in words, with its shutdown message where it has one. */
export function describeNotification(notification: Notification): string {
  const name = notificationName(notification.code, notification.subcode);
  const text = shutdownMessage(notification);
  return text === null ? name : `${name}: "${text}"`;
}

/** "hold timer expired": a NOTIFICATION's subcode, or its code where it has none, as it reads in a sentence. */
function plainName({ code, subcode }: { code: number; subcode: number }): string {
  const known = CODES[code];
  const name = known?.subcodes[subcode] ?? known?.name ?? 'unknown error';
  return name.replace(/\b[A-Z][a-z]+\b/g, (word) => word.toLowerCase());
}

/**
 * Why this speaker ended a session, e.g. "hold timer expired, nothing received from n3 for 9 s (we sent NOTIFICATION
 * 4/0)". The text of a Cease names its reason itself.
 */
export function sentText(error: BgpError): string {
  const { code, subcode, text } = error;
  const name = code === 6 ? '' : `${plainName(error)}, `;
  return `${name}${text}${excerptOf(error)} (we sent NOTIFICATION ${code}/${subcode})`;
}

/** Why a peer ended a session, e.g. `administrative shutdown: "back at noon" (received NOTIFICATION 6/2)`. */
export function receivedText(notification: Notification): string {
  const { code, subcode } = notification;
  const text = shutdownMessage(notification);
  return `${plainName(notification)}${text === null ? '' : `: "${text}"`} (received NOTIFICATION ${code}/${subcode})`;
}

/** An error of a peer's in words, with its NOTIFICATION and an excerpt of the data that shows it. */
export function errorText(error: BgpError): string {
  return `${notificationName(error.code, error.subcode)}: ${error.text}${excerptOf(error)}`;
}

function excerptOf({ code, data }: BgpError): string {
  return code === 6 || data.length === 0 ? '' : ` [${hexExcerpt(data, 16)}]`;
}

export function encodeNotification(notification: Notification): Uint8Array {
  const data = notification.data.subarray(0, 4096 - HEADER_LENGTH - 2);
  const bytes = new Uint8Array(HEADER_LENGTH + 2 + data.length);
  writeHeader(bytes, 0, bytes.length, MessageType.notification);
  bytes[19] = notification.code;
  bytes[20] = notification.subcode;
  bytes.set(data, 21);
  return bytes;
}

/** Decodes the body of a NOTIFICATION. Throws DecodeFailure when it has no code and subcode. */
export function decodeNotification(bytes: Uint8Array, start: number, end: number): Notification {
  if (end - start < 2) {
    throw new DecodeFailure(
      bgpError(1, 2, `a NOTIFICATION cannot be ${HEADER_LENGTH + end - start} octets long`),
    );
  }
  return { code: bytes[start], subcode: bytes[start + 1], data: bytes.slice(start + 2, end) };
}
