/** Export: which routes are advertised, with which attributes (RFC 4271 §5.1, §9.2, RFC 1997, RFC 4456). */
import assert from 'node:assert/strict';
import { type Attributes, Community, peerConfig } from '../../index.ts';
import { encodeMessage, KEEPALIVE } from '../../wire/index.ts';
import { toHex } from '../wire/bytes.ts';
import { Bench, type HandPeer, OUR_ADDRESS, OUR_AS } from './bench.ts';

const EBGP = { as: 65001 };
const EBGP_2 = { as: 65002 };
const seq = (...ases: number[]): Attributes['asPath'] => [{ type: 'sequence', ases }];

/** The attributes of the prefix as advertised to the peer. */
function advertised(peer: HandPeer, prefix: string): Attributes | undefined {
  peer.takeMessages();
  return peer.routes.get(prefix);
}

describe('routes of our own', () => {
  const OWN = '10.244.1.0/26';

  it('to iBGP: our address, an empty path, LOCAL_PREF 100', () => {
    const bench = new Bench();
    bench.speaker.originate(OWN);
    const peer = bench.peer('10.0.0.2');
    peer.connect();
    peer.send(peer.open(), KEEPALIVE);
    assert.deepEqual(advertised(peer, OWN), {
      origin: 'IGP',
      asPath: [],
      nextHop: OUR_ADDRESS,
      localPref: 100,
    });
  });

  it('to eBGP: our address, our AS, no LOCAL_PREF', () => {
    const bench = new Bench();
    bench.speaker.originate(OWN, { med: 7, localPref: 300, communities: [0xfc000001] });
    const peer = bench.peer('10.0.0.2', EBGP);
    peer.connect();
    peer.send(peer.open(), KEEPALIVE);
    const communities = [0xfc000001];
    const expected = { origin: 'IGP', asPath: seq(OUR_AS), nextHop: OUR_ADDRESS, med: 7, communities };
    assert.deepEqual(advertised(peer, OWN), expected);
  });

  it('octet by octet', () => {
    const bench = new Bench();
    const peer = bench.peer('10.0.0.2', EBGP).establish();
    bench.speaker.originate(OWN);
    bench.pump();
    const [message] = peer.takeMessages();
    assert.equal(
      toHex(encodeMessage(message)),
      `${'ff'.repeat(16)}003002 0000 0014 40010100 400206 0201 0000fc00 400304 0a000001 1a 0af40100`.replaceAll(
        ' ',
        '',
      ),
    );
  });

  it('are sent before End-of-RIB, and withdrawn again', () => {
    const bench = new Bench();
    bench.speaker.originate(OWN);
    const peer = bench.peer('10.0.0.2');
    peer.connect();
    peer.send(peer.open(), KEEPALIVE);
    assert.deepEqual(peer.received(), ['open', 'keepalive', `+${OWN}`, 'end of RIB']);
    bench.speaker.withdraw(OWN);
    bench.pump();
    assert.deepEqual(peer.received(), [`-${OWN}`]);
  });

  it('are not advertised again when nothing changed', () => {
    const bench = new Bench();
    const peer = bench.peer('10.0.0.2').establish();
    bench.speaker.originate(OWN);
    bench.speaker.originate(OWN);
    bench.pump();
    bench.speaker.originate(OWN);
    bench.pump();
    assert.deepEqual(peer.received(), [`+${OWN}`]);
  });

  for (const text of ['10.244.1.0/33', 'pod', '']) {
    it(`${JSON.stringify(text)} is not a prefix: RangeError`, () => {
      assert.throws(() => new Bench().speaker.originate(text), RangeError);
      assert.throws(() => new Bench().speaker.withdraw(text), RangeError);
      assert.throws(() => new Bench().speaker.setOwnRanges([text]), RangeError);
    });
  }
});

