import assert from 'node:assert/strict';
import { peerConfig, type SimNode, Simulation } from 'bgp-js-testing/index.ts';
import { Community, type PolicySet, routeTo } from '../../index.ts';
import { CapabilityCode, KEEPALIVE } from '../../wire/index.ts';
import { hex } from '../wire/bytes.ts';
import { Bench, HandPeer, OUR_AS } from './bench.ts';

const PREFIX = '10.244.1.0/26';
const OTHER = '10.244.2.0/26';

/** A node in AS 64512 and a ToR in AS 65001 with graceful restart, and a third speaker behind the ToR. */
function rack(seed: number, restartTime = 120, longLivedStaleTime = 0) {
  const sim = new Simulation(seed);
  const tor = sim.add({ as: 65001 }, '10.0.0.254');
  const third = sim.add({ as: 65002 }, '10.0.0.9');
  sim.peer(tor, third, { restartTime, longLivedStaleTime });
  const start = (restarted: boolean): SimNode => {
    const node = sim.add({ as: 64512, restarted }, '10.0.0.1');
    node.speaker.originate(PREFIX);
    return node;
  };
  const node = start(false);
  sim.peer(node, tor, { restartTime, longLivedStaleTime });
  sim.runUntil(() => routeTo(third.speaker, PREFIX) !== null, 10_000);
  sim.run(2000);
  const updatesAtThird = (): number => [...third.speaker.peers][0].counters.updatesReceived;
  const comeBack = (restarted: boolean): SimNode => {
    const again = start(restarted);
    again.speaker.addPeer({ ...[...node.speaker.peers][0].config, restartTime, longLivedStaleTime }, sim.now);
    return again;
  };
  return { sim, tor, third, node, comeBack, updatesAtThird };
}

const staleAt = (node: SimNode): boolean | undefined => routeTo(node.speaker, PREFIX)?.paths[0].stale;

describe('graceful restart, the helper (RFC 4724 §4.2)', () => {
  for (const seed of [1, 2, 3]) {
    it(`retains the routes of a peer that restarts, without an UPDATE to others (seed ${seed})`, () => {
      const { sim, tor, third, node, comeBack, updatesAtThird } = rack(seed);
      const before = updatesAtThird();
      sim.kill(node);
      sim.run(10_000);
      assert.equal(staleAt(tor), true);
      assert.ok(routeTo(third.speaker, PREFIX));
      comeBack(true);
      sim.run(60_000);
      assert.equal(staleAt(tor), false, 'the peer has advertised the route again');
      assert.equal(updatesAtThird(), before, 'the third speaker received no UPDATE');
    });
  }

  it('sweeps routes that the peer does not advertise again', () => {
    const { sim, tor, node, comeBack } = rack(4);
    node.speaker.originate(OTHER);
    sim.runUntil(() => routeTo(tor.speaker, OTHER) !== null, 5000);
    sim.kill(node);
    sim.run(5000);
    assert.ok(routeTo(tor.speaker, OTHER));
    comeBack(true);
    sim.runUntil(() => routeTo(tor.speaker, OTHER) === null, 70_000);
    assert.equal(staleAt(tor), false);
  });

  it('removes routes at once that the peer did not preserve', () => {
    const { sim, tor, node, comeBack } = rack(5);
    node.speaker.originate(OTHER);
    sim.runUntil(() => routeTo(tor.speaker, OTHER) !== null, 5000);
    sim.kill(node);
    sim.run(3000);
    comeBack(false);
    sim.runUntil(() => staleAt(tor) === false, 10_000);
    assert.equal(routeTo(tor.speaker, OTHER), null);
  });

  it('removes the routes when the restart time is over', () => {
    const { sim, tor, node } = rack(6, 30);
    sim.kill(node);
    sim.run(29_000);
    assert.equal(staleAt(tor), true);
    sim.run(3000);
    assert.equal(routeTo(tor.speaker, PREFIX), null);
  });

  it('retains nothing of a peer that shuts down', () => {
    const { sim, tor, node } = rack(7);
    node.speaker.shutdown('for good', sim.now);
    sim.run(1000);
    assert.equal(routeTo(tor.speaker, PREFIX), null);
  });

  it('retains nothing of a peer that is removed from the configuration', () => {
    const { sim, tor, node } = rack(8);
    sim.kill(node);
    sim.run(1000);
    tor.speaker.removePeer('10.0.0.1', sim.now);
    sim.run(1000);
    assert.equal(routeTo(tor.speaker, PREFIX), null);
  });

  it('retains nothing when the hold timer expires', () => {
    const { sim, tor, node } = rack(9);
    sim.cut(node, tor);
    sim.run(120_000);
    assert.equal(routeTo(tor.speaker, PREFIX), null);
  });

  it('accepts a new connection from a peer whose old session is still established', () => {
    const { sim, tor, node, comeBack, updatesAtThird, third } = rack(10);
    const before = updatesAtThird();
    sim.cut(node, tor);
    sim.kill(node);
    sim.run(500);
    sim.heal(node, tor);
    assert.equal([...tor.speaker.peers][1].state(sim.now), 'Established');
    comeBack(true);
    sim.run(60_000);
    assert.equal(staleAt(tor), false);
    assert.ok(routeTo(third.speaker, PREFIX));
    assert.equal(updatesAtThird(), before);
  });

  it('removes routes with the session if it was not negotiated', () => {
    const { sim, tor, node } = rack(11, 0);
    sim.kill(node);
    sim.run(1000);
    assert.equal(routeTo(tor.speaker, PREFIX), null);
  });
});

