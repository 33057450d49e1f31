import assert from 'node:assert/strict';
import { routeTo } from '../../index.ts';
import { peerConfig, Simulation } from '../../testing/index.ts';

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
    const told = () => node.log.filter(({ event }) => event.type === 'limit').map(({ event }) => event);
    return { sim, node, peer, session, told };
  }

  it('is warned of once, at the share that was asked for', () => {
    const { sim, peer, told } = announced(80, { maximumPrefixes: 100, maximumPrefixesWarning: 0.8 });
    assert.deepEqual(told(), []);
    for (let i = 80; i < 90; i++) peer.speaker.originate(`20.0.${i}.0/24`);
    sim.run(1000);
    assert.equal(told().length, 1);
  });

  it('keeps the peer out for as long as was asked for', () => {
    const { sim, node, peer, session } = announced(11, { maximumPrefixes: 10, maximumPrefixesRestart: 300 });
    assert.match(session.lastError?.text ?? '', /Maximum Number of Prefixes Reached/);
    peer.speaker.withdraw('20.0.0.0/24');
    sim.run(280_000);
    assert.equal(routeTo(node.speaker, '20.0.1.0/24'), null);
    sim.run(90_000);
    assert.ok(routeTo(node.speaker, '20.0.1.0/24'));
  });
});
