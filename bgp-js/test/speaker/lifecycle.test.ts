/** The life of a session: its start, its timers, and messages in the wrong state. */
import assert from 'node:assert/strict';
import { encodeMessage, KEEPALIVE } from '../../wire/index.ts';
import { ip } from '../ip/values.ts';
import { update } from '../wire/bytes.ts';
import { Bench, codesOf } from './bench.ts';

const PEER = '10.0.0.2';
const END_OF_RIB = update('', '', '');
const REFRESH = encodeMessage({ type: 'route-refresh', refresh: { afi: 1, subtype: 0, safi: 1 } });

describe('a new session', () => {
  it("sends OPEN at once, KEEPALIVE after the peer's OPEN, and End-of-RIB after its KEEPALIVE", () => {
    const bench = new Bench();
    const peer = bench.peer(PEER);
    assert.ok(peer.connect());
    assert.deepEqual([peer.received(), bench.status(PEER).state], [['open'], 'OpenSent']);
    peer.send(peer.open());
    assert.deepEqual([peer.received(), bench.status(PEER).state], [['keepalive'], 'OpenConfirm']);
    peer.send(KEEPALIVE);
    assert.deepEqual([peer.received(), bench.status(PEER).state], [['end of RIB'], 'Established']);
    assert.deepEqual(
      bench.eventsOf('state').map(({ from, to }) => `${from}-${to}`),
      ['Idle-Active', 'Active-OpenSent', 'OpenSent-OpenConfirm', 'OpenConfirm-Established'],
    );
    const { holdTime, routerId, counters } = bench.status(PEER);
    assert.deepEqual([holdTime, routerId, counters.established], [90, PEER, 1]);
  });

  it('is established even if every octet arrives alone', () => {
    const bench = new Bench();
    const peer = bench.peer(PEER);
    peer.connect();
    for (const octet of Buffer.concat([peer.open(), KEEPALIVE])) peer.send(Uint8Array.of(octet));
    assert.equal(bench.status(PEER).state, 'Established');
  });

  it('is established when the speaker connects', () => {
    const bench = new Bench();
    const peer = bench.peer(PEER, { passive: false, port: 1790 });
    bench.advance(0);
    assert.deepEqual([bench.connects[0].port, bench.status(PEER).state], [1790, 'Connect']);
    peer.answer();
    peer.send(peer.open(), KEEPALIVE);
    assert.equal(bench.status(PEER).state, 'Established');
  });

  it('is never opened to a passive peer, and retried with longer and longer waits to an active one', () => {
    const bench = new Bench();
    bench.peer(PEER);
    bench.peer('10.0.0.3', { passive: false, connectRetry: 30 });
    const at: number[] = [];
    for (let i = 0; i < 8; i++) {
      while (bench.connects.length === 0) bench.advance(10);
      const [{ connection, address }] = bench.connects.splice(0);
      assert.equal(address.toString(), '10.0.0.3');
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

  it('fails when the connection attempt is not answered', () => {
    const bench = new Bench();
    bench.peer(PEER, { passive: false });
    bench.advance(9_999);
    assert.equal(bench.status(PEER).state, 'Connect');
    bench.advance(1);
    assert.equal(bench.status(PEER).state, 'Active');
    assert.equal([...bench.speaker.connections()].length, 0);
  });
});

describe('a report of the shell that is out of date', () => {
  it('is ignored: a connection cannot be established twice, and not after its end', () => {
    const bench = new Bench();
    const peer = bench.peer(PEER, { passive: false });
    bench.advance(0);
    peer.answer();
    bench.speaker.connected(peer.id, ip('10.0.0.9'), bench.now);
    bench.pump();
    assert.deepEqual(peer.received(), ['open'], 'one OPEN');
    peer.send(peer.open(), KEEPALIVE);
    bench.speaker.connected(peer.id, ip('10.0.0.9'), bench.now);
    assert.equal(bench.status(PEER).state, 'Established');
    bench.speaker.disconnected(peer.id, 'connection reset', bench.now);
    const { lastError } = bench.status(PEER);
    bench.speaker.disconnected(peer.id, 'again', bench.now);
    bench.speaker.connected(peer.id, ip('10.0.0.9'), bench.now);
    bench.speaker.blocked(peer.id, true, bench.now);
    assert.deepEqual(bench.status(PEER).lastError, lastError);
    assert.equal(bench.eventsOf('down').length, 0, 'not pulled yet');
    bench.pump();
    assert.equal(bench.eventsOf('down').length, 1);
  });
});

describe('an unreachable peer', () => {
  it('loses its session at once, without a NOTIFICATION, and is connected to again', () => {
    const bench = new Bench();
    const peer = bench.peer(PEER, { passive: false });
    bench.advance(0);
    peer.answer();
    peer.send(peer.open(), KEEPALIVE);
    peer.announce(['10.9.0.0/16']);
    peer.takeMessages();
    const [subject] = bench.speaker.peers;
    bench.speaker.peerUnreachable(subject, 'no answer to BFD', bench.now);
    bench.pump();
    assert.deepEqual([peer.received(), peer.closed, bench.speaker.routing.rib.paths], [[], true, 0]);
    assert.deepEqual(bench.eventsOf('down'), [{ type: 'down', peer: PEER, reason: 'no answer to BFD' }]);
    bench.advance(5000);
    assert.equal(bench.connects.length, 1);
  });

  it('has its connection attempt cancelled', () => {
    const bench = new Bench();
    bench.peer(PEER, { passive: false });
    bench.advance(0);
    const [{ connection }] = bench.connects;
    const [subject] = bench.speaker.peers;
    bench.speaker.peerUnreachable(subject, 'no answer to BFD', bench.now);
    assert.deepEqual(bench.speaker.actions(), [{ type: 'close', connection, lastBytes: null }]);
    assert.equal(bench.status(PEER).state, 'Active');
  });
});

describe('the wait before the next attempt to connect', () => {
  for (const [lasted, longest] of [
    [29_999, 60_000],
    [30_000, 12_000],
  ]) {
    it(`is at most ${longest} ms after a session of ${lasted} ms that followed many failures`, () => {
      const bench = new Bench();
      const peer = bench.peer(PEER, { passive: false, connectRetry: 60, holdTime: 0 });
      for (let failures = 0; failures < 5; failures++) {
        bench.advance(60_000);
        const [{ connection }] = bench.connects.splice(0);
        bench.speaker.disconnected(connection, 'connection refused', bench.now);
        bench.pump();
      }
      bench.advance(60_000);
      peer.answer();
      peer.send(peer.open(), KEEPALIVE);
      assert.equal(bench.status(PEER).state, 'Established');
      bench.advance(lasted);
      bench.speaker.disconnected(peer.id, 'connection reset', bench.now);
      const wait = bench.speaker.deadline - bench.now;
      assert.ok(wait >= 0.75 * longest && wait <= longest, `${wait} ms`);
    });
  }
});

describe('the hold timer', () => {
  it('ends a session that has received nothing for exactly the hold time', () => {
    const bench = new Bench();
    const peer = bench.peer(PEER, { holdTime: 9 }).establish();
    bench.advance(8_999);
    assert.equal(bench.status(PEER).state, 'Established');
    bench.advance(1);
    assert.equal(codesOf(peer), '4/0');
    assert.equal(bench.status(PEER).state, 'Active');
    assert.match(
      bench.status(PEER).lastError?.text ?? '',
      /^hold timer expired, nothing received from .* for 9 s \(we sent NOTIFICATION 4\/0\)$/,
    );
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

  it('runs four minutes until the OPEN arrives, and the negotiated time after that', () => {
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
    assert.deepEqual([peer.received(), bench.status(PEER).state], [[], 'Established']);
  });

  it('does not expire while whole messages wait: the speaker is late, not the peer', () => {
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

  it('expires while only a part of a message waits', () => {
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
    it(`is sent after a third of the negotiated hold time with jitter (${ours} s and ${theirs} s)`, () => {
      const bench = new Bench();
      const peer = bench.peer(PEER, { holdTime: ours }).establish({ holdTime: theirs });
      const third = (Math.min(ours, theirs) * 1000) / 3;
      const times: number[] = [];
      for (const end = bench.now + 100 * third; bench.now < end; ) {
        bench.advance(10);
        if (peer.received().includes('keepalive')) times.push(bench.now);
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
      peer.takeMessages();
      peer.send(bytes === OPEN ? peer.open() : bytes);
      assert.equal(codesOf(peer), expected);
    });
  }
});