describe('a peer out of a range whose routes are retained', () => {
  const open = (peer: HandPeer, forwarding: boolean) =>
    peer.open({
      capabilities: [
        { code: CapabilityCode.multiprotocol, value: hex('0001 00 01') },
        { code: CapabilityCode.gracefulRestart, value: hex(`001e 0001 01 ${forwarding ? '80' : '00'}`) },
        { code: CapabilityCode.fourOctetAs, value: hex('0000fc00') },
      ],
    });

  /** A peer with one route, whose connection broke. */
  function lost(): { bench: Bench; peer: HandPeer } {
    const bench = new Bench();
    bench.speaker.addPeer(peerConfig({ as: OUR_AS, range: '10.1.0.0/16', restartTime: 30 }), bench.now);
    const peer = new HandPeer(bench, '10.1.0.1', OUR_AS);
    assert.ok(peer.connect());
    peer.send(open(peer, true), KEEPALIVE);
    peer.announce([PREFIX]);
    bench.speaker.disconnected(peer.id, 'connection reset', bench.now);
    bench.pump();
    return { bench, peer };
  }
  const isStale = ({ speaker }: Bench) => routeTo(speaker, PREFIX)?.paths[0].stale;

  it('is removed with its routes when the restart time is over', () => {
    const { bench } = lost();
    bench.advance(29_999);
    assert.deepEqual([bench.speaker.peers.size, isStale(bench)], [1, true]);
    bench.advance(1);
    assert.deepEqual([bench.speaker.peers.size, routeTo(bench.speaker, PREFIX)], [0, null]);
  });

  it('stays when it returns, and loses the routes that it does not confirm in a minute', () => {
    const { bench, peer } = lost();
    bench.advance(10_000);
    assert.ok(peer.connect());
    peer.send(open(peer, true), KEEPALIVE);
    bench.advance(59_999);
    assert.equal(isStale(bench), true);
    bench.advance(1);
    assert.deepEqual([bench.speaker.peers.size, routeTo(bench.speaker, PREFIX)], [1, null]);
    assert.equal(bench.status('10.1.0.1').state, 'Established');
  });

  it('loses the routes at once when it returns without having preserved them', () => {
    const { bench, peer } = lost();
    assert.ok(peer.connect());
    peer.send(open(peer, false), KEEPALIVE);
    assert.equal(routeTo(bench.speaker, PREFIX), null);
  });
});

describe('graceful restart over NOTIFICATIONs (RFC 8538)', () => {
  const EXPIRED = 120_000;

  for (const keeps of [true, false]) {
    it(`routes ${keeps ? 'stay' : 'go'} when the hold timer expires ${keeps ? 'and' : 'unless'} both sides offered it`, () => {
      const sim = new Simulation(20);
      const a = sim.add({ as: 64512 }, '10.0.0.1');
      const b = sim.add({ as: 65001 }, '10.0.0.2');
      sim.peer(a, b, { restartTime: 4000, notificationKeepsRoutes: keeps });
      a.speaker.originate(PREFIX);
      sim.runUntil(() => routeTo(b.speaker, PREFIX) !== null, 10_000);
      sim.cut(a, b);
      sim.run(EXPIRED);
      assert.equal(routeTo(b.speaker, PREFIX) !== null, keeps);
    });
  }

  it('routes go with a Cease in any case', () => {
    const sim = new Simulation(21);
    const a = sim.add({ as: 64512 }, '10.0.0.1');
    const b = sim.add({ as: 65001 }, '10.0.0.2');
    sim.peer(a, b, { restartTime: 4000, notificationKeepsRoutes: true });
    a.speaker.originate(PREFIX);
    sim.runUntil(() => routeTo(b.speaker, PREFIX) !== null, 10_000);
    b.speaker.removePeer('10.0.0.1', sim.now);
    sim.run(1000);
    assert.equal(routeTo(b.speaker, PREFIX), null);
  });
});

