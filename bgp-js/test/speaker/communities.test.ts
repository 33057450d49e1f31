/** Well-known communities, and attributes that are passed on: AIGP, large communities, unknown ones. */
import assert from 'node:assert/strict';
import { type Attributes, Community, type PathInfo, type PeerOptions, routeTo } from '../../index.ts';
import { KEEPALIVE } from '../../wire/index.ts';
import { hex } from '../wire/bytes.ts';
import { Bench, type HandPeer, OUR_ADDRESS } from './bench.ts';

const PREFIX = '192.0.2.0/24';
const { noExport, noAdvertise, noExportSubconfed, blackhole, gracefulShutdown } = Community;

function pathOf(bench: Bench): PathInfo {
  const path = routeTo(bench.speaker, PREFIX)?.paths[0];
  assert.ok(path, 'a path exists');
  return path;
}

function advertised(peer: HandPeer, prefix = PREFIX): Attributes | undefined {
  peer.takeMessages();
  return peer.routes.get(prefix);
}

const KEPT_IN: ReadonlySet<number> = new Set([noExport, noExportSubconfed]);

describe('communities that limit the export of a route (RFC 1997)', () => {
  const ROWS: [string, number[], boolean, boolean][] = [
    ['none', [0xfc000001], true, true],
    ['NO_EXPORT', [noExport], true, false],
    ['NO_EXPORT_SUBCONFED', [noExportSubconfed], true, false],
    ['NO_ADVERTISE', [noAdvertise], false, false],
    ['NO_EXPORT behind others', [1, 2, noExport], true, false],
  ];
  for (const [title, communities, inside, outside] of ROWS) {
    for (const own of [false, true]) {
      it(`${title} on a route ${own ? 'of our own' : 'that was learned'}`, () => {
        const bench = new Bench();
        const internal = bench.peer('10.0.0.3').establish();
        const external = bench.peer('10.0.0.4', { as: 65002 }).establish();
        if (own) bench.speaker.originate(PREFIX, { communities });
        else bench.peer('10.0.0.2', { as: 65001 }).establish().announce([PREFIX], { communities });
        bench.pump();
        // RFC 1997 is about received routes; a route that we originate with NO_EXPORT is meant for the neighbour.
        const expected = [inside, outside || (own && communities.some((each) => KEPT_IN.has(each)))];
        assert.deepEqual([advertised(internal) !== undefined, advertised(external) !== undefined], expected);
      });
    }
  }
});

describe('large communities (RFC 8092)', () => {
  it('of a route of our own are advertised to every peer', () => {
    const bench = new Bench();
    const internal = bench.peer('10.0.0.3').establish();
    const external = bench.peer('10.0.0.4', { as: 65002 }).establish();
    const largeCommunities = [
      [65_002, 0, 1],
      [4_200_000_001, 7, 0xffff_ffff],
    ] as const;
    bench.speaker.originate(PREFIX, { largeCommunities: [...largeCommunities] });
    bench.pump();
    for (const peer of [internal, external])
      assert.deepEqual(advertised(peer)?.largeCommunities, largeCommunities);
  });
});

describe('BLACKHOLE (RFC 7999)', () => {
  const announce = (fields: Partial<PeerOptions>, communities: number[] = [blackhole]): Bench => {
    const bench = new Bench();
    bench.peer('10.0.0.2', fields).establish().announce([PREFIX], { communities });
    return bench;
  };

  it('is refused from an external peer without acceptBlackhole', () => {
    const path = pathOf(announce({ as: 65001 }));
    assert.deepEqual(
      [path.status, path.reason],
      ['unusable', 'refused: it has the community blackhole, and acceptBlackhole is not set for this peer'],
    );
  });

  it('is used with acceptBlackhole, and gets NO_EXPORT', () => {
    const bench = announce({ as: 65001, acceptBlackhole: true });
    const { status, attributes } = pathOf(bench);
    assert.deepEqual([status, attributes.communities], ['best', [blackhole, noExport]]);
    const external = bench.peer('10.0.0.3', { as: 65002 }).establish();
    assert.equal(advertised(external), undefined);
  });

  it('keeps a received NO_ADVERTISE or NO_EXPORT', () => {
    const { attributes } = pathOf(announce({ as: 65001, acceptBlackhole: true }, [noExport, blackhole]));
    assert.deepEqual(attributes.communities, [noExport, blackhole]);
  });

  it('is used as it is from an internal peer', () => {
    const { status, attributes } = pathOf(announce({}));
    assert.deepEqual([status, attributes.communities], ['best', [blackhole]]);
  });
});

