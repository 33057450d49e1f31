/** Import: which received routes are used, by default and with options. */
import assert from 'node:assert/strict';
import { type Attributes, longestMatch, type RouteInfo, routeTo } from '../../index.ts';
import { update } from '../wire/bytes.ts';
import { Bench, type HandPeer, OUR_ADDRESS, OUR_AS } from './bench.ts';

const EBGP = { as: 65001 };

function route(bench: Bench, prefix: string): RouteInfo {
  const result = routeTo(bench.speaker, prefix);
  assert.ok(result, `there is a route to ${prefix}`);
  return result;
}

/** The status of the only path to the prefix. */
function fate(bench: Bench, prefix: string): string {
  const { paths } = route(bench, prefix);
  assert.equal(paths.length, 1);
  return paths[0].status === 'best' ? 'best' : paths[0].reason;
}

describe('import by prefix', () => {
  const REFUSED: [string, RegExp][] = [
    ['0.0.0.0/0', /a default route/],
    ['0.0.0.0/8', /not a unicast destination/],
    ['127.0.0.0/8', /not a unicast destination/],
    ['127.0.0.1/32', /not a unicast destination/],
    ['169.254.1.0/24', /not a unicast destination/],
    ['224.0.0.0/4', /not a unicast destination/],
    ['239.1.2.3/32', /not a unicast destination/],
    ['240.0.0.0/4', /not a unicast destination/],
    ['255.255.255.255/32', /not a unicast destination/],
    ['10.244.1.0/26', /within a range of our own/],
    ['10.244.1.5/32', /within a range of our own/],
  ];
  const ACCEPTED = [
    '10.0.0.0/8',
    '10.244.0.0/16',
    '10.244.1.64/26',
    '128.0.0.0/1',
    '192.0.2.1/32',
    '169.0.0.0/8',
  ];

  for (const fields of [{}, EBGP]) {
    const kind = fields === EBGP ? 'eBGP' : 'iBGP';
    for (const [prefix, reason] of REFUSED) {
      it(`${prefix} from ${kind} is kept, but unusable, with the reason`, () => {
        const bench = new Bench();
        bench.speaker.setOwnRanges(['10.244.1.0/26']);
        const peer = bench.peer('10.0.0.2', fields).establish();
        peer.announce([prefix]);
        assert.match(fate(bench, prefix), reason);
        const { received, accepted, best } = bench.status('10.0.0.2').prefixes;
        assert.deepEqual([received, accepted, best], [1, 0, 0]);
      });
    }
    for (const prefix of ACCEPTED) {
      it(`${prefix} from ${kind} is used`, () => {
        const bench = new Bench();
        bench.speaker.setOwnRanges(['10.244.1.0/26']);
        bench.peer('10.0.0.2', fields).establish().announce([prefix]);
        assert.equal(fate(bench, prefix), 'best');
      });
    }
  }

  it('a default route is used with acceptDefault', () => {
    const bench = new Bench();
    bench.peer('10.0.0.2', { acceptDefault: true }).establish().announce(['0.0.0.0/0']);
    assert.equal(fate(bench, '0.0.0.0/0'), 'best');
    assert.equal(longestMatch(bench.speaker, '192.0.2.1')?.prefix, '0.0.0.0/0');
  });

  it('host bits of an announcement are masked', () => {
    const bench = new Bench();
    const peer = bench.peer('10.0.0.2').establish();
    peer.send(update('', '40 01 01 00 40 02 00 40 03 04 0a000002 40 05 04 00000064', '17 0a0909 12 0a08ff'));
    assert.equal(fate(bench, '10.9.8.0/23'), 'best');
    assert.equal(fate(bench, '10.8.192.0/18'), 'best');
  });

  it('learned routes are validated again when our own ranges change', () => {
    const bench = new Bench();
    const peer = bench.peer('10.0.0.2').establish();
    const other = bench.peer('10.0.0.3', EBGP).establish();
    peer.announce(['10.244.1.0/26']);
    assert.deepEqual(other.received(), ['+10.244.1.0/26']);
    bench.speaker.setOwnRanges(['10.244.1.0/24']);
    bench.pump();
    assert.match(fate(bench, '10.244.1.0/26'), /within a range/);
    assert.deepEqual(other.received(), ['-10.244.1.0/26']);
    bench.speaker.setOwnRanges([]);
    bench.pump();
    assert.equal(fate(bench, '10.244.1.0/26'), 'best');
    assert.deepEqual(other.received(), ['+10.244.1.0/26']);
  });
});

