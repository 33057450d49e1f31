/** The life of a session under virtual time: timers, messages in the wrong state, errors, and every kind of end. */
import assert from 'node:assert/strict';
import { encodeMessage, KEEPALIVE, type Message, shutdownMessage } from '../../index.ts';
import { hex, message, update } from '../wire/bytes.ts';
import { Bench, type HandPeer } from './bench.ts';

const PEER = '10.0.0.2';
const END_OF_RIB = update('', '', '');
const REFRESH = encodeMessage({ type: 'route-refresh', refresh: { afi: 1, subtype: 0, safi: 1 } });

/** The NOTIFICATION with which the speaker ended; there is exactly one, and it is the last word. */
function lastWord(peer: HandPeer): Message & { type: 'notification' } {
  const messages = peer.take();
  const notifications = messages.filter((candidate) => candidate.type === 'notification');
  assert.equal(notifications.length, 1);
  assert.equal(messages.at(-1), notifications[0]);
  assert.ok(peer.closed);
  return notifications[0];
}

const codesOf = (peer: HandPeer): string => {
  const { code, subcode } = lastWord(peer).notification;
  return `${code}/${subcode}`;
};

describe('a session comes up', () => {
  it('OPEN is sent at once, KEEPALIVE answers OPEN, End-of-RIB follows KEEPALIVE', () => {
    const bench = new Bench();
    const peer = bench.peer(PEER);
    assert.ok(peer.connect());
    assert.deepEqual([peer.heard(), bench.status(PEER).state], [['open'], 'OpenSent']);
    peer.send(peer.open());
    assert.deepEqual([peer.heard(), bench.status(PEER).state], [['keepalive'], 'OpenConfirm']);
    peer.send(KEEPALIVE);
    assert.deepEqual([peer.heard(), bench.status(PEER).state], [['end of RIB'], 'Established']);
    assert.deepEqual(
      bench.eventsOf('state').map(({ from, to }) => `${from}-${to}`),
      ['Idle-Active', 'Active-OpenSent', 'OpenSent-OpenConfirm', 'OpenConfirm-Established'],
    );
    const { holdTime, routerId, counters } = bench.status(PEER);
    assert.deepEqual([holdTime, routerId, counters.established], [90, PEER, 1]);
  });

  it('even when every octet comes alone', () => {
    const bench = new Bench();
    const peer = bench.peer(PEER);
    peer.connect();
    for (const octet of Buffer.concat([peer.open(), KEEPALIVE])) peer.send(Uint8Array.of(octet));
    assert.equal(bench.status(PEER).state, 'Established');
  });

  it('when the speaker connects', () => {
    const bench = new Bench();
    const peer = bench.peer(PEER, { passive: false, port: 1790 });
    bench.advance(0);
    assert.deepEqual([bench.connects[0].port, bench.status(PEER).state], [1790, 'Connect']);
    peer.answer();
    peer.send(peer.open(), KEEPALIVE);
    assert.equal(bench.status(PEER).state, 'Established');
  });

  it('a passive peer is never connected to, and an active one again and again, ever more slowly', () => {
    const bench = new Bench();
    bench.peer(PEER);
    bench.peer('10.0.0.3', { passive: false, connectRetry: 30 });
    const at: number[] = [];
    for (let i = 0; i < 8; i++) {
      while (bench.connects.length === 0) bench.advance(10);
      const [{ connection, address }] = bench.connects.splice(0);
      assert.equal(address, '10.0.0.3');
      at.push(bench.now);
      bench.speaker.disconnected(connection, 'connection refused', bench.now);
      bench.pump();
    }
    const waits = at.slice(1).map((time, i) => (time - at[i]) / 1000);
    const bounds = [6, 12, 24, 30, 30, 30, 30];
    for (const [i, wait] of waits.entries()) {
      assert.ok(wait >= 0.75 * bounds[i] - 0.01 && wait <= bounds[i] + 0.011, `${i}: ${wait} s`);
    }
    assert.match(bench.status('10.0.0.3').lastError?.text ?? '', /connection refused/);
  });

  it('an attempt to connect that nobody answers is given up', () => {
    const bench = new Bench();
    bench.peer(PEER, { passive: false });
    bench.advance(9_999);
    assert.equal(bench.status(PEER).state, 'Connect');
    bench.advance(1);
    assert.equal(bench.status(PEER).state, 'Active');
    assert.equal([...bench.speaker.connections()].length, 0);
  });
});