describe('GRACEFUL_SHUTDOWN (RFC 8326)', () => {
  it('from an external peer makes the route the last choice in the whole AS', () => {
    const bench = new Bench();
    const leaving = bench.peer('10.0.0.2', { as: 65001 }).establish();
    const inside = bench.peer('10.0.0.3').establish();
    leaving.announce([PREFIX], { communities: [gracefulShutdown] });
    assert.deepEqual(
      [advertised(inside)?.localPref, advertised(inside)?.communities],
      [0, [gracefulShutdown]],
    );
    const other = bench.peer('10.0.0.4', { as: 65004 }).establish();
    other.announce([PREFIX], { asPath: [{ type: 'sequence', ases: [65004, 1, 2, 3] }] });
    assert.equal(pathOf(bench).source.name, '10.0.0.4');
    assert.equal(pathOf(bench).reason, 'won by higher LOCAL_PREF');
  });

  it('from an internal peer does not change LOCAL_PREF', () => {
    const bench = new Bench();
    bench
      .peer('10.0.0.2')
      .establish()
      .announce([PREFIX], { communities: [gracefulShutdown], localPref: 70 });
    const external = bench.peer('10.0.0.3', { as: 65003 }).establish();
    assert.deepEqual(pathOf(bench).attributes.localPref, 70);
    assert.equal(advertised(external)?.localPref, undefined);
  });

  it('of our own is added to every route with our next hop, and removed again at the end', () => {
    const bench = new Bench();
    bench.speaker.originate('10.244.1.0/26', { communities: [7] });
    const inside = bench.peer('10.0.0.2').establish();
    const outside = bench.peer('10.0.0.3', { as: 65003 }).establish();
    const learned = bench.peer('10.0.0.4', { as: 65004 }).establish();
    learned.announce([PREFIX]);
    const view = () =>
      [inside, outside].flatMap((peer) =>
        ['10.244.1.0/26', PREFIX].map((prefix) => {
          const { communities = [], localPref } = advertised(peer, prefix) ?? {};
          return [communities.join(), localPref];
        }),
      );
    bench.speaker.setGracefulShutdown(true);
    bench.pump();
    const mark = String(gracefulShutdown);
    assert.deepEqual(view(), [
      [`7,${mark}`, 0],
      [mark, 0],
      [`7,${mark}`, undefined],
      [mark, undefined],
    ]);
    bench.speaker.setGracefulShutdown(true);
    bench.pump();
    assert.deepEqual(inside.received(), [], 'routes that do not change are not advertised again');
    bench.speaker.setGracefulShutdown(false);
    bench.pump();
    assert.deepEqual(view(), [
      ['7', 100],
      ['', 100],
      ['7', undefined],
      ['', undefined],
    ]);
    for (const peer of [inside, outside]) assert.equal(bench.status(peer.address).counters.established, 1);
  });

  it('is added for a session that starts during the graceful shutdown', () => {
    const bench = new Bench();
    bench.speaker.setGracefulShutdown(true);
    bench.speaker.originate(PREFIX);
    const peer = bench.peer('10.0.0.2');
    peer.connect();
    peer.send(peer.open(), KEEPALIVE);
    assert.deepEqual(advertised(peer)?.communities, [gracefulShutdown]);
  });

  it('is not added by a reflector to routes with another next hop', () => {
    const bench = new Bench({ clusterId: '10.0.0.1' });
    const [from, to] = ['10.0.0.2', '10.0.0.3'].map((address) =>
      bench.peer(address, { client: true }).establish(),
    );
    from.announce([PREFIX], { localPref: 100 });
    bench.speaker.setGracefulShutdown(true);
    bench.pump();
    assert.deepEqual([advertised(to)?.localPref, advertised(to)?.communities], [100, undefined]);
  });
});

