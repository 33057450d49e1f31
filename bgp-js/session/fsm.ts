/**
 * The state machine of one TCP connection with a peer (RFC 4271 §8.2.2).
 *
 * RFC 4271 defines one machine for each peer, but a peer may have two connections at a time (§6.8), each with its own
 * machine. Here only connections have a machine. The states in which no connection exists (Idle, Active, and Connect
 * before the attempt) are waiting times of the peer: `Peer.state` and `Peer.connectAt`.
 *
 * The machine has no side effects. `transition` looks up the cell for a state and an event and returns an action, a
 * plain object with all data for its execution. `Sessions.handle` is the only caller of `transition` and the only code
 * that executes actions. It also sets the connection's next state, because that may depend on more than the event: an
 * OPEN may be unacceptable, and one of two colliding connections closes.
 *
 *     message, timer, socket, operator  →  event  →  transition(state, event)  →  action  →  Sessions.handle
 *
 * Two rules cover the cells that the table leaves out:
 * - A message that a state does not expect is a finite state machine error: NOTIFICATION 5/n (RFC 6608), close.
 * - A local event (timer, socket, operator) that a state does not list is out of date, and ignored. For example, the
 *   shell may report that a connection is established after a collision has closed it.
 */

import type { IPAddress } from '../ip/index.ts';
import { type BgpError, bgpError, type NotificationCode, StateMachineError } from '../wire/error.ts';

/** The states of a connection that has not ended. `Connecting`: the TCP handshake is under way. */
export type ConnectionState = 'Connecting' | 'OpenSent' | 'OpenConfirm' | 'Established';

/** A whole message in a receive buffer: the header is 19 octets before `body`, the message ends before `end`. */
export interface ReceivedMessage {
  bytes: Uint8Array;
  body: number;
  end: number;
}

/** The peer sent a whole message with a valid header (RFC 4271 §4). */
export interface MessageEvent {
  type: 'open' | 'update' | 'notification' | 'keepalive' | 'routeRefresh';
  message: ReceivedMessage;
}

/** An event of a connection. */
export type ConnectionEvent =
  | MessageEvent
  /** The TCP connection that we opened is established, from our address `localAddress`. */
  | { type: 'tcpConnected'; localAddress: IPAddress }
  /** The TCP connection failed or was closed. */
  | { type: 'tcpClosed'; reason: string }
  | { type: 'connectTimerExpired'; reason: string }
  | { type: 'keepaliveTimerExpired' }
  | { type: 'holdTimerExpired'; error: BgpError }
  /** The peer has read none of our data for the send hold time (RFC 9687). */
  | { type: 'sendHoldTimerExpired'; error: BgpError }
  /** The peer sent something malformed that ends the session. */
  | { type: 'malformed'; error: BgpError }
  /** The peer sent more than its configuration allows. */
  | { type: 'limitExceeded'; error: BgpError }
  /** This speaker ends the connection for its own reasons: a collision, a shutdown, a changed configuration. */
  | { type: 'stop'; error: BgpError }
  /** The session is lost without a closed socket: the peer is unreachable or has restarted, or this speaker restarts. */
  | { type: 'lost'; reason: string };

/** The action that an event requires. */
export type ConnectionAction =
  | { type: 'sendOpen'; localAddress: IPAddress }
  /** Validate the peer's OPEN: accept it and send KEEPALIVE, or refuse it. */
  | { type: 'negotiate'; message: ReceivedMessage }
  /** Enter Established. */
  | { type: 'establish' }
  | { type: 'restartHoldTimer' }
  | { type: 'sendKeepalive' }
  | { type: 'processUpdate'; message: ReceivedMessage }
  | { type: 'processRouteRefresh'; message: ReceivedMessage }
  | { type: 'processNotification'; message: ReceivedMessage }
  /** Send a NOTIFICATION and close. `blameless`: the peer did nothing wrong. */
  | { type: 'notify'; error: BgpError; blameless: boolean }
  /** Close without a NOTIFICATION; the peer's routes may be retained (RFC 4724). */
  | { type: 'close'; reason: string }
  /** End an attempt to connect that failed, and try again later. */
  | { type: 'connectFailed'; reason: string }
  /** End an attempt to connect that is no longer wanted. */
  | { type: 'cancelConnect'; reason: string }
  | { type: 'ignore' };

