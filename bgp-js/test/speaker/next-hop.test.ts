/**
 * Next hops of both families, whatever address the speaker itself has. "No address" and 0.0.0.0 were one number once, so
 * that a reflector on the default listener took every IPv6 next hop for its own address.
 */
import assert from 'node:assert/strict';
import { Simulation } from 'bgp-js-testing/index.ts';
import { peerStatuses, routeTo, type SpeakerOptions } from '../../index.ts';
import { Bench, OUR_ADDRESS } from './bench.ts';

const BOTH = ['ipv4-unicast', 'ipv6-unicast'];

/** The addresses that a speaker may be configured with, as its listener has them. */
const OWN: [string, Pick<SpeakerOptions, 'address' | 'address6'>][] = [
  ['no address', { address: undefined }],
  ['a listener on 0.0.0.0', { address: '0.0.0.0' }],
  ['a listener on ::', { address: undefined, address6: '::' }],
  ['listeners on 0.0.0.0 and ::', { address: '0.0.0.0', address6: '::' }],
  ['an IPv4 address', { address: '10.0.0.9' }],
  ['an IPv6 address', { address: undefined, address6: '2001:db8::9' }],
  ['addresses of both families', { address: '10.0.0.9', address6: '2001:db8::9' }],
];

for (const [title, own] of OWN) {
  describe(`a reflector with ${title}`, () => {
    it('reflects IPv4 and IPv6 routes over IPv4 sessions', () => {
      const sim = new Simulation(1);
      const reflector = sim.add({ as: 1, clusterId: '9.9.9.9', ...own }, '10.0.0.9');
      const a = sim.add({ as: 1, address6: '2001:db8::1' }, '10.0.0.1');
      const b = sim.add({ as: 1, address6: '2001:db8::2' }, '10.0.0.2');
      for (const client of [a, b]) sim.peer(reflector, client, { families: BOTH, client: true });
      a.speaker.originate('10.1.0.0/16');
      a.speaker.originate('2001:db8:1::/48');
      sim.run(5000);
      assert.equal(nextHopAt(b, '10.1.0.0/16'), '10.0.0.1');
      assert.equal(nextHopAt(b, '2001:db8:1::/48'), '2001:db8::1');
    });

    it('reflects IPv4 and IPv6 routes over IPv6 sessions, with the next hops of RFC 8950', () => {
      const sim = new Simulation(2);
      const reflector = sim.add({ as: 1, clusterId: '9.9.9.9', routerId: '9.9.9.9', ...own }, '2001:db8::9');
      const a = sim.add({ as: 1, routerId: '1.1.1.1', address: null }, '2001:db8::1');
      const b = sim.add({ as: 1, routerId: '2.2.2.2', address: null }, '2001:db8::2');
      for (const client of [a, b])
        sim.peer(reflector, client, { families: BOTH, client: true, extendedNextHop: true });
      a.speaker.originate('10.1.0.0/16');
      a.speaker.originate('2001:db8:1::/48');
      sim.run(5000);
      assert.equal(nextHopAt(b, '10.1.0.0/16'), '2001:db8::1');
      assert.equal(nextHopAt(b, '2001:db8:1::/48'), '2001:db8::1');
    });
  });

  describe(`a speaker with ${title}`, () => {
    it('advertises its own and learned routes to eBGP peers with its address on the session', () => {
      const sim = new Simulation(3);
      const speaker = sim.add({ as: 1, routerId: '1.1.1.1', ...own }, '2001:db8::9');
      const [left, right] = [2, 3].map((n) =>
        sim.add({ as: n, routerId: `${n}.${n}.${n}.${n}`, address: null }, `2001:db8::${n}`),
      );
      for (const peer of [left, right]) sim.peer(speaker, peer, { families: BOTH, extendedNextHop: true });
      for (const route of ['10.1.0.0/16', '2001:db8:1::/48']) speaker.speaker.originate(route);
      for (const route of ['10.2.0.0/16', '2001:db8:2::/48']) left.speaker.originate(route);
      sim.run(5000);
      for (const route of ['10.1.0.0/16', '10.2.0.0/16', '2001:db8:1::/48', '2001:db8:2::/48']) {
        assert.equal(nextHopAt(right, route), '2001:db8::9', route);
      }
    });
  });
}

function nextHopAt({ speaker }: ReturnType<Simulation['add']>, route: string): string | undefined {
  return routeTo(speaker, route)?.paths[0].attributes.nextHop;
}