describe('the hold timer', () => {
  it('ends a session on which nothing came for the hold time, not a moment before', () => {
    const bench = new Bench();
    const peer = bench.peer(PEER, { holdTime: 9 }).establish();
    bench.advance(8_999);
    assert.equal(bench.status(PEER).state, 'Established');
    bench.advance(1);
    assert.equal(codesOf(peer), '4/0');
    assert.equal(bench.status(PEER).state, 'Active');
    assert.match(bench.status(PEER).lastError?.text ?? '', /^Hold Timer Expired \(4\/0\): .*, sent$/);
    assert.equal(bench.eventsOf('down').length, 1);
  });

  const RESTART: [string, Uint8Array, boolean][] = [
    ['KEEPALIVE', KEEPALIVE, true],
    ['UPDATE', END_OF_RIB, true],
    ['ROUTE-REFRESH', REFRESH, false],
    ['a part of a message', KEEPALIVE.slice(0, 18), false],
  ];
  for (const [title, bytes, restarts] of RESTART) {
    it(`is ${restarts ? '' : 'not '}restarted by ${title}`, () => {
      const bench = new Bench();
      const peer = bench.peer(PEER, { holdTime: 9 }).establish();
      bench.advance(5_000);
      peer.send(bytes);
      bench.advance(5_000);
      assert.equal(peer.closed, !restarts);
      bench.advance(4_000);
      assert.equal(codesOf(peer), '4/0');
    });
  }

  it('runs four minutes until the OPEN is there, and the agreed time from then on', () => {
    const bench = new Bench();
    const peer = bench.peer(PEER, { holdTime: 30 });
    peer.connect();
    bench.advance(239_999);
    assert.ok(!peer.closed);
    bench.advance(1);
    assert.equal(codesOf(peer), '4/0');

    peer.connect();
    peer.send(peer.open({ holdTime: 6 }));
    bench.advance(5_999);
    assert.ok(!peer.closed);
    bench.advance(1);
    assert.equal(codesOf(peer), '4/0');
  });

  it('of 0 never runs, and no KEEPALIVE is sent', () => {
    const bench = new Bench();
    const peer = bench.peer(PEER).establish({ holdTime: 0 });
    bench.advance(24 * 3600 * 1000);
    assert.deepEqual([peer.heard(), bench.status(PEER).state], [[], 'Established']);
  });

  it('does not fire while whole messages wait: the speaker is late, not the peer', () => {
    const bench = new Bench();
    const peer = bench.peer(PEER, { holdTime: 9 }).establish();
    peer.deliver(END_OF_RIB, KEEPALIVE);
    bench.now += 60_000;
    bench.speaker.tick(bench.now);
    bench.pump();
    assert.equal(bench.status(PEER).state, 'Established');
    bench.advance(9_000);
    assert.equal(codesOf(peer), '4/0', 'the next silence counts again');
  });

  it('fires while only a part of a message waits', () => {
    const bench = new Bench();
    const peer = bench.peer(PEER, { holdTime: 9 }).establish();
    peer.deliver(END_OF_RIB.slice(0, 20));
    bench.now += 9_000;
    bench.speaker.tick(bench.now);
    bench.pump();
    assert.equal(codesOf(peer), '4/0');
  });
});