describe('the send hold timer (RFC 9687)', () => {
  it('ends the session with a peer that reads nothing for eight minutes', () => {
    const sim = new Simulation(22);
    const a = sim.add({ as: 64512 }, '10.0.0.1');
    const b = sim.add({ as: 65001 }, '10.0.0.2');
    sim.peer(a, b);
    sim.run(5000);
    const [id] = a.speaker.connections();
    a.speaker.blocked(id, true, sim.now);
    sim.run(400_000);
    a.speaker.blocked(id, false, sim.now);
    sim.run(200_000);
    const [peer] = a.speaker.peers;
    assert.equal(peer.counters.established, 1, 'the peer read again in time');
    a.speaker.blocked(id, true, sim.now);
    sim.run(479_000);
    assert.deepEqual([peer.state(sim.now), peer.counters.established], ['Established', 1]);
    sim.run(2000);
    assert.match(peer.lastError?.text ?? '', /^send hold timer expired, .*NOTIFICATION 8\/0/);
  });
});

describe('the send hold timer of a long hold time', () => {
  it('is twice the hold time, counted from the first time that the peer did not read', () => {
    const bench = new Bench();
    const peer = bench.peer('10.0.0.2', { holdTime: 300 }).establish({ holdTime: 300 });
    bench.speaker.blocked(peer.id, true, bench.now);
    for (let second = 0; second < 599; second++) {
      bench.advance(1000);
      peer.send(KEEPALIVE);
      bench.speaker.blocked(peer.id, true, bench.now);
    }
    assert.equal(peer.closed, false);
    bench.advance(1000);
    assert.equal(peer.received().at(-1), 'notification 8/0');
  });
});

describe('long-lived graceful restart (RFC 9494)', () => {
  it('retains stale routes after the restart time, and removes them in the end', () => {
    const { sim, tor, node } = rack(12, 10, 100);
    sim.kill(node);
    sim.run(20_000);
    const route = routeTo(tor.speaker, PREFIX);
    assert.ok(route?.paths[0].attributes.communities?.includes(0xffff0006), 'it is marked LLGR_STALE');
    sim.run(100_000);
    assert.equal(routeTo(tor.speaker, PREFIX), null);
  });
});

describe('a long-lived stale route of a peer that is back (RFC 9494 §4.2)', () => {
  it('stays LLGR_STALE when import policies change, until the peer announces it again', () => {
    const policy = (localPref: number): PolicySet => ({
      policies: {
        in: { rules: [{ name: 'set', set: { localPref }, action: 'accept' }], otherwise: 'reject' },
      },
    });
    const capabilities = [
      { code: CapabilityCode.multiprotocol, value: hex('0001 00 01') },
      { code: CapabilityCode.fourOctetAs, value: hex('0000fc00') },
      { code: CapabilityCode.gracefulRestart, value: hex('001e 0001 01 80') },
      { code: CapabilityCode.longLivedRestart, value: hex('0001 01 80 000e10') },
    ];
    const bench = new Bench();
    bench.speaker.setPolicies(policy(200));
    const fields = { restartTime: 120, longLivedStaleTime: 3600, importPolicy: 'in' };
    const peer = bench.peer('10.0.0.2', fields).establish({ capabilities });
    const state = () => {
      const [path] = routeTo(bench.speaker, PREFIX)?.paths ?? [];
      const { localPref, communities = [] } = path.attributes;
      return [localPref, communities.includes(Community.llgrStale)];
    };
    peer.announce([PREFIX]);
    assert.deepEqual(state(), [200, false]);
    bench.speaker.disconnected(peer.id, 'connection reset', bench.now);
    bench.advance(60_000);
    assert.deepEqual(state(), [200, true]);
    peer.establish({ capabilities });
    bench.speaker.setPolicies(policy(300));
    bench.pump();
    assert.deepEqual(state(), [300, true]);
    peer.announce([PREFIX]);
    assert.deepEqual(state(), [300, false]);
  });
});