describe('a route with our own address as next hop (RFC 4271 §6.3)', () => {
  it('of IPv4 is not used', () => {
    const bench = new Bench();
    bench.peer('10.0.0.2').establish().announce(['10.9.0.0/16'], { nextHop: OUR_ADDRESS });
    assert.match(routeTo(bench.speaker, '10.9.0.0/16')?.paths[0].reason ?? '', /next hop is .*own/);
  });

  it('of IPv6 is not used', () => {
    const sim = new Simulation(4);
    const ours = sim.add({ as: 1, address6: '2001:db8::9' }, '10.0.0.9');
    const same = sim.add({ as: 1, address6: '2001:db8::9' }, '10.0.0.1');
    const other = sim.add({ as: 1, address6: '2001:db8::8' }, '10.0.0.2');
    for (const peer of [same, other]) sim.peer(ours, peer, { families: BOTH });
    same.speaker.originate('2001:db8:1::/48');
    other.speaker.originate('2001:db8:2::/48');
    sim.run(5000);
    assert.match(routeTo(ours.speaker, '2001:db8:1::/48')?.paths[0].reason ?? '', /next hop is .*own/);
    assert.equal(routeTo(ours.speaker, '2001:db8:2::/48')?.paths[0].status, 'best');
  });
});

describe('a speaker that does not reflect', () => {
  it('finds no loop in a CLUSTER_LIST with the cluster 0.0.0.0', () => {
    const bench = new Bench();
    const peer = bench.peer('10.0.0.2').establish();
    peer.announce(['10.9.0.0/16'], { originatorId: '10.0.0.7', clusterList: ['0.0.0.0'] });
    assert.equal(routeTo(bench.speaker, '10.9.0.0/16')?.paths[0].status, 'best');
  });
});

describe('a speaker without an address', () => {
  it('originates routes, which get the next hop of each session', () => {
    const bench = new Bench({ address: null });
    const peer = bench.peer('10.0.0.2').establish();
    bench.speaker.originate('10.1.0.0/16');
    bench.pump();
    peer.takeMessages();
    assert.equal(peer.routes.get('10.1.0.0/16')?.nextHop, OUR_ADDRESS);
  });
});

describe('a policy that matches next hops', () => {
  /** The prefixes that a speaker uses, of which an import policy rejects those with these next hops. */
  function accepted(nextHops: string[]): string[] {
    const sim = new Simulation(5);
    const ours = sim.add({ as: 1 }, '10.0.0.9');
    const peer = sim.add({ as: 1, address6: '2001:db8::1' }, '10.0.0.1');
    sim.peer(ours, peer, { families: BOTH, importPolicy: 'in' });
    const rule = { name: 'next hops', match: { nextHops }, action: 'reject' } as const;
    ours.speaker.setPolicies({ policies: { in: { rules: [rule], otherwise: 'accept' } } });
    const routes = ['10.1.0.0/16', '2001:db8:1::/48'];
    for (const route of routes) peer.speaker.originate(route);
    sim.run(5000);
    return routes.filter((route) => routeTo(ours.speaker, route)?.paths[0].status === 'best');
  }

  it('rejects IPv4 and IPv6 routes by them', () => {
    assert.deepEqual(accepted(['10.0.0.0/24']), ['2001:db8:1::/48']);
    assert.deepEqual(accepted(['2001:db8::/64']), ['10.1.0.0/16']);
    assert.deepEqual(accepted(['0.0.0.0/32', '192.0.2.0/24']), ['10.1.0.0/16', '2001:db8:1::/48']);
  });
});

describe('an IPv4 route with an IPv6 next hop (RFC 8950)', () => {
  it('is not advertised to a client that cannot receive such next hops', () => {
    const sim = new Simulation(4);
    const reflector = sim.add(
      { as: 1, clusterId: '9.9.9.9', routerId: '9.9.9.9', address: null },
      '2001:db8::9',
    );
    const [origin, able, unable] = [1, 2, 3].map((n) =>
      sim.add({ as: 1, routerId: `${n}.${n}.${n}.${n}`, address: null }, `2001:db8::${n}`),
    );
    for (const client of [origin, able]) {
      sim.peer(reflector, client, { families: BOTH, client: true, extendedNextHop: true });
    }
    sim.peer(reflector, unable, { families: BOTH, client: true });
    origin.speaker.originate('10.1.0.0/16');
    origin.speaker.originate('2001:db8:1::/48');
    sim.run(5000);
    assert.equal(nextHopAt(able, '10.1.0.0/16'), '2001:db8::1');
    assert.equal(nextHopAt(unable, '2001:db8:1::/48'), '2001:db8::1');
    assert.equal(routeTo(unable.speaker, '10.1.0.0/16'), null);
    // Nor as an UPDATE without NEXT_HOP, which would be treated as a withdrawal.
    assert.equal(peerStatuses(unable.speaker, sim.now)[0].counters.treatedAsWithdraw, 0);
  });
});
