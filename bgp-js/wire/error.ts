/** Errors in what a peer sent: the NOTIFICATION that reports one, and how it is handled. */

/** What a NOTIFICATION reports (RFC 4271 §4.5). */
export interface NotificationCode {
  code: number;
  subcode: number;
}

/** The error codes of NOTIFICATIONs (RFC 4271 §6, RFC 7313 §5, RFC 9687 §4). */
export const ErrorCode = {
  messageHeader: 1,
  openMessage: 2,
  updateMessage: 3,
  holdTimerExpired: 4,
  finiteStateMachine: 5,
  cease: 6,
  routeRefresh: 7,
  sendHoldTimerExpired: 8,
} as const;

/** Message Header Error (RFC 4271 §6.1). */
export const HeaderError = {
  connectionNotSynchronized: { code: 1, subcode: 1 },
  badMessageLength: { code: 1, subcode: 2 },
  badMessageType: { code: 1, subcode: 3 },
} as const satisfies Record<string, NotificationCode>;

/** OPEN Message Error (RFC 4271 §6.2, RFC 5492 §5, RFC 9234 §4.2). */
export const OpenError = {
  unspecific: { code: 2, subcode: 0 },
  unsupportedVersionNumber: { code: 2, subcode: 1 },
  badPeerAs: { code: 2, subcode: 2 },
  badBgpIdentifier: { code: 2, subcode: 3 },
  unsupportedOptionalParameter: { code: 2, subcode: 4 },
  authenticationFailure: { code: 2, subcode: 5 },
  unacceptableHoldTime: { code: 2, subcode: 6 },
  unsupportedCapability: { code: 2, subcode: 7 },
  roleMismatch: { code: 2, subcode: 11 },
} as const satisfies Record<string, NotificationCode>;

/** UPDATE Message Error (RFC 4271 §6.3). */
export const UpdateError = {
  malformedAttributeList: { code: 3, subcode: 1 },
  unrecognizedWellKnownAttribute: { code: 3, subcode: 2 },
  missingWellKnownAttribute: { code: 3, subcode: 3 },
  attributeFlags: { code: 3, subcode: 4 },
  attributeLength: { code: 3, subcode: 5 },
  invalidOrigin: { code: 3, subcode: 6 },
  asRoutingLoop: { code: 3, subcode: 7 },
  invalidNextHop: { code: 3, subcode: 8 },
  optionalAttribute: { code: 3, subcode: 9 },
  invalidNetworkField: { code: 3, subcode: 10 },
  malformedAsPath: { code: 3, subcode: 11 },
} as const satisfies Record<string, NotificationCode>;

/** Timers of a session that ran out: Hold Timer (RFC 4271 §6.5) and Send Hold Timer (RFC 9687 §4). */
export const TimerError = {
  holdTimerExpired: { code: 4, subcode: 0 },
  sendHoldTimerExpired: { code: 8, subcode: 0 },
} as const satisfies Record<string, NotificationCode>;

/** Finite State Machine Error: a message that the state does not expect (RFC 6608 §3). */
export const StateMachineError = {
  unspecific: { code: 5, subcode: 0 },
  unexpectedInOpenSent: { code: 5, subcode: 1 },
  unexpectedInOpenConfirm: { code: 5, subcode: 2 },
  unexpectedInEstablished: { code: 5, subcode: 3 },
} as const satisfies Record<string, NotificationCode>;

/** Cease (RFC 4486 §3, RFC 8538 §3, RFC 9384 §3). */
export const CeaseCode = {
  unspecific: { code: 6, subcode: 0 },
  maximumPrefixes: { code: 6, subcode: 1 },
  administrativeShutdown: { code: 6, subcode: 2 },
  peerDeconfigured: { code: 6, subcode: 3 },
  administrativeReset: { code: 6, subcode: 4 },
  connectionRejected: { code: 6, subcode: 5 },
  otherConfigurationChange: { code: 6, subcode: 6 },
  connectionCollision: { code: 6, subcode: 7 },
  outOfResources: { code: 6, subcode: 8 },
  hardReset: { code: 6, subcode: 9 },
  bfdDown: { code: 6, subcode: 10 },
} as const satisfies Record<string, NotificationCode>;

/** ROUTE-REFRESH Message Error (RFC 7313 §5). */
export const RouteRefreshError = {
  invalidMessageLength: { code: 7, subcode: 1 },
} as const satisfies Record<string, NotificationCode>;

/** Whether a NOTIFICATION or an error reports this. */
export function hasCode({ code, subcode }: NotificationCode, expected: NotificationCode): boolean {
  return code === expected.code && subcode === expected.subcode;
}

/**
 * What to do about an error in an UPDATE (RFC 7606 §2), from the mildest to the strongest: discard the attribute, treat
 * the message's routes as withdrawn, or reset the session with a NOTIFICATION.
 */
export type Handling = 'discard' | 'treat-as-withdraw' | 'reset';

/** An error in what a peer sent, or a reason of ours to end a session: its NOTIFICATION, and how it is handled. */
export interface BgpError extends NotificationCode {
  /** The NOTIFICATION's data field. */
  data: Uint8Array;
  /** What was wrong, for logs. */
  text: string;
  handling: Handling;
  /** All malformed attributes of the UPDATE; this is the strongest error of all. */
  attributes?: readonly MalformedAttribute[];
}

/** A malformed attribute, and how RFC 7606 §7 handles it. */
export interface MalformedAttribute {
  /** The attribute's type code; 0: the octets where the next attribute should start. */
  type: number;
  handling: Handling;
}

const NO_DATA = new Uint8Array(0);

/** Builds a {@link BgpError}; by default without data, and handled by a reset. */
export function bgpError(
  { code, subcode }: NotificationCode,
  text: string,
  data: Uint8Array = NO_DATA,
  handling: Handling = 'reset',
): BgpError {
  return { code, subcode, data, text, handling };
}

/** At most `limit` octets of `bytes` in hexadecimal, for logs. */
export function hexExcerpt(bytes: Uint8Array, limit = 32): string {
  const digits = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, limit)).toString('hex');
  return bytes.length > limit ? `${digits}… (${bytes.length} octets)` : digits;
}
