/** The state machine of a connection (RFC 4271 §8.2.2): what every state does with every event. */
import assert from 'node:assert/strict';
import {
  type ConnectionAction,
  type ConnectionEvent,
  type ConnectionState,
  FSM_SUBCODE,
  transition,
} from '../../session/fsm.ts';

/** Written down once more, from the RFC: the table is total, and so is its copy. */
const TABLE: Record<ConnectionState, Record<ConnectionEvent, ConnectionAction>> = {
  OpenSent: {
    open: 'negotiate',
    keepalive: 'fsmError',
    update: 'fsmError',
    routeRefresh: 'fsmError',
    notification: 'close',
    malformed: 'notifyAndClose',
    holdTimerExpired: 'notifyAndClose',
    sendHoldTimerExpired: 'notifyAndClose',
    keepaliveTimerExpired: 'ignore',
    stop: 'notifyAndClose',
    tcpClosed: 'close',
  },
  OpenConfirm: {
    open: 'fsmError',
    keepalive: 'establish',
    update: 'fsmError',
    routeRefresh: 'fsmError',
    notification: 'close',
    malformed: 'notifyAndClose',
    holdTimerExpired: 'notifyAndClose',
    sendHoldTimerExpired: 'notifyAndClose',
    keepaliveTimerExpired: 'sendKeepalive',
    stop: 'notifyAndClose',
    tcpClosed: 'close',
  },
  Established: {
    open: 'fsmError',
    keepalive: 'restartHoldTimer',
    update: 'processUpdate',
    routeRefresh: 'processRouteRefresh',
    notification: 'close',
    malformed: 'notifyAndClose',
    holdTimerExpired: 'notifyAndClose',
    sendHoldTimerExpired: 'notifyAndClose',
    keepaliveTimerExpired: 'sendKeepalive',
    stop: 'notifyAndClose',
    tcpClosed: 'close',
  },
};

describe('the state machine', () => {
  for (const [state, row] of Object.entries(TABLE)) {
    for (const [event, action] of Object.entries(row)) {
      it(`${state} × ${event}: ${action}`, () => {
        assert.equal(transition(state as ConnectionState, event as ConnectionEvent), action);
      });
    }
  }

  it('names the state in the subcode of its error (RFC 6608)', () => {
    assert.deepEqual(FSM_SUBCODE, { OpenSent: 1, OpenConfirm: 2, Established: 3 });
  });
});
