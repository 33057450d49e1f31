/** The state machine of a connection (RFC 4271 §8.2.2): the action of every state for every event. */
import assert from 'node:assert/strict';
import {
  type ConnectionAction,
  type ConnectionEvent,
  type ConnectionState,
  transition,
} from '../../session/fsm.ts';
import { bgpError, CeaseCode } from '../../wire/error.ts';
import { ip } from '../ip/values.ts';

const OUR_ADDRESS = ip('10.0.0.1');

type EventType = ConnectionEvent['type'];

const message = { bytes: new Uint8Array(19), body: 19, end: 19 };
const error = bgpError(CeaseCode.administrativeShutdown, 'an error');
const reason = 'a reason';

/** One event of each type. */
const EVENTS: { [T in EventType]: ConnectionEvent & { type: T } } = {
  tcpConnected: { type: 'tcpConnected', localAddress: OUR_ADDRESS },
  tcpClosed: { type: 'tcpClosed', reason },
  connectTimerExpired: { type: 'connectTimerExpired', reason },
  keepaliveTimerExpired: { type: 'keepaliveTimerExpired' },
  holdTimerExpired: { type: 'holdTimerExpired', error },
  sendHoldTimerExpired: { type: 'sendHoldTimerExpired', error },
  open: { type: 'open', message },
  update: { type: 'update', message },
  notification: { type: 'notification', message },
  keepalive: { type: 'keepalive', message },
  routeRefresh: { type: 'routeRefresh', message },
  malformed: { type: 'malformed', error },
  limitExceeded: { type: 'limitExceeded', error },
  stop: { type: 'stop', error },
  lost: { type: 'lost', reason },
};

/** Written once more, from the RFC: an action, or `error n` for a NOTIFICATION 5/n. */
const TABLE: Record<ConnectionState, Record<EventType, ConnectionAction['type'] | `error ${number}`>> = {
  Connecting: {
    tcpConnected: 'sendOpen',
    tcpClosed: 'connectFailed',
    connectTimerExpired: 'connectFailed',
    keepaliveTimerExpired: 'ignore',
    holdTimerExpired: 'ignore',
    sendHoldTimerExpired: 'ignore',
    open: 'error 0',
    update: 'error 0',
    notification: 'error 0',
    keepalive: 'error 0',
    routeRefresh: 'error 0',
    malformed: 'ignore',
    limitExceeded: 'ignore',
    stop: 'cancelConnect',
    lost: 'cancelConnect',
  },
  OpenSent: {
    tcpConnected: 'ignore',
    tcpClosed: 'close',
    connectTimerExpired: 'ignore',
    keepaliveTimerExpired: 'ignore',
    holdTimerExpired: 'notify',
    sendHoldTimerExpired: 'ignore',
    open: 'negotiate',
    update: 'error 1',
    notification: 'processNotification',
    keepalive: 'error 1',
    routeRefresh: 'error 1',
    malformed: 'notify',
    limitExceeded: 'ignore',
    stop: 'notify',
    lost: 'close',
  },
  OpenConfirm: {
    tcpConnected: 'ignore',
    tcpClosed: 'close',
    connectTimerExpired: 'ignore',
    keepaliveTimerExpired: 'sendKeepalive',
    holdTimerExpired: 'notify',
    sendHoldTimerExpired: 'notify',
    open: 'error 2',
    update: 'error 2',
    notification: 'processNotification',
    keepalive: 'establish',
    routeRefresh: 'error 2',
    malformed: 'notify',
    limitExceeded: 'ignore',
    stop: 'notify',
    lost: 'close',
  },
  Established: {
    tcpConnected: 'ignore',
    tcpClosed: 'close',
    connectTimerExpired: 'ignore',
    keepaliveTimerExpired: 'sendKeepalive',
    holdTimerExpired: 'notify',
    sendHoldTimerExpired: 'notify',
    open: 'error 3',
    update: 'processUpdate',
    notification: 'processNotification',
    keepalive: 'restartHoldTimer',
    routeRefresh: 'processRouteRefresh',
    malformed: 'notify',
    limitExceeded: 'notify',
    stop: 'notify',
    lost: 'close',
  },
};

const isFsmError = (action: ConnectionAction): boolean => action.type === 'notify' && action.error.code === 5;

describe('the state machine of a connection', () => {
  for (const state of ['Connecting', 'OpenSent', 'OpenConfirm', 'Established'] as const) {
    for (const event of Object.values(EVENTS)) {
      const expected = TABLE[state][event.type];
      it(`${state} × ${event.type}: ${expected}`, () => {
        const action = transition(state, event);
        const text =
          action.type === 'notify' && isFsmError(action) ? `error ${action.error.subcode}` : action.type;
        assert.equal(text, expected);
      });
    }
  }

  it('passes the data of an event on to its action', () => {
    assert.deepEqual(transition('Established', EVENTS.update), { type: 'processUpdate', message });
    assert.deepEqual(transition('OpenSent', EVENTS.tcpClosed), { type: 'close', reason });
    assert.deepEqual(transition('Connecting', EVENTS.tcpConnected), {
      type: 'sendOpen',
      localAddress: OUR_ADDRESS,
    });
  });

  it('blames the peer for its errors, and not for a stop', () => {
    const blameless = (event: ConnectionEvent) => {
      const action = transition('Established', event);
      return action.type === 'notify' && action.blameless;
    };
    assert.deepEqual([EVENTS.stop, EVENTS.malformed, EVENTS.open].map(blameless), [true, false, false]);
  });
});
