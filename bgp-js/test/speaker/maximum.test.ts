import assert from 'node:assert/strict';
import { peerConfig, Simulation } from 'bgp-js-testing/index.ts';
import {
  Community,
  type PeerConfig,
  type PolicyData,
  type PolicyRule,
  type PolicySet,
  peerStatuses,
  routeTo,
} from '../../index.ts';
import { CapabilityCode } from '../../wire/index.ts';
import { hex } from '../wire/bytes.ts';
import { Bench } from './bench.ts';

const { llgrStale: LLGR_STALE } = Community;

/** An OPEN of AS 65001 with a restart time of 30 s and a long-lived stale time of an hour. */
const GRACEFUL = {
  capabilities: [
    { code: CapabilityCode.multiprotocol, value: hex('0001 00 01') },
    { code: CapabilityCode.fourOctetAs, value: hex('0000fde9') },
    { code: CapabilityCode.gracefulRestart, value: hex('001e 0001 01 80') },
    { code: CapabilityCode.longLivedRestart, value: hex('0001 01 80 000e10') },
  ],
};

describe('a maximum of prefixes', () => {
  /** A peer that announces `count` prefixes to a node with these limits. */
  function announced(count: number, limits: object) {
    const sim = new Simulation(1);
    const node = sim.add({ as: 1 }, '10.0.0.1');
    const peer = sim.add({ as: 1 }, '10.0.0.2');
    sim.peer(node, peer);
    node.speaker.updatePeer(peerConfig({ address: '10.0.0.2', as: 1, ...limits }), 0);
    for (let i = 0; i < count; i++) peer.speaker.originate(`20.0.${i}.0/24`);
    sim.run(5000);
    const [session] = node.speaker.peers;
    const limitEvents = () =>
      node.log.filter(({ event }) => event.type === 'limit').map(({ event }) => event);
    return { sim, node, peer, session, limitEvents };
  }

  it('is warned of once, above the configured share', () => {
    const { sim, peer, limitEvents } = announced(80, { maximumPrefixes: 100, maximumPrefixesWarning: 0.8 });
    assert.deepEqual(limitEvents(), []);
    for (let i = 80; i < 90; i++) peer.speaker.originate(`20.0.${i}.0/24`);
    sim.run(1000);
    assert.equal(limitEvents().length, 1);
  });

  it('is warned of once, however many UPDATEs come above the share, and again in the next session', () => {
    const bench = new Bench();
    const limits = { maximumPrefixes: 4, maximumPrefixesWarning: 0.5 };
    const peer = bench.peer('10.0.0.2', limits).establish();
    const texts = () => bench.eventsOf('limit').map(({ text }) => text);
    peer.announce(['20.0.1.0/24', '20.0.2.0/24']);
    assert.deepEqual(texts(), [], 'at the share, not above it');
    peer.announce(['20.0.3.0/24']);
    peer.announce(['20.0.4.0/24']);
    peer.announce(['20.0.4.0/24'], { med: 1 });
    assert.deepEqual(texts(), ['3 of at most 4 prefixes received']);
    bench.speaker.disconnected(peer.id, 'connection reset', bench.now);
    bench.pump();
    peer.establish().announce(['20.0.1.0/24', '20.0.2.0/24', '20.0.3.0/24']);
    assert.equal(texts().length, 2);
  });

  it('with the action "drop" is reported once, however many UPDATEs come above it', () => {
    const bench = new Bench();
    const limits = { maximumPrefixes: 1, maximumPrefixesAction: 'drop' } as const;
    const peer = bench.peer('10.0.0.2', limits).establish();
    const texts = () => bench.eventsOf('limit').map(({ text }) => text);
    peer.announce(['20.0.0.0/24']);
    assert.deepEqual(texts(), []);
    for (let i = 1; i < 4; i++) {
      peer.announce([`20.0.${i}.0/24`]);
      assert.deepEqual(texts(), ['more than 1 prefixes: further routes are dropped']);
    }
    assert.equal(bench.status('10.0.0.2').prefixes.dropped, 3);
  });

  it('is near and exceeded in one UPDATE: both are reported at once', () => {
    const bench = new Bench();
    const limits = {
      maximumPrefixes: 2,
      maximumPrefixesWarning: 0.5,
      maximumPrefixesAction: 'drop',
    } as const;
    bench.peer('10.0.0.2', limits).establish().announce(['20.0.1.0/24', '20.0.2.0/24', '20.0.3.0/24']);
    assert.deepEqual(
      bench.eventsOf('limit').map(({ text }) => text),
      ['2 of at most 2 prefixes received', 'more than 2 prefixes: further routes are dropped'],
    );
  });

  it('keeps the peer out for maximumPrefixesRestart', () => {
    const { sim, node, peer, session } = announced(11, { maximumPrefixes: 10, maximumPrefixesRestart: 300 });
    assert.match(session.lastError?.text ?? '', /maximum prefixes exceeded/);
    peer.speaker.withdraw('20.0.0.0/24');
    sim.run(280_000);
    assert.equal(routeTo(node.speaker, '20.0.1.0/24'), null);
    sim.run(90_000);
    assert.ok(routeTo(node.speaker, '20.0.1.0/24'));
  });

  it('with the action "drop" ignores further routes, and the session stays', () => {
    const limits = { maximumPrefixes: 10, maximumPrefixesAction: 'drop' } as const;
    const { sim, node, peer, session, limitEvents } = announced(15, limits);
    const held = () => peerStatuses(node.speaker, 0)[0].prefixes;
    assert.equal(session.state(0), 'Established');
    assert.deepEqual([held().received, held().dropped], [10, 5]);
    assert.equal(limitEvents().length, 1);
    // A route below the maximum may still change.
    peer.speaker.originate('20.0.3.0/24', { med: 7 });
    sim.run(1000);
    assert.equal(routeTo(node.speaker, '20.0.3.0/24')?.paths[0].attributes.med, 7);
    // A higher maximum requests the dropped routes again.
    node.speaker.updatePeer(
      peerConfig({ address: '10.0.0.2', as: 1, ...limits, maximumPrefixes: 20 }),
      sim.now,
    );
    sim.run(2000);
    assert.deepEqual([held().received, held().dropped], [15, 0]);
    assert.equal(session.counters.established, 1);
  });

  it('of octets of attributes ends the session too (RFC 4486)', () => {
    const sim = new Simulation(1);
    const node = sim.add({ as: 1 }, '10.0.0.1');
    const peer = sim.add({ as: 1 }, '10.0.0.2');
    const other = sim.add({ as: 1 }, '10.0.0.3');
    sim.peer(node, peer);
    sim.peer(node, other);
    const limit = { maximumAttributeOctets: 1000 };
    node.speaker.updatePeer(peerConfig({ address: '10.0.0.2', as: 1, ...limit }), 0);
    const announce = (from: number, to: number) => {
      for (let i = from; i < to; i++) peer.speaker.originate(`20.0.${i}.0/24`, { communities: [i] });
      sim.run(3000);
    };
    announce(0, 20);
    const [session] = node.speaker.peers;
    assert.equal(session.state(0), 'Established');
    const octets = peerStatuses(node.speaker, 0)[0].attributeOctets;
    assert.ok(octets > 500 && octets < 1000, `${octets} octets`);
    for (let i = 0; i < 20; i++) peer.speaker.withdraw(`20.0.${i}.0/24`);
    sim.run(3000);
    assert.equal(peerStatuses(node.speaker, 0)[0].attributeOctets, 0, 'they are released with the routes');
    announce(0, 60);
    assert.match(session.lastError?.text ?? '', /maximum attribute octets exceeded.*6\/8/);
    assert.equal(peerStatuses(node.speaker, 0)[1].state, 'Established');
  });
});

