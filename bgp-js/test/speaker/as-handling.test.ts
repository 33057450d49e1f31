/** Changes of AS_PATH: local AS, AS override, our own and private AS numbers, confederations, the first AS. */
import assert from 'node:assert/strict';
import { type Attributes, formatAsPath, type PeerOptions, type PrefixId, routeTo } from '../../index.ts';
import { KEEPALIVE } from '../../wire/index.ts';
import { Bench, type HandPeer, OUR_AS } from './bench.ts';

const PREFIX = '192.0.2.0/24';
const OWN = '10.244.1.0/26';
const LOCAL_AS = 64999;
const seq = (...ases: number[]): Attributes['asPath'] => [{ type: 'sequence', ases }];

/** AS_PATH as advertised to the peer; null: the route is not advertised. */
function advertised(peer: HandPeer, prefix: string): string | null {
  peer.takeMessages();
  const route = peer.routes.get(prefix);
  return route ? formatAsPath(route.asPath) : null;
}

/** The AS_PATH of the only path to the prefix, or why it is unusable. */
function kept(bench: Bench, prefix = PREFIX): string {
  const path = routeTo(bench.speaker, prefix)?.paths[0];
  assert.ok(path, `there is a path to ${prefix}`);
  return path.status === 'unusable' ? path.reason : formatAsPath(path.attributes.asPath);
}

describe('AS_PATH to an external peer', () => {
  const ROWS: [string, Partial<PeerOptions>, Attributes['asPath'], string][] = [
    ['our AS goes in front', {}, seq(65001, 7), '64512 65001 7'],
    ['into a segment of its own before a set', {}, [{ type: 'set', ases: [1, 2] }], '64512 {1,2}'],
    ['a local AS, and ours behind it', { localAs: LOCAL_AS }, seq(65001), '64999 64512 65001'],
    [
      'no-prepend means what comes in',
      { localAs: LOCAL_AS, localAsMode: 'no-prepend' },
      seq(65001),
      '64999 64512 65001',
    ],
    [
      'replace-as: the local AS alone',
      { localAs: LOCAL_AS, localAsMode: 'replace-as' },
      seq(65001),
      '64999 65001',
    ],
    [
      "as-override: ours in the peer's place",
      { asOverride: true },
      seq(65001, 65002, 7, 65002),
      '64512 65001 64512 7 64512',
    ],
    [
      'with the local AS, which the peer knows',
      { asOverride: true, localAs: LOCAL_AS },
      seq(65001, 65002),
      '64999 64512 65001 64999',
    ],
    ['remove-private', { removePrivateAs: true }, seq(65001, 7, 4200000000, 8), '64512 7 8'],
    [
      'remove-private, also within a set',
      { removePrivateAs: true },
      [...seq(65001), { type: 'set', ases: [7, 64513] }],
      '64512 {7}',
    ],
    ['remove-private to an empty path', { removePrivateAs: true }, seq(65001, 65003), '64512'],
    ["remove-private leaves the peer's own", { removePrivateAs: true }, seq(65001, 65002), '64512 65002'],
    [
      'the borders of RFC 6996',
      { removePrivateAs: true },
      seq(64511, 65001, 65535, 4199999999, 4294967294, 4294967295),
      '64512 64511 65535 4199999999 4294967295',
    ],
    ['a route server adds nothing', { role: 'rs-server' }, seq(65001, 7), '65001 7'],
  ];
  for (const [title, fields, asPath, expected] of ROWS) {
    it(`${title}: ${expected}`, () => {
      const bench = new Bench();
      const from = bench.peer('10.0.0.2', { as: 65001, enforceFirstAs: false }).establish();
      const to = bench.peer('10.0.0.3', { as: 65002, ...fields }).establish();
      from.announce([PREFIX], { asPath });
      assert.equal(advertised(to, PREFIX), expected);
    });
  }

  it('gets a new segment if the first is full', () => {
    const bench = new Bench();
    const full = Array.from({ length: 254 }, (_, i) => i + 1);
    const from = bench.peer('10.0.0.2', { as: 1 }).establish();
    const plain = bench.peer('10.0.0.3', { as: 65002 }).establish();
    const local = bench.peer('10.0.0.4', { as: 65003, localAs: LOCAL_AS }).establish();
    from.announce([PREFIX], { asPath: seq(...full) });
    plain.takeMessages();
    local.takeMessages();
    assert.deepEqual(plain.routes.get(PREFIX)?.asPath, seq(OUR_AS, ...full));
    assert.deepEqual(local.routes.get(PREFIX)?.asPath, [...seq(LOCAL_AS, OUR_AS), ...seq(...full)]);
  });

  it('loses confederation segments, which are not counted either (RFC 5065 §4.1, 5.3)', () => {
    const bench = new Bench();
    const inside = bench.peer('10.0.0.2', { nextHopSelf: true, client: true }).establish();
    const outside = bench.peer('10.0.0.3', { as: 65002 }).establish();
    inside.announce([PREFIX], {
      asPath: [
        { type: 'confed-sequence', ases: [65100, 65101] },
        { type: 'confed-set', ases: [65102] },
        ...seq(7),
      ],
    });
    assert.equal(kept(bench), '(65100 65101) [65102] 7');
    const { attributes, rib } = bench.speaker.routing;
    const best = rib.bestOf(0 as PrefixId);
    assert.equal(attributes.asPathLength.values[rib.attrsOf(best)], 1);
    assert.equal(advertised(outside, PREFIX), '64512 7');
  });

  it('ignores a local AS that equals our own', () => {
    const bench = new Bench();
    bench.speaker.originate(OWN);
    const peer = bench.peer('10.0.0.2', { as: 65001, localAs: OUR_AS });
    peer.connect();
    peer.send(peer.open(), KEEPALIVE);
    assert.equal(advertised(peer, OWN), '64512');
  });
});

