/**
 * The state machine of one connection (RFC 4271 §8.2.2) as data: for every state and event, what is to be done. An
 * event that a state does not list is a finite state machine error, so the machine is total. States before a TCP
 * connection exists (Idle, Connect, Active) belong to the peer: see peer.ts.
 */
export type ConnectionState = 'OpenSent' | 'OpenConfirm' | 'Established';

/** What can happen to a connection. */
export type ConnectionEvent =
  | 'open'
  | 'keepalive'
  | 'update'
  | 'routeRefresh'
  | 'notification'
  | 'malformed'
  | 'holdTimerExpired'
  | 'keepaliveTimerExpired'
  | 'sendHoldTimerExpired'
  | 'stop'
  | 'tcpClosed';

/** What is then done. */
export type ConnectionAction =
  /** Judge the OPEN: keep the session and send KEEPALIVE, or send NOTIFICATION. */
  | 'negotiate'
  /** Enter Established. */
  | 'establish'
  | 'restartHoldTimer'
  | 'processUpdate'
  | 'processRouteRefresh'
  | 'sendKeepalive'
  /** Send the NOTIFICATION that belongs to the event, and close. */
  | 'notifyAndClose'
  /** Close without a NOTIFICATION. */
  | 'close'
  /** NOTIFICATION 5/n for the state (RFC 6608), and close. */
  | 'fsmError'
  | 'ignore';

const ALWAYS = {
  notification: 'close',
  malformed: 'notifyAndClose',
  holdTimerExpired: 'notifyAndClose',
  sendHoldTimerExpired: 'notifyAndClose',
  stop: 'notifyAndClose',
  tcpClosed: 'close',
} as const;

const TRANSITIONS: Record<ConnectionState, Partial<Record<ConnectionEvent, ConnectionAction>>> = {
  OpenSent: { ...ALWAYS, open: 'negotiate', keepaliveTimerExpired: 'ignore' },
  OpenConfirm: { ...ALWAYS, keepalive: 'establish', keepaliveTimerExpired: 'sendKeepalive' },
  Established: {
    ...ALWAYS,
    keepalive: 'restartHoldTimer',
    update: 'processUpdate',
    routeRefresh: 'processRouteRefresh',
    keepaliveTimerExpired: 'sendKeepalive',
  },
};

/** The action for an event. */
export function transition(state: ConnectionState, event: ConnectionEvent): ConnectionAction {
  return TRANSITIONS[state][event] ?? 'fsmError';
}

/** The subcode of a finite state machine error in each state (RFC 6608 §3). */
export const FSM_SUBCODE: Record<ConnectionState, number> = { OpenSent: 1, OpenConfirm: 2, Established: 3 };
