import { DecodeFailure } from './cursor.ts';
import {
  type BgpError,
  bgpError,
  CeaseCode,
  ErrorCode,
  HeaderError,
  hasCode,
  hexExcerpt,
  type NotificationCode,
  OpenError,
  RouteRefreshError,
  StateMachineError,
  UpdateError,
} from './error.ts';
import { HEADER_LENGTH, MessageType, writeHeader } from './frame.ts';

/** A NOTIFICATION (RFC 4271 §4.5). */
export interface Notification extends NotificationCode {
  data: Uint8Array;
}

/** Titles of the codes, as IANA lists them. */
const TITLES: Record<number, string> = {
  [ErrorCode.messageHeader]: 'Message Header Error',
  [ErrorCode.openMessage]: 'OPEN Message Error',
  [ErrorCode.updateMessage]: 'UPDATE Message Error',
  [ErrorCode.holdTimerExpired]: 'Hold Timer Expired',
  [ErrorCode.finiteStateMachine]: 'Finite State Machine Error',
  [ErrorCode.cease]: 'Cease',
  [ErrorCode.routeRefresh]: 'ROUTE-REFRESH Message Error',
  [ErrorCode.sendHoldTimerExpired]: 'Send Hold Timer Expired',
};

const keyOf = ({ code, subcode }: NotificationCode): number => code * 256 + subcode;

/** Titles of the subcodes, as IANA lists them. */
const SUBTITLES: ReadonlyMap<number, string> = new Map(
  (
    [
      [HeaderError.connectionNotSynchronized, 'Connection Not Synchronized'],
      [HeaderError.badMessageLength, 'Bad Message Length'],
      [HeaderError.badMessageType, 'Bad Message Type'],
      [OpenError.unsupportedVersionNumber, 'Unsupported Version Number'],
      [OpenError.badPeerAs, 'Bad Peer AS'],
      [OpenError.badBgpIdentifier, 'Bad BGP Identifier'],
      [OpenError.unsupportedOptionalParameter, 'Unsupported Optional Parameter'],
      [OpenError.authenticationFailure, 'Authentication Failure (deprecated)'],
      [OpenError.unacceptableHoldTime, 'Unacceptable Hold Time'],
      [OpenError.unsupportedCapability, 'Unsupported Capability'],
      [OpenError.roleMismatch, 'Role Mismatch'],
      [UpdateError.malformedAttributeList, 'Malformed Attribute List'],
      [UpdateError.unrecognizedWellKnownAttribute, 'Unrecognized Well-known Attribute'],
      [UpdateError.missingWellKnownAttribute, 'Missing Well-known Attribute'],
      [UpdateError.attributeFlags, 'Attribute Flags Error'],
      [UpdateError.attributeLength, 'Attribute Length Error'],
      [UpdateError.invalidOrigin, 'Invalid ORIGIN Attribute'],
      [UpdateError.asRoutingLoop, 'AS Routing Loop (deprecated)'],
      [UpdateError.invalidNextHop, 'Invalid NEXT_HOP Attribute'],
      [UpdateError.optionalAttribute, 'Optional Attribute Error'],
      [UpdateError.invalidNetworkField, 'Invalid Network Field'],
      [UpdateError.malformedAsPath, 'Malformed AS_PATH'],
      [StateMachineError.unexpectedInOpenSent, 'Unexpected Message in OpenSent'],
      [StateMachineError.unexpectedInOpenConfirm, 'Unexpected Message in OpenConfirm'],
      [StateMachineError.unexpectedInEstablished, 'Unexpected Message in Established'],
      [CeaseCode.maximumPrefixes, 'Maximum Number of Prefixes Reached'],
      [CeaseCode.administrativeShutdown, 'Administrative Shutdown'],
      [CeaseCode.peerDeconfigured, 'Peer De-configured'],
      [CeaseCode.administrativeReset, 'Administrative Reset'],
      [CeaseCode.connectionRejected, 'Connection Rejected'],
      [CeaseCode.otherConfigurationChange, 'Other Configuration Change'],
      [CeaseCode.connectionCollision, 'Connection Collision Resolution'],
      [CeaseCode.outOfResources, 'Out of Resources'],
      [CeaseCode.hardReset, 'Hard Reset'],
      [CeaseCode.bfdDown, 'BFD Down'],
      [RouteRefreshError.invalidMessageLength, 'Invalid Message Length'],
    ] as const
  ).map(([code, title]) => [keyOf(code), title]),
);