describe('AS_PATH from a peer', () => {
  const LOOP = 'AS_PATH holds our own AS: a loop';
  const FIRST = "the first AS of AS_PATH is not the peer's";
  const ROWS: [string, Partial<PeerOptions>, Attributes['asPath'], string][] = [
    ['our own AS is a loop', {}, seq(65001, OUR_AS), LOOP],
    ['within a set as well', {}, [...seq(65001), { type: 'set', ases: [OUR_AS] }], LOOP],
    ['allowAsIn 1: once', { allowAsIn: 1 }, seq(65001, OUR_AS), '65001 64512'],
    ['not twice', { allowAsIn: 1 }, seq(65001, OUR_AS, OUR_AS), LOOP],
    ['allowAsIn 2: twice', { allowAsIn: 2 }, seq(65001, OUR_AS, 7, OUR_AS), '65001 64512 7 64512'],
    ['a foreign first AS', {}, seq(7, 65001), FIRST],
    ['no path at all', {}, [], FIRST],
    ['a set in front', {}, [{ type: 'set', ases: [65001] }], FIRST],
    ['not enforced', { enforceFirstAs: false }, seq(7, 8), '7 8'],
    ['not enforced of a route server (RFC 7947)', { role: 'rs-client' }, seq(7, 8), '7 8'],
    ['but enforced when asked for', { role: 'rs-client', enforceFirstAs: true }, seq(7, 8), FIRST],
    ['as long as it may be', { maximumAsPathLength: 2 }, seq(65001, 7), '65001 7'],
    [
      'longer than that',
      { maximumAsPathLength: 2 },
      seq(65001, 7, 8),
      'AS_PATH is longer than maximumAsPathLength',
    ],
    ['a local AS goes in front (RFC 7705 §3.1)', { localAs: LOCAL_AS }, seq(65001, 7), '64999 65001 7'],
    ['not with no-prepend', { localAs: LOCAL_AS, localAsMode: 'no-prepend' }, seq(65001), '65001'],
    ['nor with replace-as', { localAs: LOCAL_AS, localAsMode: 'replace-as' }, seq(65001), '65001'],
    ['the local AS in the path is a loop', { localAs: LOCAL_AS }, seq(65001, LOCAL_AS), LOOP],
    ['in every mode', { localAs: LOCAL_AS, localAsMode: 'replace-as' }, seq(65001, LOCAL_AS), LOOP],
    ['our AS still is one', { localAs: LOCAL_AS }, seq(65001, OUR_AS), LOOP],
    [
      'allowAsIn holds for the local AS',
      { localAs: LOCAL_AS, allowAsIn: 1 },
      seq(65001, LOCAL_AS),
      '64999 65001 64999',
    ],
  ];
  for (const [title, fields, asPath, expected] of ROWS) {
    it(`${title}: ${expected}`, () => {
      const bench = new Bench();
      const peer = bench.peer('10.0.0.2', { as: 65001, ...fields }).establish();
      peer.announce([PREFIX], { asPath });
      assert.equal(kept(bench), expected);
      assert.equal(bench.status(peer.address).state, 'Established');
    });
  }

  it('applies changed limits at once, without a reset', () => {
    const bench = new Bench();
    const peer = bench.peer('10.0.0.2', { as: 65001 }).establish();
    peer.announce([PREFIX], { asPath: seq(65001, OUR_AS) });
    const config = [...bench.speaker.peers][0].config;
    assert.equal(kept(bench), LOOP);
    bench.speaker.updatePeer({ ...config, allowAsIn: 1 }, bench.now);
    bench.pump();
    assert.equal(kept(bench), '65001 64512');
    bench.speaker.updatePeer({ ...config, allowAsIn: 1, maximumAsPathLength: 1 }, bench.now);
    bench.pump();
    assert.match(kept(bench), /longer/);
    assert.equal(bench.status(peer.address).state, 'Established');
  });

  it('has its MED compared by the AS of the peer, not by a prepended local AS', () => {
    const bench = new Bench();
    const local = { localAs: LOCAL_AS };
    const a = bench.peer('10.0.0.2', { as: 65001, ...local }).establish();
    const b = bench.peer('10.0.0.3', { as: 65002, ...local }).establish();
    a.announce([PREFIX], { med: 9 });
    b.announce([PREFIX], { med: 1 });
    const paths = routeTo(bench.speaker, PREFIX)?.paths ?? [];
    assert.deepEqual(
      paths.map(({ source, reason }) => `${source.name}: ${reason}`),
      ['10.0.0.2: won by lower BGP identifier', '10.0.0.3: lost by lower BGP identifier'],
    );
  });

  it('the same octets mean different things to peers with and without a local AS', () => {
    const bench = new Bench();
    const local = bench.peer('10.0.0.2', { as: 65001, localAs: LOCAL_AS }).establish();
    const plain = bench.peer('10.0.0.3', { as: LOCAL_AS }).establish();
    local.announce([PREFIX], { asPath: seq(65001), nextHop: '10.0.0.9' });
    plain.announce([PREFIX], { asPath: seq(LOCAL_AS, 65001), nextHop: '10.0.0.9' });
    const paths = routeTo(bench.speaker, PREFIX)?.paths ?? [];
    assert.equal(paths.length, 2);
    for (const { status, attributes } of paths) {
      assert.notEqual(status, 'unusable');
      assert.equal(formatAsPath(attributes.asPath), '64999 65001');
    }
    assert.equal(bench.speaker.routing.attributes.size, 2);
  });
});