describe('octets of path attributes', () => {
  const GIVER = '10.0.0.2';
  const INNOCENT = '10.0.0.3';
  const rule = (set: PolicyRule['set']): PolicyData => ({
    rules: [{ name: 'change', set, action: 'accept' }],
    otherwise: 'accept',
  });
  const longer = rule({ prepend: { times: 32 } });
  const plain: PolicyData = { rules: [], otherwise: 'accept' };

  /** A peer that announces routes with 30 sets of attributes, and one that announces a single route after them. */
  function pair(policies: PolicySet, giverFields: Partial<PeerConfig> = {}) {
    const bench = new Bench();
    bench.speaker.setPolicies(policies);
    const giver = bench.peer(GIVER, { as: 65001, importPolicy: 'in', ...giverFields }).establish(GRACEFUL);
    const innocent = bench
      .peer(INNOCENT, { as: 65002, importPolicy: 'plain', exportPolicy: 'out', maximumAttributeOctets: 500 })
      .establish();
    for (let i = 0; i < 30; i++) giver.announce([`20.0.${i}.0/24`], { communities: [i + 1] });
    innocent.announce(['30.0.0.0/24']);
    const octets = () => [GIVER, INNOCENT].map((address) => bench.status(address).attributeOctets);
    /** The innocent peer sends one more UPDATE, after which its limit is checked. */
    const stays = () => {
      innocent.announce(['30.0.1.0/24']);
      assert.equal(bench.status(INNOCENT).state, 'Established');
    };
    return { bench, giver, octets, stays };
  }

  it('of sets created by a changed import policy are charged to the source of the paths', () => {
    const { bench, octets, stays } = pair({ policies: { in: plain, plain, out: plain } });
    const [giver, innocent] = octets();
    bench.speaker.setPolicies({ policies: { in: longer, plain, out: plain } });
    bench.pump();
    assert.ok(octets()[0] > giver + 30 * 128, `the giver has ${octets()[0]} octets, had ${giver}`);
    assert.equal(octets()[1], innocent);
    stays();
  });

  it('of sets created by an export policy are charged to no peer', () => {
    const { bench, octets, stays } = pair({ policies: { in: plain, plain, out: plain } });
    const before = octets();
    bench.speaker.setPolicies({ policies: { in: plain, plain, out: longer } });
    bench.pump();
    assert.deepEqual(octets(), before);
    stays();
  });

  it('of sets marked LLGR_STALE are charged to the source of the paths (RFC 9494 §4.2)', () => {
    const fields = { restartTime: 120, longLivedStaleTime: 3600 };
    const { bench, giver, octets, stays } = pair({ policies: { in: plain, plain, out: plain } }, fields);
    const [, innocent] = octets();
    bench.speaker.disconnected(giver.id, 'the connection broke', bench.now);
    bench.advance(60_000);
    assert.ok(routeTo(bench.speaker, '20.0.1.0/24')?.paths[0].attributes.communities?.includes(LLGR_STALE));
    assert.equal(octets()[1], innocent);
    stays();
  });
});
