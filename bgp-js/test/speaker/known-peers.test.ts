/** Which connections are accepted: unknown addresses, and peers out of ranges. */
import assert from 'node:assert/strict';
import { peerConfig } from 'bgp-js-testing/index.ts';
import { encodeMessage, KEEPALIVE } from '../../wire/index.ts';
import { hex, message } from '../wire/bytes.ts';
import { Bench, HandPeer, OUR_AS } from './bench.ts';

const RANGE = '10.0.0.0/24';

function withRange(maximumPeers = 1000): Bench {
  const bench = new Bench();
  bench.speaker.addPeer(peerConfig({ as: OUR_AS, range: RANGE, name: 'rack', maximumPeers }), bench.now);
  return bench;
}

const stranger = (bench: Bench, address: string): HandPeer => new HandPeer(bench, address, OUR_AS);

describe('connections from unknown addresses', () => {
  it('are refused, and counted by address', () => {
    const bench = new Bench();
    for (const address of ['192.0.2.1', '192.0.2.1', '192.0.2.2']) {
      assert.equal(stranger(bench, address).connect(), false);
    }
    assert.deepEqual(
      bench.eventsOf('refused').map(({ address, count }) => [address, count]),
      [
        ['192.0.2.1', 1],
        ['192.0.2.1', 2],
        ['192.0.2.2', 1],
      ],
    );
    assert.equal([...bench.speaker.connections()].length, 0);
  });

  it('use a bounded amount of memory', () => {
    const bench = new Bench();
    for (let i = 0; i < 5000; i++) stranger(bench, `192.0.${i >> 8}.${i & 255}`).connect();
    const advertised = bench.eventsOf('refused');
    assert.equal(new Set(advertised.map(({ address }) => address)).size, 1025);
    assert.deepEqual(
      [advertised[1023].count, advertised[1024].address, advertised[4999].count],
      [1, 'other addresses', 3976],
    );
    assert.equal(bench.speaker.refusedConnections, 5000);
    stranger(bench, '192.0.0.0').connect();
    assert.equal(bench.eventsOf('refused').at(-1)?.count, 2, 'the first ones are counted one by one');
    stranger(bench, '192.0.19.0').connect();
    assert.equal(bench.eventsOf('refused').at(-1)?.count, 3977, 'the later ones are counted together');
  });
});

describe('peers out of a range', () => {
  it('exist from their first connection to the end of the session', () => {
    const bench = withRange();
    const peer = stranger(bench, '10.0.0.17').establish();
    peer.announce(['10.9.0.0/16']);
    const status = bench.status('10.0.0.17');
    assert.deepEqual(
      [status.name, status.range, status.state, status.prefixes.accepted],
      ['10.0.0.17', RANGE, 'Established', 1],
    );
    bench.speaker.disconnected(peer.id, 'closed', bench.now);
    bench.pump();
    assert.deepEqual([bench.speaker.peers.size, bench.speaker.routing.rib.paths], [0, 0]);
    bench.advance(1e6);
    assert.equal(bench.connects.length, 0, 'the speaker does not connect to them');
  });

  it('are maximumPeers at the most, and another is accepted when one ends its session', () => {
    const bench = withRange(2);
    const first = stranger(bench, '10.0.0.11').establish();
    stranger(bench, '10.0.0.12').establish();
    assert.equal(stranger(bench, '10.0.0.13').connect(), false);
    assert.match(bench.eventsOf('refused')[0].reason, /maximum of 2 peers/);
    first.send(encodeMessage({ type: 'notification', notification: { code: 6, subcode: 2, data: hex('') } }));
    stranger(bench, '10.0.0.13').establish();
  });

  it('that never send an OPEN are removed after four minutes', () => {
    const bench = withRange(1);
    assert.ok(stranger(bench, '10.0.0.11').connect());
    bench.advance(240_000);
    stranger(bench, '10.0.0.12').establish();
  });

  it('end with the range: 6/3', () => {
    const bench = withRange();
    const peers = ['10.0.0.11', '10.0.0.12'].map((address) => stranger(bench, address).establish());
    bench.speaker.removePeer(RANGE, bench.now);
    bench.pump();
    for (const peer of peers) assert.deepEqual([peer.received(), peer.closed], [['notification 6/3'], true]);
    assert.equal(stranger(bench, '10.0.0.11').connect(), false);
  });

  it("of another AS than the range's are refused: 2/2", () => {
    const bench = withRange();
    const peer = new HandPeer(bench, '10.0.0.11', 65001);
    assert.ok(peer.connect());
    peer.send(peer.open());
    assert.deepEqual(peer.received(), ['open', 'notification 2/2']);
    assert.equal(bench.speaker.peers.size, 0);
  });

  it('do not suffer from an error of one of them', () => {
    const bench = withRange();
    const good = stranger(bench, '10.0.0.11').establish();
    const bad = stranger(bench, '10.0.0.12').establish();
    bad.send(message(9, ''));
    good.send(KEEPALIVE);
    assert.deepEqual([bad.closed, good.closed], [true, false]);
  });
});