describe('KEEPALIVE', () => {
  for (const [ours, theirs] of [
    [9, 90],
    [90, 9],
    [3, 3],
  ]) {
    it(`is sent at a third of the agreed hold time with jitter (${ours} s and ${theirs} s)`, () => {
      const bench = new Bench();
      const peer = bench.peer(PEER, { holdTime: ours }).establish({ holdTime: theirs });
      const third = (Math.min(ours, theirs) * 1000) / 3;
      const times: number[] = [];
      for (const end = bench.now + 100 * third; bench.now < end; ) {
        bench.advance(10);
        if (peer.heard().includes('keepalive')) times.push(bench.now);
        peer.send(KEEPALIVE);
      }
      const gaps = times.slice(1).map((time, i) => time - times[i]);
      assert.ok(gaps.length > 90);
      for (const gap of gaps) assert.ok(gap >= 0.75 * third - 10 && gap <= third + 10, `${gap} ms`);
      assert.ok(Math.max(...gaps) - Math.min(...gaps) > 0.1 * third, 'there is jitter');
    });
  }
});

describe('a message in the wrong state (RFC 6608)', () => {
  const OPEN = 'an OPEN';
  const CASES: ['OpenSent' | 'OpenConfirm' | 'Established', string, Uint8Array | typeof OPEN, string][] = [
    ['OpenSent', 'KEEPALIVE', KEEPALIVE, '5/1'],
    ['OpenSent', 'UPDATE', END_OF_RIB, '5/1'],
    ['OpenSent', 'ROUTE-REFRESH', REFRESH, '5/1'],
    ['OpenConfirm', 'OPEN', OPEN, '5/2'],
    ['OpenConfirm', 'UPDATE', END_OF_RIB, '5/2'],
    ['OpenConfirm', 'ROUTE-REFRESH', REFRESH, '5/2'],
    ['Established', 'OPEN', OPEN, '5/3'],
  ];
  for (const [state, title, bytes, expected] of CASES) {
    it(`${title} in ${state} is ${expected}`, () => {
      const bench = new Bench();
      const peer = bench.peer(PEER);
      peer.connect();
      if (state !== 'OpenSent') peer.send(peer.open());
      if (state === 'Established') peer.send(KEEPALIVE);
      assert.equal(bench.status(PEER).state, state);
      peer.take();
      peer.send(bytes === OPEN ? peer.open() : bytes);
      assert.equal(codesOf(peer), expected);
    });
  }
});

