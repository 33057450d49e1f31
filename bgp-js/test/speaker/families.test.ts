import assert from 'node:assert/strict';
import { Simulation } from 'bgp-js-testing/index.ts';
import { IPV4_UNICAST, routeTo } from '../../index.ts';
import { PathState } from '../../rib/store/path-table.ts';
import { CapabilityCode, encodeMessage } from '../../wire/index.ts';
import { hex, update } from '../wire/bytes.ts';
import { Bench } from './bench.ts';

const BOTH = ['ipv4-unicast', 'ipv6-unicast'];

const REFRESH = encodeMessage({ type: 'route-refresh', refresh: { afi: 1, subtype: 0, safi: 1 } });
const WITH_ENHANCED_REFRESH = [
  { code: CapabilityCode.multiprotocol, value: hex('0001 00 01') },
  { code: CapabilityCode.routeRefresh, value: hex('') },
  { code: CapabilityCode.enhancedRefresh, value: hex('') },
  { code: CapabilityCode.fourOctetAs, value: hex('0000fc00') },
];

const WITH_RESTART = [
  ...WITH_ENHANCED_REFRESH,
  { code: CapabilityCode.gracefulRestart, value: hex('0078 0001 01 80') },
];

describe('IPv6 unicast (RFC 4760, RFC 2545)', () => {
  it('is exchanged beside IPv4 in one session, with a next hop of its own', () => {
    const sim = new Simulation(1);
    const a = sim.add({ as: 1, address6: '2001:db8::1' }, '10.0.0.1');
    const b = sim.add({ as: 2, address6: '2001:db8::2' }, '10.0.0.2');
    sim.peer(a, b, { families: BOTH });
    a.speaker.originate('10.1.0.0/16');
    a.speaker.originate('2001:db8:1::/48');
    sim.run(5000);
    assert.equal(routeTo(b.speaker, '10.1.0.0/16')?.paths[0].attributes.nextHop, '10.0.0.1');
    assert.equal(routeTo(b.speaker, '2001:db8:1::/48')?.paths[0].attributes.nextHop, '2001:db8::1');
    a.speaker.withdraw('2001:db8:1::/48');
    sim.run(1000);
    assert.equal(routeTo(b.speaker, '2001:db8:1::/48'), null);
    assert.ok(routeTo(b.speaker, '10.1.0.0/16'));
  });

  it('is reflected with its next hop unchanged', () => {
    const sim = new Simulation(2);
    const rr = sim.add({ as: 1, clusterId: '9.9.9.9' }, '10.0.0.9');
    const a = sim.add({ as: 1, address6: '2001:db8::1' }, '10.0.0.1');
    const b = sim.add({ as: 1, address6: '2001:db8::2' }, '10.0.0.2');
    sim.peer(rr, a, { families: BOTH, client: true });
    sim.peer(rr, b, { families: BOTH, client: true });
    for (let i = 0; i < 300; i++) a.speaker.originate(`2001:db8:${i.toString(16)}::/48`);
    sim.run(8000);
    const route = routeTo(b.speaker, '2001:db8:7::/48');
    assert.equal(route?.paths[0].attributes.nextHop, '2001:db8::1');
    assert.deepEqual(route?.paths[0].attributes.clusterList, ['9.9.9.9']);
  });

  it('is not advertised to a peer that did not offer it', () => {
    const sim = new Simulation(3);
    const a = sim.add({ as: 1, address6: '2001:db8::1' }, '10.0.0.1');
    const b = sim.add({ as: 2 }, '10.0.0.2');
    sim.peer(a, b, { families: ['ipv4-unicast'] });
    a.speaker.originate('2001:db8:1::/48');
    sim.run(5000);
    assert.equal(routeTo(b.speaker, '2001:db8:1::/48'), null);
    assert.equal([...b.speaker.peers][0].lastError, null);
  });

  it('does not use prefixes that are not unicast destinations', () => {
    const sim = new Simulation(4);
    const a = sim.add({ as: 1, address6: '2001:db8::1' }, '10.0.0.1');
    const b = sim.add({ as: 2, address6: '2001:db8::2' }, '10.0.0.2');
    sim.peer(a, b, { families: BOTH });
    for (const prefix of ['fe80::/64', 'ff02::/16', '::1/128', '::/0', '2001:db8:2::/48'])
      a.speaker.originate(prefix);
    b.speaker.setOwnRanges(['2001:db8:2::/47']);
    sim.run(5000);
    const stateOf = (prefix: string) => routeTo(b.speaker, prefix)?.paths[0].reason ?? 'absent';
    for (const prefix of ['fe80::/64', 'ff02::/16', '::1/128'])
      assert.match(stateOf(prefix), /not a unicast/);
    assert.match(stateOf('::/0'), /default route/);
    assert.match(stateOf('2001:db8:2::/48'), /range of our own/);
  });
});