/** The title of a code and subcode, for instance "Cease: Administrative Shutdown (6/2)". */
export function notificationName(code: number, subcode: number): string {
  const title = TITLES[code];
  const number = `(${code}/${subcode})`;
  if (!title) return `unknown error ${number}`;
  const detail = SUBTITLES.get(keyOf({ code, subcode })) ?? (subcode === 0 ? null : 'unknown subcode');
  return detail ? `${title}: ${detail} ${number}` : `${title} ${number}`;
}

/** Whether a Cease may carry a shutdown message (RFC 9003 §2). */
const mayCarryText = (notification: Notification): boolean =>
  hasCode(notification, CeaseCode.administrativeShutdown) ||
  hasCode(notification, CeaseCode.administrativeReset);

const CONTROL = /[\p{Cc}\p{Cf}\u2028\u2029]/gu;

/** The shutdown message of a Cease (RFC 9003), made safe to log; null when there is none. */
export function shutdownMessage(notification: Notification): string | null {
  if (!mayCarryText(notification) || notification.data.length < 1) return null;
  const length = Math.min(notification.data[0], notification.data.length - 1);
  if (length === 0) return null;
  const text = Buffer.from(notification.data.subarray(1, 1 + length)).toString('utf8');
  return text.replace(CONTROL, '\ufffd');
}

/** The data field of a Cease with a shutdown message; longer texts are cut between characters at 255 octets. */
export function shutdownData(text: string): Uint8Array {
  let fitting = text;
  while (Buffer.byteLength(fitting) > 255) fitting = [...fitting].slice(0, -1).join('');
  const bytes = Buffer.from(fitting, 'utf8');
  return bytes.length === 0 ? new Uint8Array(0) : Uint8Array.from([bytes.length, ...bytes]);
}

/** A NOTIFICATION in words, with its shutdown message where it has one. */
export function describeNotification(notification: Notification): string {
  const name = notificationName(notification.code, notification.subcode);
  const text = shutdownMessage(notification);
  return text === null ? name : `${name}: "${text}"`;
}

/** "hold timer expired": a NOTIFICATION's subcode, or its code where it has none, as it reads in a sentence. */
function plainName(notification: NotificationCode): string {
  const name = SUBTITLES.get(keyOf(notification)) ?? TITLES[notification.code] ?? 'unknown error';
  return name.replace(/\b[A-Z][a-z]+\b/g, (word) => word.toLowerCase());
}

/**
 * Why this speaker ended a session, e.g. "hold timer expired, nothing received from n3 for 9 s (we sent NOTIFICATION
 * 4/0)". The text of a Cease names its reason itself.
 */
export function sentText(error: BgpError): string {
  const { code, subcode, text } = error;
  const name = code === ErrorCode.cease ? '' : `${plainName(error)}, `;
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
  return code === ErrorCode.cease || data.length === 0 ? '' : ` [${hexExcerpt(data, 16)}]`;
}

/** A whole NOTIFICATION; data that does not fit a message of 4096 octets is cut. */
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
      bgpError(
        HeaderError.badMessageLength,
        `a NOTIFICATION cannot be ${HEADER_LENGTH + end - start} octets long`,
      ),
    );
  }
  return { code: bytes[start], subcode: bytes[start + 1], data: bytes.slice(start + 2, end) };
}
