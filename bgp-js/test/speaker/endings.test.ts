/** Errors of a peer, and all ways in which a session ends. */
import assert from 'node:assert/strict';
import { encodeMessage, KEEPALIVE, shutdownMessage } from '../../wire/index.ts';
import { hex, message, update } from '../wire/bytes.ts';
import { Bench, codesOf, type HandPeer, lastNotification } from './bench.ts';

const PEER = '10.0.0.2';

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
    it(`in OpenSent: ${title} is ${expected}, with a text`, () => {
      const bench = new Bench();
      const peer = bench.peer(PEER);
      peer.connect();
      peer.send(bytes(peer));
      assert.equal(codesOf(peer), expected);
      assert.ok(bench.status(PEER).lastError?.text.includes(`(we sent NOTIFICATION ${expected})`));
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
    it(`in Established: ${title} is ${expected}, and does not disturb another session`, () => {
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

  it('keeps the peer in Idle for a while: it is refused, and then accepted again', () => {
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

  it('treat-as-withdraw keeps the session, withdraws the route and is reported with the octets', () => {
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
  it('a NOTIFICATION is not answered, and is reported in words', () => {
    const bench = new Bench();
    const peer = bench.peer(PEER).establish();
    const data = hex('06 7265626f6f74');
    peer.send(encodeMessage({ type: 'notification', notification: { code: 6, subcode: 4, data } }));
    assert.deepEqual([peer.received(), peer.closed], [[], true]);
    const text = 'administrative reset: "reboot" (received NOTIFICATION 6/4)';
    assert.equal(bench.status(PEER).lastError?.text, text);
    assert.deepEqual(bench.eventsOf('down'), [{ type: 'down', peer: PEER, reason: text }]);
    peer.establish();
  });

  it('shutdown: 6/2 with the message on all connections, established or not, and all later ones are refused', () => {
    const bench = new Bench();
    const up = bench.peer(PEER).establish();
    const half = bench.peer('10.0.0.3');
    half.connect();
    bench.peer('10.0.0.4', { passive: false });
    bench.advance(0);
    bench.speaker.shutdown('maintenance until 14:00', bench.now);
    bench.pump();
    for (const peer of [up, half]) {
      const { notification } = lastNotification(peer);
      assert.deepEqual([notification.code, notification.subcode], [6, 2]);
      assert.equal(shutdownMessage(notification), 'maintenance until 14:00');
    }
    assert.equal([...bench.speaker.connections()].length, 0);
    assert.equal(bench.speaker.deadline, Number.POSITIVE_INFINITY);
    bench.advance(1e9);
    assert.deepEqual([up.connect(), bench.connects.length], [false, 1], 'the one attempt is from before');
  });

  it('removePeer: 6/3, and later connections of the peer are refused', () => {
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
    const { notification } = lastNotification(peer);
    assert.deepEqual(
      [notification.code, notification.subcode, [...notification.data]],
      [6, 1, [0, 1, 1, 0, 0, 0, 2]],
    );
    assert.match(
      bench.status(PEER).lastError?.text ?? '',
      /maximum prefixes exceeded: 3 received, 2 allowed/,
    );
    assert.equal(bench.status(PEER).state, 'Idle');
    assert.equal(bench.speaker.routing.rib.paths, 0, 'its routes are gone');
  });

  it('a broken connection withdraws the routes, and the speaker connects again', () => {
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

  it('input of a connection that has ended is ignored', () => {
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