describe('import by attributes', () => {
  const seq = (...ases: number[]): Pick<Attributes, 'asPath'> => ({ asPath: [{ type: 'sequence', ases }] });
  const PREFIX = '10.9.0.0/16';
  const REFUSED: [string, object, Partial<Attributes>, RegExp][] = [
    ['our AS in AS_PATH', EBGP, seq(65001, OUR_AS), /a loop/],
    [
      'our AS in a set of AS_PATH',
      EBGP,
      { asPath: [...seq(65001).asPath, { type: 'set', ases: [OUR_AS, 7] }] },
      /a loop/,
    ],
    ["a first AS that is not the peer's", EBGP, seq(65002, 65001), /first AS/],
    ['an empty AS_PATH from eBGP', EBGP, { asPath: [] }, /first AS/],
    ['our own address as next hop', {}, { nextHop: OUR_ADDRESS }, /next hop is our own/],
    ['our own identifier as ORIGINATOR_ID', {}, { originatorId: OUR_ADDRESS }, /reflection loop/],
    [
      'our own cluster in CLUSTER_LIST',
      {},
      { originatorId: '10.0.0.9', clusterList: ['10.0.0.8', '10.0.0.10'] },
      /reflection loop/,
    ],
  ];
  for (const [title, fields, attributes, reason] of REFUSED) {
    it(`${title}: unusable`, () => {
      const bench = new Bench({ clusterId: '10.0.0.10' });
      const peer = bench.peer('10.0.0.2', fields).establish();
      peer.announce([PREFIX], attributes);
      assert.match(fate(bench, PREFIX), reason);
      peer.announce([PREFIX]);
      assert.equal(fate(bench, PREFIX), 'best', 'a valid announcement replaces it');
    });
  }

  const TAW: [string, string][] = [
    ['a next hop in 127/8', '40 01 01 00 40 02 00 40 03 04 7f000001 40 05 04 00000064'],
    ['no NEXT_HOP', '40 01 01 00 40 02 00 40 05 04 00000064'],
    ['only an unknown transitive attribute', 'c0 63 01 00'],
    ['MP_UNREACH_NLRI alone beside the routes', '80 0f 03 0002 01'],
    ['attributes of length 0', ''],
  ];
  for (const [title, attributes] of TAW) {
    it(`${title}: the former route is withdrawn, the session stays`, () => {
      const bench = new Bench();
      const peer = bench.peer('10.0.0.2').establish();
      peer.announce([PREFIX, '10.8.0.0/16']);
      peer.send(update('', attributes, '10 0a09'));
      assert.equal(routeTo(bench.speaker, PREFIX), null);
      assert.equal(fate(bench, '10.8.0.0/16'), 'best');
      assert.equal(bench.status('10.0.0.2').counters.treatedAsWithdraw, 1);
    });
  }

  it('End-of-RIB of IPv4 is reported, that of a family that was not negotiated is not', () => {
    const bench = new Bench();
    const peer = bench.peer('10.0.0.2').establish();
    peer.send(update('', '80 0f 03 0002 01', ''));
    assert.equal(bench.eventsOf('end-of-rib').length, 0);
    peer.send(update('', '', ''));
    assert.equal(bench.eventsOf('end-of-rib').length, 1);
    assert.equal(bench.eventsOf('defect').length, 0);
  });

  it('MP_REACH_NLRI of a family that was not negotiated is ignored', () => {
    const bench = new Bench();
    const peer = bench.peer('10.0.0.2').establish();
    const next = '20010db8000000000000000000000001';
    peer.send(
      update('', `40 01 01 00 40 02 00 40 05 04 00000064 80 0e 1a 0002 01 10 ${next} 00 20 20010db8`, ''),
    );
    assert.deepEqual([bench.status('10.0.0.2').state, bench.speaker.routing.rib.paths], ['Established', 0]);
  });
});

describe('a peer of two-octet AS numbers', () => {
  const OLD = { capabilities: [] };
  const attributes = (path: string) => `40 01 01 00 ${path} 40 03 04 0a000002`;

  function learn(path: string): { bench: Bench; reader: HandPeer } {
    const bench = new Bench();
    const reader = bench.peer('10.0.0.3').establish();
    bench
      .peer('10.0.0.2', EBGP)
      .establish(OLD)
      .send(update('', attributes(path), '10 0a09'));
    return { bench, reader };
  }

  it('has its AS_PATH advertised with four octets', () => {
    const { reader } = learn('40 02 06 02 02 fde9 0007');
    reader.takeMessages();
    assert.deepEqual(reader.routes.get('10.9.0.0/16')?.asPath, [{ type: 'sequence', ases: [65001, 7] }]);
  });

  it('has its AS4_PATH merged into the AS_PATH', () => {
    const { reader } = learn('40 02 06 02 02 fde9 5ba0 c0 11 06 02 01 00011170');
    reader.takeMessages();
    assert.deepEqual(reader.routes.get('10.9.0.0/16')?.asPath, [{ type: 'sequence', ases: [65001, 70000] }]);
  });

  it('has a loop if our own AS is in AS4_PATH', () => {
    const { bench } = learn(`40 02 06 02 02 fde9 5ba0 c0 11 06 02 01 0000fc00`);
    assert.match(fate(bench, '10.9.0.0/16'), /a loop/);
  });
});