describe('a route server (RFC 7947)', () => {
  it('does not change next hop, MED and path between its clients, and advertises its own routes as usual', () => {
    const bench = new Bench();
    const from = bench.peer('10.0.0.2', { as: 65001, role: 'rs-server' }).establish();
    const to = bench.peer('10.0.0.3', { as: 65002, role: 'rs-server' }).establish();
    from.announce([PREFIX], { med: 7 });
    bench.speaker.originate('10.244.1.0/26');
    bench.pump();
    const asPath = [{ type: 'sequence' as const, ases: [65001] }];
    assert.deepEqual(advertised(to), {
      origin: 'IGP',
      asPath,
      nextHop: '10.0.0.2',
      med: 7,
      onlyToCustomer: 64512,
    });
    assert.equal(advertised(to, '10.244.1.0/26')?.nextHop, OUR_ADDRESS);
  });
});

describe('attributes that are passed on', () => {
  const AIGP = 0xffn;
  const ROWS: [string, Partial<PeerOptions>, Partial<PeerOptions>, bigint | undefined][] = [
    ['iBGP to iBGP, next hop unchanged', { client: true }, { client: true }, AIGP],
    [
      'iBGP to iBGP, next hop self: one more',
      { client: true },
      { client: true, nextHopSelf: true },
      AIGP + 1n,
    ],
    ['iBGP to eBGP: not', { client: true }, { as: 65002 }, undefined],
    ['iBGP to eBGP where it is enabled', { client: true }, { as: 65002, aigp: true }, AIGP + 1n],
    ['eBGP to iBGP: not', { as: 65001 }, {}, undefined],
    ['eBGP where it is enabled to iBGP, by a reflector', { as: 65001, aigp: true }, {}, AIGP],
    [
      'eBGP where it is enabled to iBGP, next hop self',
      { as: 65001, aigp: true },
      { nextHopSelf: true },
      AIGP + 1n,
    ],
    ['iBGP where it is disabled', { client: true, aigp: false }, { client: true }, undefined],
  ];
  for (const [title, from, to, expected] of ROWS) {
    it(`AIGP (RFC 7311): ${title}`, () => {
      const bench = new Bench({ clusterId: '10.0.0.1' });
      const a = bench.peer('10.0.0.2', from).establish();
      const b = bench.peer('10.0.0.3', to).establish();
      a.announce([PREFIX], { aigp: AIGP });
      assert.ok(advertised(b));
      assert.equal(advertised(b)?.aigp, expected);
    });
  }

  it('does not let the largest metric of AIGP overflow', () => {
    const bench = new Bench();
    const a = bench.peer('10.0.0.2', { as: 65001, aigp: true }).establish();
    const b = bench.peer('10.0.0.3').establish();
    a.announce([PREFIX], { aigp: 0xffffffffffffffffn });
    assert.equal(advertised(b)?.aigp, 0xffffffffffffffffn);
  });

  it('does not pass AIGP on to a session without it', () => {
    const bench = new Bench();
    for (const [address, aigp] of [
      ['10.0.0.2', true],
      ['10.0.0.3', false],
    ] as const) {
      const peer = bench.peer(address, { as: 65001, aigp }).establish();
      peer.announce([PREFIX], { aigp: AIGP, nextHop: '10.0.0.9' });
    }
    const paths = routeTo(bench.speaker, PREFIX)?.paths ?? [];
    assert.deepEqual(
      paths.map(({ source, attributes }) => [source.name, attributes.aigp]),
      [
        ['10.0.0.2', AIGP],
        ['10.0.0.3', undefined],
      ],
    );
  });

  it('passes on communities of every kind, and unknown transitive attributes with Partial', () => {
    const bench = new Bench();
    const a = bench.peer('10.0.0.2', { as: 65001 }).establish();
    const b = bench.peer('10.0.0.3', { as: 65002 }).establish();
    const passed: Partial<Attributes> = {
      communities: [1, 2],
      extendedCommunities: [0x0002fde900000001n],
      ipv6ExtendedCommunities: [hex('0002 20010db8000000000000000000000001 0064')],
      largeCommunities: [[65001, 1, 2]],
    };
    const prefixSid = { flags: 0xc0, type: 40, value: hex('01 0007 00 0000 00000064') };
    a.announce([PREFIX], { ...passed, others: [prefixSid, { flags: 0xc0, type: 99, value: hex('ab') }] });
    const { communities, extendedCommunities, ipv6ExtendedCommunities, largeCommunities, others } =
      advertised(b) ?? {};
    assert.deepEqual({ communities, extendedCommunities, ipv6ExtendedCommunities, largeCommunities }, passed);
    assert.deepEqual(others, [prefixSid, { flags: 0xe0, type: 99, value: hex('ab') }]);
  });
});