describe('IPv4 routes with IPv6 next hops (RFC 8950)', () => {
  it('are exchanged over an IPv6 session', () => {
    const sim = new Simulation(5);
    const a = sim.add({ as: 1, routerId: '1.1.1.1', address: '10.0.0.1' }, 'fe80::1%eth0');
    const b = sim.add({ as: 2, routerId: '2.2.2.2', address: '10.0.0.2' }, 'fe80::2%eth0');
    sim.peer(a, b, { extendedNextHop: true });
    for (let i = 0; i < 500; i++) a.speaker.originate(`10.${i >> 8}.${i & 255}.0/24`);
    sim.run(8000);
    assert.equal(routeTo(b.speaker, '10.1.4.0/24')?.paths[0].attributes.nextHop, 'fe80::1');
    a.speaker.withdraw('10.1.4.0/24');
    sim.run(1000);
    assert.equal(routeTo(b.speaker, '10.1.4.0/24'), null);
  });
});

describe('ADD-PATH (RFC 7911)', () => {
  /** Three nodes announce one prefix to a reflector, which advertises up to `send` of the paths to a client. */
  function fanIn(send: number) {
    const sim = new Simulation(6);
    const rr = sim.add({ as: 1, clusterId: '9.9.9.9' }, '10.0.0.9');
    const client = sim.add({ as: 1, maximumPaths: 4 }, '10.0.0.8');
    const nodes = [1, 2, 3].map((i) => sim.add({ as: 1 }, `10.0.0.${i}`));
    sim.peer(rr, client, { client: true, addPath: { receive: true, send } });
    for (const node of nodes) sim.peer(rr, node, { client: true });
    for (const node of nodes) node.speaker.originate('172.20.0.0/24');
    sim.run(5000);
    const hops = () =>
      (routeTo(client.speaker, '172.20.0.0/24')?.paths ?? [])
        .map(({ attributes }) => attributes.nextHop)
        .sort();
    return { sim, rr, client, nodes, hops };
  }

  it('advertises several paths, and withdraws each by itself', () => {
    const { sim, nodes, hops } = fanIn(3);
    assert.deepEqual(hops(), ['10.0.0.1', '10.0.0.2', '10.0.0.3']);
    nodes[1].speaker.withdraw('172.20.0.0/24');
    sim.run(1000);
    assert.deepEqual(hops(), ['10.0.0.1', '10.0.0.3']);
    nodes[1].speaker.originate('172.20.0.0/24');
    sim.run(1000);
    assert.deepEqual(hops(), ['10.0.0.1', '10.0.0.2', '10.0.0.3']);
  });

  it('lists paths in an order that does not depend on when they were received', () => {
    const { sim, client, nodes } = fanIn(3);
    const listed = () =>
      (routeTo(client.speaker, '172.20.0.0/24')?.paths ?? []).map(({ status, pathId }) => [status, pathId]);
    const all = listed();
    assert.deepEqual(
      all.map(([status]) => status),
      ['best', 'multipath', 'multipath'],
    );
    assert.ok(all[1][1] < all[2][1], 'equal paths are in the order of their identifiers');
    for (const node of nodes) {
      node.speaker.withdraw('172.20.0.0/24');
      sim.run(1000);
      node.speaker.originate('172.20.0.0/24');
      sim.run(1000);
      assert.deepEqual(listed(), all);
    }
  });

  it('advertises only the best paths, and the next one when one of them is withdrawn', () => {
    const { sim, nodes, hops } = fanIn(2);
    assert.deepEqual(hops(), ['10.0.0.1', '10.0.0.2']);
    nodes[0].speaker.withdraw('172.20.0.0/24');
    sim.run(1000);
    assert.deepEqual(hops(), ['10.0.0.2', '10.0.0.3']);
  });

  it('advertises the same to a late client, and on a refresh', () => {
    const { sim, rr, hops, client } = fanIn(3);
    sim.kill(client);
    const again = sim.add({ as: 1 }, '10.0.0.8');
    again.speaker.addPeer({ ...[...client.speaker.peers][0].config }, sim.now);
    sim.run(8000);
    const heard = () => (routeTo(again.speaker, '172.20.0.0/24')?.paths ?? []).length;
    assert.equal(heard(), 3);
    assert.ok(again.speaker.refresh(rr.address));
    sim.run(1000);
    assert.equal(heard(), 3);
    assert.equal(hops().length, 3);
  });
});