type EventType = ConnectionEvent['type'];
type EventOf<T extends EventType> = ConnectionEvent & { type: T };
type Cells = { [T in EventType]?: (event: EventOf<T>) => ConnectionAction };

const notify = ({ error }: { error: BgpError }): ConnectionAction => ({
  type: 'notify',
  error,
  blameless: false,
});
const stop = ({ error }: { error: BgpError }): ConnectionAction => ({
  type: 'notify',
  error,
  blameless: true,
});
const close = ({ reason }: { reason: string }): ConnectionAction => ({ type: 'close', reason });
const connectFailed = ({ reason }: { reason: string }): ConnectionAction => ({
  type: 'connectFailed',
  reason,
});
const sendKeepalive = (): ConnectionAction => ({ type: 'sendKeepalive' });

/** The transitions that all states with an established TCP connection share. */
const WHILE_CONNECTED: Cells = {
  notification: ({ message }) => ({ type: 'processNotification', message }),
  malformed: notify,
  holdTimerExpired: notify,
  stop,
  tcpClosed: close,
  lost: close,
};

const TRANSITIONS: Record<ConnectionState, Cells> = {
  Connecting: {
    tcpConnected: ({ localAddress }) => ({ type: 'sendOpen', localAddress }),
    tcpClosed: connectFailed,
    connectTimerExpired: connectFailed,
    stop: ({ error }) => ({ type: 'cancelConnect', reason: error.text }),
    lost: ({ reason }) => ({ type: 'cancelConnect', reason }),
  },
  OpenSent: {
    ...WHILE_CONNECTED,
    open: ({ message }) => ({ type: 'negotiate', message }),
  },
  OpenConfirm: {
    ...WHILE_CONNECTED,
    keepalive: () => ({ type: 'establish' }),
    keepaliveTimerExpired: sendKeepalive,
    sendHoldTimerExpired: notify,
  },
  Established: {
    ...WHILE_CONNECTED,
    keepalive: () => ({ type: 'restartHoldTimer' }),
    update: ({ message }) => ({ type: 'processUpdate', message }),
    routeRefresh: ({ message }) => ({ type: 'processRouteRefresh', message }),
    keepaliveTimerExpired: sendKeepalive,
    sendHoldTimerExpired: notify,
    limitExceeded: notify,
  },
};

/** The error of a message that a state does not expect (RFC 6608 §3). */
const UNEXPECTED: Record<ConnectionState, NotificationCode> = {
  Connecting: StateMachineError.unspecific,
  OpenSent: StateMachineError.unexpectedInOpenSent,
  OpenConfirm: StateMachineError.unexpectedInOpenConfirm,
  Established: StateMachineError.unexpectedInEstablished,
};

/** Messages by their event; a message that a state does not list is an error of the peer. */
const MESSAGES: ReadonlySet<EventType> = new Set<MessageEvent['type']>([
  'open',
  'update',
  'notification',
  'keepalive',
  'routeRefresh',
]);

/** The action for an event in a state. Pure: the state changes when the action is executed. */
export function transition(state: ConnectionState, event: ConnectionEvent): ConnectionAction {
  // Each cell takes the event type of its key, but TypeScript cannot infer that from an indexed access.
  const cell = TRANSITIONS[state][event.type] as ((event: ConnectionEvent) => ConnectionAction) | undefined;
  if (cell) return cell(event);
  if (!MESSAGES.has(event.type)) return { type: 'ignore' };
  return notify({ error: bgpError(UNEXPECTED[state], `unexpected ${event.type} in ${state}`) });
}