describe('the AS of a session', () => {
  const asOf = (peer: HandPeer): number | undefined => {
    const [open] = peer.takeMessages();
    return open.type === 'open' ? open.open.as : undefined;
  };

  it('is the local AS in our OPEN', () => {
    const bench = new Bench();
    const peer = bench.peer('10.0.0.2', { as: 65001, localAs: LOCAL_AS });
    peer.connect();
    assert.equal(asOf(peer), LOCAL_AS);
    peer.send(peer.open(), KEEPALIVE);
    assert.equal(bench.status(peer.address).state, 'Established');
  });

  it('may be either number of an AS that is being renumbered (RFC 7705 §4)', () => {
    for (const as of [OUR_AS, LOCAL_AS]) {
      const bench = new Bench();
      const peer = bench.peer('10.0.0.2', { localAs: LOCAL_AS });
      const capabilities = [{ code: 65, value: Uint8Array.of(0, 0, as >>> 8, as & 255) }];
      peer.establish({ as, capabilities });
      peer.announce([PREFIX], { localPref: 50 });
      const path = routeTo(bench.speaker, PREFIX)?.paths[0];
      assert.deepEqual([path?.status, path?.attributes.localPref], ['best', 50], 'the peer is internal');
    }
  });

  it('may not be a third number', () => {
    const bench = new Bench();
    const peer = bench.peer('10.0.0.2', { localAs: LOCAL_AS });
    peer.connect();
    peer.send(peer.open({ as: 65001, capabilities: [] }));
    assert.ok(peer.received().includes('notification 2/2'));
  });

  it('is our other number after the peer refused the first', () => {
    const bench = new Bench();
    const peer = bench.peer('10.0.0.2', { localAs: LOCAL_AS });
    const exported: (number | undefined)[] = [];
    for (let i = 0; i < 3; i++) {
      peer.connect();
      exported.push(asOf(peer));
      peer.send(Uint8Array.from([...Array(16).fill(255), 0, 21, 3, 2, 2]));
      assert.ok(peer.closed);
    }
    assert.deepEqual(exported, [OUR_AS, LOCAL_AS, OUR_AS]);
  });
});