describe('an error of the peer', () => {
  const BEFORE: [string, (peer: HandPeer) => Uint8Array, string][] = [
    ['a marker of zeros', () => hex(`${'00'.repeat(16)} 0013 04`), '1/1'],
    ['an unknown type', () => message(6, ''), '1/3'],
    ['a request of another protocol', () => Buffer.from('GET / HTTP/1.1\r\nHost: router\r\n\r\n'), '1/1'],
    ['another version', (peer) => peer.open({ version: 5 }), '2/1'],
    ['another AS', (peer) => peer.open({ as: 1, capabilities: [] }), '2/2'],
    ['identifier 0', (peer) => peer.open({ identifier: 0 }), '2/3'],
    ['our own identifier', (peer) => peer.open({ identifier: 0x0a000001 }), '2/3'],
    ['hold time 2', (peer) => peer.open({ holdTime: 2 }), '2/6'],
    ['a truncated capability', () => message(1, '04 fc00 005a 0a000002 04 02 02 41 04'), '2/0'],
  ];
  for (const [title, bytes, expected] of BEFORE) {
    it(`in OpenSent: ${title} is ${expected}, told in words`, () => {
      const bench = new Bench();
      const peer = bench.peer(PEER);
      peer.connect();
      peer.send(bytes(peer));
      assert.equal(codesOf(peer), expected);
      assert.ok(bench.status(PEER).lastError?.text.includes(`(${expected})`));
    });
  }

  const AFTER: [string, Uint8Array, string][] = [
    ['lengths that do not fit', message(2, '0009 0000'), '3/1'],
    ['a prefix that is too long', update('', '', '21 0a00000100'), '3/10'],
    ['a withdrawn prefix that is cut off', update('18 0a', '', ''), '3/10'],
    ['an unknown well-known attribute', update('', '40 63 00', ''), '3/2'],
    ['a defect that asks for a withdrawal, and no routes', update('', '40 01 01 09', ''), '3/6'],
    ['a ROUTE-REFRESH that is too short', message(5, '0001'), '7/1'],
  ];
  for (const [title, bytes, expected] of AFTER) {
    it(`in Established: ${title} is ${expected}, and another session does not notice`, () => {
      const bench = new Bench();
      const other = bench.peer('10.0.0.3').establish();
      const peer = bench.peer(PEER).establish();
      peer.send(bytes);
      assert.equal(codesOf(peer), expected);
      other.announce(['10.9.0.0/16']);
      assert.deepEqual([bench.status('10.0.0.3').state, other.closed], ['Established', false]);
      assert.equal(bench.status('10.0.0.3').prefixes.accepted, 1);
    });
  }

  it('keeps it out for a while: Idle, refused, and let in again', () => {
    const bench = new Bench();
    const peer = bench.peer(PEER).establish();
    peer.send(message(6, ''));
    assert.equal(codesOf(peer), '1/3');
    assert.equal(bench.status(PEER).state, 'Idle');
    assert.equal(peer.connect(), false);
    assert.match(bench.eventsOf('refused')[0].reason, /after an error/);
    bench.advance(60_000);
    assert.equal(bench.status(PEER).state, 'Active');
    peer.establish();
  });

  it('a treat-as-withdraw keeps the session, takes the route away and is told with the octets', () => {
    const bench = new Bench();
    const peer = bench.peer(PEER).establish();
    peer.announce(['10.9.0.0/16', '10.8.0.0/16']);
    assert.equal(bench.status(PEER).prefixes.received, 2);
    peer.send(update('', '40 01 01 07 40 02 00 40 03 04 0a000002 40 05 04 00000064', '10 0a09'));
    assert.deepEqual([bench.status(PEER).state, bench.status(PEER).prefixes.received], ['Established', 1]);
    assert.equal(bench.status(PEER).counters.treatedAsWithdraw, 1);
    const [defect] = bench.eventsOf('defect');
    assert.match(defect.text, /ORIGIN: the value 7 is not defined/);
    assert.ok(defect.hex.includes('40010107'), 'with the octets');
  });

  it('a discarded attribute keeps session and route, and is counted', () => {
    const bench = new Bench();
    const peer = bench.peer(PEER).establish();
    peer.send(update('', '40 01 01 00 40 02 00 40 03 04 0a000002 40 05 04 00000064 40 06 01 00', '10 0a09'));
    const { prefixes, counters } = bench.status(PEER);
    assert.deepEqual([prefixes.accepted, counters.attributesDiscarded], [1, 1]);
  });

  it('a prefix withdrawn and announced in one message is announced', () => {
    const bench = new Bench();
    const peer = bench.peer(PEER).establish();
    const attributes = '40 01 01 00 40 02 00 40 03 04 0a000002 40 05 04 00000064';
    peer.send(update('10 0a09', attributes, '10 0a09'));
    assert.equal(bench.status(PEER).prefixes.accepted, 1);
  });
});