describe('enhanced route refresh (RFC 7313)', () => {
  it('that starts again does not lose routes to the sweep of the first', () => {
    const bench = new Bench();
    const peer = bench.peer('10.0.0.2', {}).establish();
    peer.announce(['10.9.0.0/16']);
    const { routing } = bench.speaker;
    const ribSession = bench.speaker.ribSessionOf([...bench.speaker.peers][0]);
    assert.ok(ribSession);
    routing.beginRefresh(ribSession.source, IPV4_UNICAST);
    peer.announce(['10.9.0.0/16']);
    routing.sweepStale(ribSession.source, IPV4_UNICAST);
    routing.beginRefresh(ribSession.source, IPV4_UNICAST);
    bench.pump();
    assert.ok(routeTo(bench.speaker, '10.9.0.0/16'), 'the peer may still advertise it again');
    routing.sweepStale(ribSession.source, IPV4_UNICAST);
    bench.pump();
    assert.equal(routeTo(bench.speaker, '10.9.0.0/16'), null);
  });

  /** A ROUTE-REFRESH of the subtype: 0 request, 1 start, 2 end. */
  const refresh = (subtype: number) =>
    encodeMessage({ type: 'route-refresh', refresh: { afi: 1, subtype, safi: 1 } });
  const restarting = { restartTime: 120 };

  it('is ignored before the End-of-RIB marker of a peer with graceful restart', () => {
    const bench = new Bench();
    const peer = bench.peer('10.0.0.2', restarting).establish({ capabilities: WITH_RESTART });
    const held = () => routeTo(bench.speaker, '10.9.0.0/16') !== null;
    peer.announce(['10.9.0.0/16']);
    peer.send(refresh(1), refresh(2));
    assert.ok(held(), 'neither counts');
    peer.send(update('', '', ''), refresh(2));
    assert.ok(held(), 'an end without a start');
    peer.send(refresh(1));
    assert.ok(held(), 'the peer may advertise it again');
    peer.send(refresh(2));
    assert.ok(!held());
  });

  it('sends markers to such a peer only after our End-of-RIB marker', () => {
    const bench = new Bench({ restarted: true });
    const peer = bench.peer('10.0.0.2', restarting);
    bench.speaker.originate('10.1.0.0/16');
    bench.advance(0);
    peer.establish({ capabilities: WITH_RESTART });
    peer.send(refresh(0));
    assert.deepEqual(peer.received(), ['+10.1.0.0/16']);
    peer.send(update('', '', ''));
    bench.advance(60_000);
    assert.deepEqual(
      peer.received().filter((what) => what !== 'keepalive'),
      ['end of RIB'],
    );
    peer.send(refresh(0));
    assert.deepEqual(peer.received(), ['route-refresh', '+10.1.0.0/16', 'route-refresh']);
  });

  it('sweeps routes that are not advertised again', () => {
    const sim = new Simulation(7);
    const a = sim.add({ as: 1 }, '10.0.0.1');
    const b = sim.add({ as: 2 }, '10.0.0.2');
    sim.peer(a, b);
    a.speaker.originate('10.1.0.0/16');
    sim.run(3000);
    // A route that b has and a has not, as after a lost withdrawal.
    const [peer] = b.speaker.peers;
    const ribSession = b.speaker.ribSessionOf(peer);
    assert.ok(ribSession);
    const { rib } = b.speaker.routing;
    const bytes = Uint8Array.of(16, 10, 99);
    const attrs = rib.attrsOf(rib.bestOf(rib.prefixes.find(Uint8Array.of(16, 10, 1), 0)));
    const source = ribSession.source.index;
    rib.announce(bytes, 0, { source, attrs, received: attrs, state: PathState.usable, addPathId: 0 });
    assert.ok(routeTo(b.speaker, '10.99.0.0/16'));
    assert.ok(b.speaker.refresh('10.0.0.1'));
    sim.run(2000);
    assert.equal(routeTo(b.speaker, '10.99.0.0/16'), null);
    assert.ok(routeTo(b.speaker, '10.1.0.0/16'));
  });
});

describe('a peer that sends refresh requests and reads nothing', () => {
  it('does not make the queue grow, and gets one refresh', () => {
    const bench = new Bench();
    const peer = bench.peer('10.0.0.2').establish({ capabilities: WITH_ENHANCED_REFRESH });
    bench.speaker.originate('10.1.0.0/16');
    bench.pump();
    peer.takeMessages();
    for (let i = 0; i < 1000; i++) peer.deliver(REFRESH);
    while (bench.speaker.hasWork) bench.speaker.work(bench.now);
    bench.pump();
    assert.deepEqual(
      peer
        .takeMessages()
        .map((message) => (message.type === 'route-refresh' ? message.refresh.subtype : message.type)),
      [1, 'update', 2],
    );
  });
});

describe('extended messages (RFC 8654)', () => {
  it('carry attributes that an ordinary message cannot, if both sides offer them', () => {
    for (const extendedMessages of [true, false]) {
      const sim = new Simulation(8);
      const a = sim.add({ as: 1 }, '10.0.0.1');
      const b = sim.add({ as: 2 }, '10.0.0.2');
      sim.peer(a, b, { extendedMessages });
      const communities = Array.from({ length: 3000 }, (_, i) => i);
      a.speaker.originate('10.1.0.0/16', { communities });
      a.speaker.originate('10.2.0.0/16');
      sim.run(5000);
      const route = routeTo(b.speaker, '10.1.0.0/16');
      assert.equal(route?.paths[0].attributes.communities?.length, extendedMessages ? 3000 : undefined);
      assert.ok(routeTo(b.speaker, '10.2.0.0/16'), 'a route that fits is advertised in any case');
      assert.equal([...b.speaker.peers][0].state(sim.now), 'Established');
    }
  });
});
