/** A changed export on a session with many routes: no reset, and only the difference is sent. */
import assert from 'node:assert/strict';
import { Simulation } from 'bgp-js-testing/index.ts';
import { peerConfig } from '../../index.ts';
import { nlri } from '../rib/helpers.ts';

const ROUTES = 100_000;

/** A node that advertises ROUTES learned routes, and a few of its own, to a peer. */
function loaded() {
  const sim = new Simulation(1);
  const node = sim.add({ as: 64512 }, '10.0.0.1');
  const peer = sim.add({ as: 65001 }, '10.0.0.2');
  const source = sim.add({ as: 65002 }, '10.0.0.3');
  sim.peer(node, peer);
  sim.peer(node, source);
  sim.run(3000);
  const attributes = { origin: 'IGP', asPath: [], nextHop: '10.0.0.3' } as const;
  const context = { localAs: 65002, localId: 0, clusterId: 0, ebgp: false, fourOctetAs: true };
  for (let i = 0; i < ROUTES; i++) {
    const bytes = nlri(`20.${i >> 16}.${(i >> 8) & 255}.${i & 255}/32`);
    source.speaker.routing.originate(
      source.speaker.routing.rib.family,
      bytes,
      { ...attributes, asPath: [] },
      context,
    );
  }
  for (let i = 0; i < 10; i++) node.speaker.originate(`10.244.${i}.0/24`);
  const [session] = peer.speaker.peers;
  const held = () => peer.speaker.ribSessionOf(session)?.source.received ?? 0;
  sim.runUntil(() => held() === ROUTES + 10, 30_000);
  const change = (fields: object): void => {
    const config = peerConfig({ address: '10.0.0.2', as: 65001, requirePolicy: false, ...fields });
    node.speaker.updatePeer(config, sim.now);
  };
  return { sim, node, peer, session, held, change };
}

describe('a change on a session with 100,000 routes', () => {
  it('to own routes and back resets nothing, and does not advertise routes that stay', function () {
    this.timeout(60_000);
    const { sim, session, held, change } = loaded();
    const updates = session.counters.updatesReceived;
    change({ export: 'own' });
    sim.runUntil(() => held() === 10, 30_000);
    sim.run(2000);
    // 100,000 withdrawals of five octets fit 123 messages; the ten routes that stay would be one more.
    assert.equal(session.counters.updatesReceived - updates, Math.ceil((ROUTES * 5) / (4096 - 23)));
    change({ export: 'all' });
    sim.runUntil(() => held() === ROUTES + 10, 30_000);
    assert.equal(session.counters.established, 1);
  });

  it('of the maximum of prefixes resets nothing and sends nothing', function () {
    this.timeout(60_000);
    const { sim, peer, session, held } = loaded();
    const updates = session.counters.updatesReceived;
    const [config] = [...peer.speaker.peers].map((candidate) => candidate.config);
    peer.speaker.updatePeer({ ...config, maximumPrefixes: ROUTES + 10 }, sim.now);
    sim.run(5000);
    assert.equal(session.counters.updatesReceived, updates);
    assert.equal(session.counters.established, 1);
    assert.equal(held(), ROUTES + 10);
    peer.speaker.updatePeer({ ...config, maximumPrefixes: ROUTES }, sim.now);
    sim.run(1000);
    assert.match(session.lastError?.text ?? '', /maximum prefixes exceeded/);
  });

  it('does not lose updates that were pending for the peer', () => {
    const sim = new Simulation(2);
    const node = sim.add({ as: 64512 }, '10.0.0.1');
    const peers = ['10.0.0.2', '10.0.0.3'].map((address) => sim.add({ as: 65001 }, address));
    for (const peer of peers) sim.peer(node, peer);
    node.speaker.originate('10.1.0.0/16');
    sim.run(4000);
    const [first, second] = node.speaker.connections();
    node.speaker.withdraw('10.1.0.0/16');
    // The second member has read the withdrawal from the log; the first, whose group changes now, has not.
    assert.ok(node.speaker.transmit(second, 65536).length > 0);
    node.speaker.updatePeer(
      peerConfig({ address: '10.0.0.2', as: 65001, export: 'own', requirePolicy: false }),
      sim.now,
    );
    const advertised = Buffer.concat(node.speaker.transmit(first, 65536));
    assert.ok(advertised.includes(Buffer.from(nlri('10.1.0.0/16'))), 'the withdrawal is still sent');
  });
});