describe('learned routes', () => {
  const PREFIX = '10.9.0.0/16';
  const FULL: Partial<Attributes> = {
    med: 5,
    communities: [0xfde90007],
    others: [{ flags: 0xe0, type: 99, value: Uint8Array.of(1) }],
  };

  it('from eBGP to iBGP: path, MED and the rest as they were, our address as next hop, LOCAL_PREF 100', () => {
    const bench = new Bench();
    const reader = bench.peer('10.0.0.2').establish();
    bench.peer('10.0.0.3', EBGP).establish().announce([PREFIX], FULL);
    const expected = { origin: 'IGP', asPath: seq(65001), nextHop: OUR_ADDRESS, localPref: 100, ...FULL };
    assert.deepEqual(advertised(reader, PREFIX), expected);
  });

  it('from eBGP to eBGP: our AS in front, our address, no MED', () => {
    const bench = new Bench();
    const reader = bench.peer('10.0.0.2', EBGP_2).establish();
    bench.peer('10.0.0.3', EBGP).establish().announce([PREFIX], FULL);
    const { med: _med, ...rest } = FULL;
    const expected = { origin: 'IGP', asPath: seq(OUR_AS, 65001), nextHop: OUR_ADDRESS, ...rest };
    assert.deepEqual(advertised(reader, PREFIX), expected);
  });

  it('from iBGP to eBGP: our AS in front, our address, neither LOCAL_PREF nor reflection attributes', () => {
    const bench = new Bench();
    const reader = bench.peer('10.0.0.2', EBGP).establish();
    const attributes = { localPref: 200, originatorId: '10.0.0.9', clusterList: ['10.0.0.8'] };
    bench.peer('10.0.0.3').establish().announce([PREFIX], attributes);
    assert.deepEqual(advertised(reader, PREFIX), {
      origin: 'IGP',
      asPath: seq(OUR_AS),
      nextHop: OUR_ADDRESS,
    });
  });

  it('prepending joins the sequence in front, but neither a set nor a full one', () => {
    const cases: [Attributes['asPath'], Attributes['asPath']][] = [
      [seq(65001, 7), seq(OUR_AS, 65001, 7)],
      [
        [...seq(65001), { type: 'set', ases: [7, 8] }],
        [...seq(OUR_AS, 65001), { type: 'set', ases: [7, 8] }],
      ],
      [seq(...Array<number>(255).fill(65001)), [...seq(OUR_AS), ...seq(...Array<number>(255).fill(65001))]],
    ];
    for (const [asPath, expected] of cases) {
      const bench = new Bench();
      const reader = bench.peer('10.0.0.2', EBGP_2).establish();
      bench.peer('10.0.0.3', EBGP).establish().announce([PREFIX], { asPath });
      assert.deepEqual(advertised(reader, PREFIX)?.asPath, expected);
    }
  });

  it('from iBGP to iBGP: not advertised (split horizon, RFC 4271 §9.2)', () => {
    const bench = new Bench();
    const reader = bench.peer('10.0.0.2').establish();
    bench.peer('10.0.0.3').establish().announce([PREFIX]);
    assert.deepEqual(reader.received(), []);
  });

  it('are not advertised to their source, not even when another path becomes the best', () => {
    const bench = new Bench();
    const a = bench.peer('10.0.0.2', EBGP).establish();
    const b = bench.peer('10.0.0.3', EBGP_2).establish();
    a.announce([PREFIX], { asPath: seq(65001, 7) });
    assert.deepEqual([a.received(), b.received()], [[], [`+${PREFIX}`]]);
    b.announce([PREFIX]);
    assert.deepEqual([a.received(), b.received()], [[`+${PREFIX}`], [`-${PREFIX}`]]);
    b.withdraw([PREFIX]);
    assert.deepEqual([a.received(), b.received()], [[`-${PREFIX}`], [`+${PREFIX}`]]);
  });

  it('that are unusable are not advertised', () => {
    const bench = new Bench();
    const reader = bench.peer('10.0.0.2').establish();
    bench.peer('10.0.0.3', EBGP).establish().announce(['0.0.0.0/0', '127.0.0.0/8'], {});
    assert.deepEqual(reader.received(), []);
  });

  it('to a peer with two-octet AS numbers: AS_TRANS in AS_PATH, the real numbers in AS4_PATH', () => {
    const bench = new Bench({ as: 4200000000 });
    const reader = bench.peer('10.0.0.2', EBGP).establish({ capabilities: [] });
    bench.speaker.originate(PREFIX);
    bench.pump();
    const [message] = reader.takeMessages();
    assert.ok(message.type === 'update');
    const expected = '40010100 400204 0201 5ba0 400304 0a000001 c01106 0201 fa56ea00';
    assert.equal(toHex(message.attributes), expected.replaceAll(' ', ''));
  });

  const COMMUNITIES: [keyof typeof Community, boolean, boolean][] = [
    ['noExport', true, false],
    ['noExportSubconfed', true, false],
    ['noAdvertise', false, false],
    ['gracefulShutdown', true, true],
  ];
  for (const [name, toIbgp, toEbgp] of COMMUNITIES) {
    it(`with ${name}: ${toIbgp ? '' : 'not '}to iBGP, ${toEbgp ? '' : 'not '}to eBGP`, () => {
      const bench = new Bench();
      const inside = bench.peer('10.0.0.2').establish();
      const outside = bench.peer('10.0.0.3', EBGP_2).establish();
      bench
        .peer('10.0.0.4', EBGP)
        .establish()
        .announce([PREFIX], { communities: [7, Community[name]] });
      assert.equal(advertised(inside, PREFIX) !== undefined, toIbgp);
      assert.equal(advertised(outside, PREFIX) !== undefined, toEbgp);
    });
  }
});

describe('export: own', () => {
  it('advertises only routes that this speaker originates', () => {
    const bench = new Bench();
    const own = bench.peer('10.0.0.2', { ...EBGP_2, export: 'own' }).establish();
    const all = bench.peer('10.0.0.3', EBGP_2).establish();
    bench.peer('10.0.0.4', EBGP).establish().announce(['10.9.0.0/16']);
    bench.speaker.originate('10.244.1.0/26');
    bench.pump();
    assert.deepEqual(own.received(), ['+10.244.1.0/26']);
    assert.deepEqual(all.received().sort(), ['+10.244.1.0/26', '+10.9.0.0/16']);
  });
});