describe('LLGR_STALE routes (RFC 9494 §4.3)', () => {
  const stale = { communities: [Community.llgrStale] };
  const BASE = [
    { code: CapabilityCode.multiprotocol, value: hex('0001 00 01') },
    { code: CapabilityCode.fourOctetAs, value: hex('0000fc00') },
    { code: CapabilityCode.gracefulRestart, value: hex('0078') },
  ];
  const rows: [string, string | null, boolean][] = [
    ['no LLGR capability', null, false],
    ['an LLGR capability without families', '', true],
    ['an LLGR capability for another family', '0002 01 00 000e10', true],
    ['an LLGR capability for their family', '0001 01 00 000e10', true],
  ];
  for (const [title, value, advertised] of rows) {
    it(`are ${advertised ? 'advertised' : 'not advertised'} to a peer that sends ${title}`, () => {
      const bench = new Bench();
      const longLived = value === null ? [] : [{ code: CapabilityCode.longLivedRestart, value: hex(value) }];
      const peer = bench.peer('10.0.0.3').establish({ capabilities: [...BASE, ...longLived] });
      bench.peer('10.0.0.2', { as: 65001 }).establish().announce([PREFIX], stale);
      peer.takeMessages();
      assert.equal(peer.routes.has(PREFIX), advertised);
    });
  }
});

describe('graceful restart, the restarting speaker (RFC 4724 §4.1)', () => {
  it('advertises its own routes at once, and withholds End-of-RIB until the peer has sent its own', () => {
    const { sim, tor, node, comeBack } = rack(13);
    sim.kill(node);
    sim.run(2000);
    const again = comeBack(true);
    sim.runUntil(() => staleAt(tor) === false, 5000);
    const events = () =>
      tor.log.filter(({ event }) => event.type === 'end-of-rib' && event.peer === '10.0.0.1');
    const soFar = events().length;
    sim.run(20_000);
    assert.equal(events().length, soFar + 1);
    assert.equal(again.speaker.routing.endOfRibGate.closed, false);
  });

  it('withholds nothing on a fresh start', () => {
    const sim = new Simulation(14);
    const a = sim.add({ as: 1 }, '10.0.0.1');
    const b = sim.add({ as: 2 }, '10.0.0.2');
    sim.peer(a, b, { restartTime: 120 });
    sim.runUntil(() => b.log.some(({ event }) => event.type === 'end-of-rib'), 3000);
  });

  it('closes its sessions without a NOTIFICATION', () => {
    const { sim, tor, node } = rack(15);
    node.speaker.closeForRestart(sim.now);
    sim.run(1000);
    assert.equal(staleAt(tor), true);
    const status = [...tor.speaker.peers].find(({ name }) => name === '10.0.0.1');
    assert.doesNotMatch(status?.lastError?.text ?? '', /received/);
  });

  const isWithholding = ({ speaker }: Bench): boolean => speaker.routing.endOfRibGate.closed;

  it('waits ten seconds for peers to connect', () => {
    const bench = new Bench({ restarted: true });
    bench.advance(0);
    bench.advance(9_999);
    assert.equal(isWithholding(bench), true);
    bench.advance(1);
    assert.equal(isWithholding(bench), false);
  });

  for (const [title, capability, seconds] of [
    ['sends no End-of-RIB', '001e 0001 01 80', 60],
    ['restarts itself', '801e 0001 01 80', 10],
    ['has no graceful restart', null, 10],
  ] as const) {
    it(`waits ${seconds} seconds for a peer that ${title}`, () => {
      const bench = new Bench({ restarted: true });
      bench.advance(0);
      const peer = bench.peer('10.0.0.2', { restartTime: 30, holdTime: 0 });
      assert.ok(peer.connect());
      const capabilities = [
        { code: CapabilityCode.multiprotocol, value: hex('0001 00 01') },
        { code: CapabilityCode.fourOctetAs, value: hex('0000fc00') },
        ...(capability ? [{ code: CapabilityCode.gracefulRestart, value: hex(capability) }] : []),
      ];
      peer.send(peer.open({ capabilities }), KEEPALIVE);
      bench.advance(1000 * seconds - 1);
      assert.equal(isWithholding(bench), true);
      bench.advance(1);
      assert.equal(isWithholding(bench), false);
    });
  }
});
