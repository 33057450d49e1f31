/** The effect of a changed configuration and of ROUTE-REFRESH on an established session. */
import assert from 'node:assert/strict';
import { peerConfig } from 'bgp-js-testing/index.ts';
import { type PeerConfig, resetReasons } from '../../session/peer-config.ts';
import { encodeMessage } from '../../wire/index.ts';
import { Bench, OUR_AS } from './bench.ts';

const EBGP = { as: 65001 };

describe('ROUTE-REFRESH (RFC 2918)', () => {
  const request = (afi: number, subtype: number, safi: number) =>
    encodeMessage({ type: 'route-refresh', refresh: { afi, subtype, safi } });

  it('advertises all routes again, only to the peer that requested it', () => {
    const bench = new Bench();
    const peer = bench.peer('10.0.0.2').establish();
    const other = bench.peer('10.0.0.3').establish();
    bench.speaker.originate('10.244.1.0/26');
    bench.speaker.originate('10.244.1.64/26');
    bench.pump();
    const all = ['+10.244.1.0/26', '+10.244.1.64/26'];
    assert.deepEqual([peer.received(), other.received()], [all, all]);
    peer.send(request(1, 0, 1));
    assert.deepEqual([peer.received(), other.received()], [all, []]);
  });

  for (const [title, ...fields] of [
    ['an unknown family', 9, 0, 9],
    ['a family that was not negotiated', 2, 0, 1],
    ['an unknown subtype', 1, 77, 1],
  ] as [string, number, number, number][]) {
    it(`${title} is ignored`, () => {
      const bench = new Bench();
      const peer = bench.peer('10.0.0.2').establish();
      bench.speaker.originate('10.244.1.0/26');
      bench.pump();
      peer.takeMessages();
      peer.send(request(...fields));
      assert.deepEqual([peer.received(), peer.closed], [[], false]);
    });
  }
});

describe('updatePeer', () => {
  const PEER = '10.0.0.2';

  /** A speaker with one route of its own, one from eBGP, and a reader whose configuration is to change. */
  function scene(fields = {}) {
    const bench = new Bench();
    bench.speaker.originate('10.244.1.0/26');
    const source = bench.peer('10.0.0.4', EBGP).establish();
    source.announce(['10.9.0.0/16', '10.8.0.0/16']);
    const reader = bench.peer(PEER, fields).establish();
    const change = (to: object) => {
      bench.speaker.updatePeer(
        peerConfig({ as: OUR_AS, passive: true, address: PEER, ...fields, ...to }),
        bench.now,
      );
      bench.pump();
    };
    return { bench, source, reader, change };
  }

  it('export from own to all and back: advertises and withdraws the difference, no reset', () => {
    const { bench, reader, change } = scene({ export: 'own' });
    change({ export: 'all' });
    const news = reader.received().filter((word) => !word.includes('10.244.1.0/26'));
    assert.deepEqual(news.sort(), ['+10.8.0.0/16', '+10.9.0.0/16']);
    change({ export: 'own' });
    assert.deepEqual(
      reader
        .received()
        .filter((word) => word.startsWith('-'))
        .sort(),
      ['-10.8.0.0/16', '-10.9.0.0/16'],
    );
    assert.deepEqual([bench.status(PEER).counters.established, reader.closed], [1, false]);
  });

  it('acceptDefault: a default route becomes usable, and unusable again', () => {
    const { bench, reader, change } = scene();
    reader.announce(['0.0.0.0/0']);
    assert.equal(bench.status(PEER).prefixes.accepted, 0);
    change({ acceptDefault: true });
    assert.deepEqual([bench.status(PEER).prefixes.accepted, reader.received()], [1, []]);
    change({ acceptDefault: false });
    assert.deepEqual([bench.status(PEER).prefixes.accepted, bench.status(PEER).counters.established], [0, 1]);
  });

  it('applies a changed maximum at once, and resets only a session above it', () => {
    const { bench, reader, change } = scene({ maximumPrefixes: 2 });
    reader.announce(['10.1.0.0/16', '10.2.0.0/16']);
    change({ maximumPrefixes: 3 });
    reader.announce(['10.3.0.0/16']);
    change({ maximumPrefixes: 100 });
    assert.deepEqual([bench.status(PEER).counters.established, reader.received()], [1, []]);
    change({ maximumPrefixes: 2 });
    assert.deepEqual(reader.received(), ['notification 6/1']);
  });

  it('name, port and timers do not affect the session', () => {
    const { bench, reader, change } = scene();
    change({ name: 'the reader', port: 1790, holdTime: 30, connectRetry: 60 });
    assert.deepEqual([reader.received(), reader.closed], [[], false]);
    assert.equal(bench.status(PEER).name, 'the reader');
  });

  it('any change of addPath resets the session', () => {
    const of = (addPath?: PeerConfig['addPath']) => peerConfig({ as: 64512, address: '10.0.0.2', addPath });
    const more = { receive: false, send: 4 };
    assert.deepEqual(resetReasons(of(more), of({ ...more, send: 2 })), ['addPath']);
    assert.deepEqual(resetReasons(of(), of(more)), ['addPath']);
    assert.deepEqual(resetReasons(of(more), of({ receive: true, send: 4 })), ['addPath']);
    assert.deepEqual(resetReasons(of(), of({ receive: false, send: 0 })), []);
  });

  it('another AS resets the session', () => {
    const { reader, change } = scene();
    change({ as: 65009 });
    assert.deepEqual([reader.received(), reader.closed], [['notification 6/3'], true]);
  });
});