describe('nextHopSelf', () => {
  it('replaces the next hop of reflected routes', () => {
    const bench = new Bench({ clusterId: '10.0.0.10' });
    const keeps = bench.peer('10.0.0.2', { client: true }).establish();
    const replaces = bench.peer('10.0.0.3', { client: true, nextHopSelf: true }).establish();
    bench.peer('10.0.0.4').establish().announce(['10.9.0.0/16']);
    assert.equal(advertised(keeps, '10.9.0.0/16')?.nextHop, '10.0.0.4');
    assert.equal(advertised(replaces, '10.9.0.0/16')?.nextHop, OUR_ADDRESS);
  });
});

describe('a reflector that forwards no packets', () => {
  it('keeps the next hop of external routes without nextHopSelf', () => {
    const bench = new Bench({ clusterId: '10.0.0.10' });
    const keeps = bench.peer('10.0.0.2', { client: true }).establish();
    const replaces = bench.peer('10.0.0.4', { client: true, nextHopSelf: true }).establish();
    bench.peer('10.0.0.3', EBGP).establish().announce(['10.9.0.0/16']);
    assert.equal(advertised(keeps, '10.9.0.0/16')?.nextHop, '10.0.0.3');
    assert.equal(advertised(replaces, '10.9.0.0/16')?.nextHop, OUR_ADDRESS);
  });
});

describe('reflection (RFC 4456)', () => {
  const CLUSTER = '10.0.0.10';
  const PREFIX = '10.9.0.0/16';

  function cluster() {
    const bench = new Bench({ clusterId: CLUSTER });
    const client = bench.peer('10.0.0.2', { client: true }).establish();
    const other = bench.peer('10.0.0.3', { client: true }).establish();
    const plain = bench.peer('10.0.0.4').establish();
    const plain2 = bench.peer('10.0.0.5').establish();
    const outside = bench.peer('10.0.0.6', EBGP).establish();
    return { bench, client, other, plain, plain2, outside };
  }

  it("a client's route goes to clients, to the others and outside, not back", () => {
    const { client, other, plain, plain2, outside } = cluster();
    client.announce([PREFIX]);
    assert.deepEqual(
      [client, other, plain, plain2, outside].map((peer) => peer.received().length),
      [0, 1, 1, 1, 1],
    );
  });

  it('without client-to-client reflection clients get only routes of non-clients; a change resets nothing', () => {
    const bench = new Bench({ clusterId: CLUSTER });
    const meshed = { client: true, clientToClient: false };
    const client = bench.peer('10.0.0.2', meshed).establish();
    const other = bench.peer('10.0.0.3', meshed).establish();
    const plain = bench.peer('10.0.0.4').establish();
    client.announce([PREFIX]);
    plain.announce(['10.8.0.0/16']);
    assert.deepEqual([other.received(), plain.received()], [['+10.8.0.0/16'], [`+${PREFIX}`]]);
    const change = (fields: object) => {
      const config = { as: OUR_AS, passive: true, address: '10.0.0.3', client: true, ...fields };
      bench.speaker.updatePeer(peerConfig(config), bench.now);
      bench.pump();
    };
    change({ clientToClient: true });
    assert.deepEqual(other.received(), [`+${PREFIX}`]);
    change({ clientToClient: false });
    assert.deepEqual(other.received(), [`-${PREFIX}`]);
    // The route of a non-client is withdrawn when a client's route becomes the best.
    client.announce(['10.8.0.0/16'], { localPref: 200 });
    assert.deepEqual(other.received(), ['-10.8.0.0/16']);
  });

  it('advertises the route of a non-client only to clients and external peers', () => {
    const { client, other, plain, plain2, outside } = cluster();
    plain.announce([PREFIX]);
    assert.deepEqual(
      [client, other, plain, plain2, outside].map((peer) => peer.received().length),
      [1, 1, 0, 0, 1],
    );
  });

  it('advertises an external route to all internal peers, without reflection attributes', () => {
    const { client, plain, outside } = cluster();
    outside.announce([PREFIX]);
    for (const peer of [client, plain]) {
      const attributes = advertised(peer, PREFIX);
      assert.deepEqual([attributes?.originatorId, attributes?.clusterList], [undefined, undefined]);
    }
  });

  it('adds ORIGINATOR_ID once and prepends its cluster, and changes nothing else', () => {
    const { client, other } = cluster();
    client.announce([PREFIX], { localPref: 250, med: 3 });
    assert.deepEqual(advertised(other, PREFIX), {
      origin: 'IGP',
      asPath: [],
      nextHop: '10.0.0.2',
      med: 3,
      localPref: 250,
      originatorId: '10.0.0.2',
      clusterList: [CLUSTER],
    });
    client.announce([PREFIX], { originatorId: '10.0.0.9', clusterList: ['10.0.0.8'] });
    const again = advertised(other, PREFIX);
    assert.deepEqual([again?.originatorId, again?.clusterList], ['10.0.0.9', [CLUSTER, '10.0.0.8']]);
  });
});