describe('the end of a session', () => {
  it('a NOTIFICATION is not answered, and is told in words', () => {
    const bench = new Bench();
    const peer = bench.peer(PEER).establish();
    const data = hex('06 7265626f6f74');
    peer.send(encodeMessage({ type: 'notification', notification: { code: 6, subcode: 4, data } }));
    assert.deepEqual([peer.heard(), peer.closed], [[], true]);
    const text = 'Cease: Administrative Reset (6/4): "reboot", received';
    assert.equal(bench.status(PEER).lastError?.text, text);
    assert.deepEqual(bench.eventsOf('down'), [{ type: 'down', peer: PEER, reason: text }]);
    peer.establish();
  });

  it('shutdown: 6/2 with the message to everyone, also before a session is up, and nobody is let in again', () => {
    const bench = new Bench();
    const up = bench.peer(PEER).establish();
    const half = bench.peer('10.0.0.3');
    half.connect();
    bench.peer('10.0.0.4', { passive: false });
    bench.advance(0);
    bench.speaker.shutdown('maintenance until 14:00', bench.now);
    bench.pump();
    for (const peer of [up, half]) {
      const { notification } = lastWord(peer);
      assert.deepEqual([notification.code, notification.subcode], [6, 2]);
      assert.equal(shutdownMessage(notification), 'maintenance until 14:00');
    }
    assert.equal([...bench.speaker.connections()].length, 0);
    assert.equal(bench.speaker.deadline, Number.POSITIVE_INFINITY);
    bench.advance(1e9);
    assert.deepEqual([up.connect(), bench.connects.length], [false, 1], 'the one attempt is from before');
  });

  it('removePeer: 6/3, and the peer is unknown from then on', () => {
    const bench = new Bench();
    const peer = bench.peer(PEER).establish();
    peer.announce(['10.9.0.0/16']);
    bench.speaker.removePeer(PEER, bench.now);
    bench.pump();
    assert.equal(codesOf(peer), '6/3');
    assert.equal(peer.connect(), false);
    assert.equal(bench.speaker.routing.rib.paths, 0);
    bench.advance(1e6);
    assert.equal(bench.connects.length, 0);
  });

  it('too many prefixes: 6/1 with family and maximum as data (RFC 4486)', () => {
    const bench = new Bench();
    const peer = bench.peer(PEER, { maximumPrefixes: 2 }).establish();
    peer.announce(['10.1.0.0/16', '10.2.0.0/16']);
    peer.announce(['10.1.0.0/16'], { med: 1 });
    assert.equal(bench.status(PEER).state, 'Established', 'the same prefix again is not another');
    peer.announce(['10.3.0.0/16']);
    const { notification } = lastWord(peer);
    assert.deepEqual(
      [notification.code, notification.subcode, [...notification.data]],
      [6, 1, [0, 1, 1, 0, 0, 0, 2]],
    );
    assert.match(bench.status(PEER).lastError?.text ?? '', /3 prefixes, the maximum is 2/);
    assert.equal(bench.status(PEER).state, 'Idle');
    assert.equal(bench.speaker.routing.rib.paths, 0, 'its routes are gone');
  });

  it('a broken connection takes the routes along and is tried again', () => {
    const bench = new Bench();
    const peer = bench.peer(PEER, { passive: false });
    bench.advance(0);
    peer.answer();
    peer.send(peer.open(), KEEPALIVE);
    peer.announce(['10.9.0.0/16']);
    bench.speaker.disconnected(peer.id, 'connection reset by peer', bench.now);
    bench.pump();
    assert.equal(bench.speaker.routing.rib.paths, 0);
    assert.equal(bench.status(PEER).lastError?.text, 'connection reset by peer');
    assert.equal(bench.connects.length, 0, 'not at once');
    bench.advance(5000);
    assert.equal(bench.connects.length, 1);
  });

  it('what a connection sends after its end is of no concern', () => {
    const bench = new Bench();
    const peer = bench.peer(PEER).establish();
    peer.send(message(6, ''), peer.open(), KEEPALIVE);
    assert.equal(codesOf(peer), '1/3');
    bench.speaker.received(peer.id, KEEPALIVE);
    bench.speaker.disconnected(peer.id, 'late', bench.now);
    bench.pump();
    assert.equal(bench.speaker.backlog(peer.id), 0);
    assert.deepEqual(bench.speaker.transmit(peer.id, 1000), []);
  });
});
