/** What a change of the configuration and a ROUTE-REFRESH do to a session that is up. */
import assert from 'node:assert/strict';
import { peerConfig } from 'bgp-js-testing/index.ts';
import { type PeerConfig, resetReasons } from '../../session/peer-config.ts';
import { encodeMessage } from '../../wire/index.ts';
import { Bench, OUR_AS } from './bench.ts';

const EBGP = { as: 65001 };

describe('ROUTE-REFRESH (RFC 2918)', () => {
  const request = (afi: number, subtype: number, safi: number) =>
    encodeMessage({ type: 'route-refresh', refresh: { afi, subtype, safi } });

  it('tells everything again, to the one who asked', () => {
    const bench = new Bench();
    const peer = bench.peer('10.0.0.2').establish();
    const other = bench.peer('10.0.0.3').establish();
    bench.speaker.originate('10.244.1.0/26');
    bench.speaker.originate('10.244.1.64/26');
    bench.pump();
    const all = ['+10.244.1.0/26', '+10.244.1.64/26'];
    assert.deepEqual([peer.heard(), other.heard()], [all, all]);
    peer.send(request(1, 0, 1));
    assert.deepEqual([peer.heard(), other.heard()], [all, []]);
  });

  for (const [title, ...fields] of [
    ['an unknown family', 9, 0, 9],
    ['a family that was not agreed on', 2, 0, 1],
    ['an unknown subtype', 1, 77, 1],
  ] as [string, number, number, number][]) {
    it(`${title} is ignored`, () => {
      const bench = new Bench();
      const peer = bench.peer('10.0.0.2').establish();
      bench.speaker.originate('10.244.1.0/26');
      bench.pump();
      peer.take();
      peer.send(request(...fields));
      assert.deepEqual([peer.heard(), peer.closed], [[], false]);
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

  it('export from own to all and back: routes come and go, no reset', () => {
    const { bench, reader, change } = scene({ export: 'own' });
    change({ export: 'all' });
    const news = reader.heard().filter((word) => !word.includes('10.244.1.0/26'));
    assert.deepEqual(news.sort(), ['+10.8.0.0/16', '+10.9.0.0/16']);
    change({ export: 'own' });
    assert.deepEqual(
      reader
        .heard()
        .filter((word) => word.startsWith('-'))
        .sort(),
      ['-10.8.0.0/16', '-10.9.0.0/16'],
    );
    assert.deepEqual([bench.status(PEER).counters.established, reader.closed], [1, false]);
  });

  it('acceptDefault: the route that was refused before counts now, and the other way round', () => {
    const { bench, reader, change } = scene();
    reader.announce(['0.0.0.0/0']);
    assert.equal(bench.status(PEER).prefixes.accepted, 0);
    change({ acceptDefault: true });
    assert.deepEqual([bench.status(PEER).prefixes.accepted, reader.heard()], [1, []]);
    change({ acceptDefault: false });
    assert.deepEqual([bench.status(PEER).prefixes.accepted, bench.status(PEER).counters.established], [0, 1]);
  });

  it('a higher or lower maximum counts at once, and resets only who is above it', () => {
    const { bench, reader, change } = scene({ maximumPrefixes: 2 });
    reader.announce(['10.1.0.0/16', '10.2.0.0/16']);
    change({ maximumPrefixes: 3 });
    reader.announce(['10.3.0.0/16']);
    change({ maximumPrefixes: 100 });
    assert.deepEqual([bench.status(PEER).counters.established, reader.heard()], [1, []]);
    change({ maximumPrefixes: 2 });
    assert.deepEqual(reader.heard(), ['notification 6/1']);
  });

  it('name, port and timers change nothing on the session', () => {
    const { bench, reader, change } = scene();
    change({ name: 'the reader', port: 1790, holdTime: 30, connectRetry: 60 });
    assert.deepEqual([reader.heard(), reader.closed], [[], false]);
    assert.equal(bench.status(PEER).name, 'the reader');
  });

  it('ADD-PATH is said in the OPEN, and paths above a lower number would stay: each change of it resets', () => {
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
    assert.deepEqual([reader.heard(), reader.closed], [['notification 6/3'], true]);
  });
});
